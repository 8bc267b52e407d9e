package apply

// Uncovered is uncovered over a field set in JSON, for tests; empty if all is covered.
func Uncovered(set, object map[string]any) string { return uncovered(set, object).String() }
