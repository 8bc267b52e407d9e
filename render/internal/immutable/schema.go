package immutable

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// InSchema finds the fields that the rules of a CustomResourceDefinition's schema fix, sorted: those with a rule that a
// field equals its old value. Items of lists are omitted: which of them was which one before is not known here.
func InSchema(schema map[string]any) []Field { return inSchema(nil, schema) }

func inSchema(steps []string, schema map[string]any) (fields []Field) {
	rules, _ := schema["x-kubernetes-validations"].([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		text, _ := rule["rule"].(string)
		if below, ok := unchanging(text); ok {
			fields = append(fields, Field{path: strings.Join(slices.Concat(steps, below), "."), kept: true})
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if property, ok := properties[name].(map[string]any); ok && !strings.Contains(name, ".") {
			fields = append(fields, inSchema(append(slices.Clone(steps), name), property)...)
		}
	}
	return fields
}

// unchangingRule is "self == oldSelf", or the same of a field below, either way round.
var unchangingRule = regexp.MustCompile(`^\s*(self|oldSelf)((?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*==\s*(self|oldSelf)((?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*$`)

// unchanging reports whether a rule says that a value, or a field below it, equals the old one.
func unchanging(rule string) (below []string, ok bool) {
	m := unchangingRule.FindStringSubmatch(rule)
	if len(m) == 0 || m[1] == m[3] || m[2] != m[4] {
		return nil, false
	}
	if m[2] != "" {
		below = strings.Split(m[2][1:], ".")
	}
	return below, true
}
