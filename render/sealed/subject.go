package sealed

// A Subject is the request in an environment that a file is made for.
type Subject struct {
	Team, Request, Environment string
}

// String is the form TEAM/REQUEST/ENVIRONMENT, as it is sealed.
func (s Subject) String() string { return s.Team + "/" + s.Request + "/" + s.Environment }

// setting is the command that seals a value for the subject.
func (s Subject) setting(key string) string {
	return "transom secret set " + s.Team + "/" + s.Request + " " + key + " -e " + s.Environment
}
