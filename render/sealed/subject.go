package sealed

// A Subject is that which a file is made for: a request in an environment, or, with PullSecret, an image pull secret of the environment.
type Subject struct {
	Team, Request, Environment string
	PullSecret                 string // its name; Team and Request are empty then
}

// String is the form TEAM/REQUEST/ENVIRONMENT, or ENVIRONMENT/NAME, as it is sealed. No form is ever the other.
func (s Subject) String() string {
	if s.PullSecret != "" {
		return s.Environment + "/" + s.PullSecret
	}
	return s.Team + "/" + s.Request + "/" + s.Environment
}

// File is the path of the subject's file in a platform repository.
func (s Subject) File() string {
	if s.PullSecret != "" {
		return "environments/" + s.Environment + "/" + s.PullSecret + ".secret.yaml"
	}
	return "requests/" + s.Team + "/" + s.Request + "." + s.Environment + ".secret.yaml"
}

// name is that of the Secret in the file.
func (s Subject) name() string {
	if s.PullSecret != "" {
		return s.PullSecret
	}
	return s.Request
}

// kind is the name of such subjects for people.
func (s Subject) kind() string {
	if s.PullSecret != "" {
		return "image pull secret"
	}
	return "request"
}

// secrets are those that the recipients of the file may read.
func (s Subject) secrets() string {
	if s.PullSecret != "" {
		return "the image pull secrets of " + s.Environment
	}
	return "the secrets of " + s.Team + " in " + s.Environment
}

// setting is the command that seals a value for the subject.
func (s Subject) setting(key string) string {
	if s.PullSecret != "" {
		return "transom secret set " + s.PullSecret + " -e " + s.Environment
	}
	return "transom secret set " + s.Team + "/" + s.Request + " " + key + " -e " + s.Environment
}
