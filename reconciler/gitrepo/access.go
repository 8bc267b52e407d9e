package gitrepo

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A way is how one remote is reached at any time: by the credential for its address that the file has now. It is safe for concurrent use.
type way struct {
	endpoint    endpoint
	credentials Credentials
	pause       pause // that the server asked for, whoever asks it

	mu   sync.Mutex
	by   *credentialEntries // of which last was made
	last *access
}

// access is the one for a conversation that begins now. Where the file of credentials has changed since the last one, it is
// another one, with connections of its own.
func (w *way) access() *access {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.credentials.current()
	if w.last == nil || w.by != now {
		if w.last != nil {
			w.last.hangUp()
		}
		w.by, w.last = now, &access{credential: now.find(w.endpoint), pause: &w.pause}
	}
	return w.last
}

// hangUp closes the connections that nobody uses.
func (w *way) hangUp() { w.access().hangUp() }

// access is how one remote is reached with one credential, and the connections kept for the next time.
type access struct {
	credential *credential
	pause      *pause

	once    sync.Once
	pool    atomic.Pointer[http.Transport] // nil until a conversation needed it
	poolErr error
}

// explain turns an error of the connection into one for an operator: the address, the fault and its remedy. It carries no secret, whatever
// the other end may have echoed.
func (a *access) explain(e endpoint, err error) error {
	text := err.Error()
	var unknown *net.DNSError
	switch {
	case strings.Contains(text, "object-format=sha256"):
		text = "the repository names its objects by SHA-256, which is not supported: use one that git init --object-format=sha1 makes"
	case errors.Is(err, transport.ErrAuthenticationRequired) && a.credential.URL == "":
		text = "authentication required; add an entry for it to the git credentials file"
	case errors.Is(err, transport.ErrAuthenticationRequired):
		text = fmt.Sprintf("the credentials for %s are refused: %s", a.credential.prefix, text)
	case errors.Is(err, transport.ErrAuthorizationFailed):
		text = "these credentials may not do this here: " + text
	case errors.Is(err, pktline.ErrInvalidPktLen):
		text = "the answer is not that of a Git server; is the address right, and does a login or a proxy stand before it?"
	case e.local() && errors.Is(err, fs.ErrNotExist):
		text = "there is no such repository; make it (git init --bare), or correct the address"
	case e.local() && strings.Contains(text, "does not appear to be a git repository"):
		text = "this is no Git repository; make it one (git init --bare), or correct the address"
	case errors.As(err, &unknown) && unknown.IsNotFound:
		text += "; is the address right, and does this machine's DNS know the name?"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		text = "there is no such repository, or these credentials may not see it: " + text
	}
	return &accessError{text: e.String() + ": " + printable(a.redact(text)), cause: err}
}

// redact takes the remote's secret out of a text, as it is and as it was sent.
func (a *access) redact(text string) string {
	password := string(a.credential.Password)
	if password == "" {
		return text
	}
	sent := base64.StdEncoding.EncodeToString([]byte(a.credential.Username + ":" + password))
	return strings.NewReplacer(password, "***", sent, "***").Replace(text)
}

// An accessError keeps its cause for errors.Is only, as the cause's own text may have the secrets that explain took out.
type accessError struct {
	text  string
	cause error
}

func (e *accessError) Error() string { return e.text }

func (e *accessError) Is(target error) bool { return errors.Is(e.cause, target) }

// longest is how many characters of another program's words an error repeats.
const longest = 1000

// colour is the escape sequences by which terminals change colours.
var colour = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// printable makes another program's words fit to show: one line, no control characters, not too long.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, colour.ReplaceAllString(strings.ToValidUTF8(s, ""), ""))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "…"
	}
	return s
}
