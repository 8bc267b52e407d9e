package forge

import (
	"context"
	"strings"

	"transom.dev/render/wording"
)

// State is how far a commit has come in an environment, in words that every forge has.
type State string

// The states of a Status.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure"
)

// contexts is the beginning of the names of our commit statuses. The name of the environment follows.
const contexts = "transom/"

// longestText is how many characters of a status's text every forge takes.
const longestText = 140

// A Status is a commit status. Its text up to the first colon is its kind: two statuses of one state and one kind say the
// same, whichever details follow.
type Status struct {
	Environment string
	State       State
	Text        string
	URL         string // of the console; may be empty
}

// key is the same for statuses that are not told one after the other.
func (s Status) key() string {
	kind, _, _ := strings.Cut(s.Text, ":")
	return string(s.State) + " " + kind
}

// A Request is an open pull request, or merge request, whose commits are in the platform repository itself and whose author
// may write there.
type Request struct {
	Number int64
	Branch string
	Commit string // of the branch, as the forge knows it
	Files  string // the address below which its files are shown, such as https://github.com/acme/platform/blob/COMMIT
}

// A Comment is one of our own on a request. The zero value is none.
type Comment struct {
	ID   int64
	Body string
}

// A statusHost is a repository on a forge that takes commit statuses.
type statusHost interface {
	// Statuses lists ours of a commit, the latest of each environment.
	Statuses(ctx context.Context, commit string) ([]Status, error)
	SetStatus(ctx context.Context, commit string, s Status) error
}

// A requestHost is a repository on a forge that has pull requests.
type requestHost interface {
	// Requests lists open requests to merge into a branch that people who may write made in the repository itself.
	Requests(ctx context.Context, branch string) ([]Request, error)
	// Own is the first comment on a request that this account wrote and that begins with a mark.
	Own(ctx context.Context, request int64, mark string) (Comment, error)
	// Write edits a comment, or makes a new one where it has no ID.
	Write(ctx context.Context, request int64, c Comment) error
}

// A Host is the platform repository on a forge.
type Host interface {
	statusHost
	requestHost
}

// Open returns the host that a configuration names. Nothing is contacted yet.
func Open(c Config) (Host, error) {
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	if c.Kind == GitLab {
		return newGitLab(c, client)
	}
	return newGitHub(c, client)
}

// environmentOf is the environment that a status's name is for; empty: it is not ours.
func environmentOf(name string) string {
	environment, ours := strings.CutPrefix(name, contexts)
	if !ours {
		return ""
	}
	return environment
}

// clip makes a text fit for a commit status.
func clip(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > longestText {
		return string(runes[:longestText-1]) + "…"
	}
	return string(runes)
}

// wordOf makes somebody else's words fit to repeat: one line, no control characters, not too long.
func wordOf(text string) string {
	text = strings.Join(strings.Fields(wording.Clean(text)), " ")
	if runes := []rune(text); len(runes) > longestMessage {
		return string(runes[:longestMessage]) + "…"
	}
	return text
}
