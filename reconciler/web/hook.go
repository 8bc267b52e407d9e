package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

const (
	hookPath = "/hooks/git"
	// hookBytes is how long a call may be. A forge's list of the commits of a push is cut before that.
	hookBytes = 1 << 20
	// hookTime is how long the body of a call may take to arrive.
	hookTime = 10 * time.Second
	// hookBodies is how many calls are read at once.
	hookBodies = 16
	// hookRate and hookBurst are how many calls are read, each counted once and once more for every hookPart of it. A call beyond
	// costs no more than its header.
	hookRate, hookBurst = 50, 100
	hookPart            = 64 << 10
)

// Hooks take the calls by which Git servers say that something was pushed. A call has to be signed, and means no more than "look
// again": its content says at most which repository is asked. So a call that is sent again does no harm, and none is remembered.
type Hooks struct {
	Secrets func() ([]string, error) // asked for each call; one that it returns signs the call
	Heard   func(addresses []string) // told by which addresses the repository goes that was pushed to; none: it may be any; does not wait
	Counted func(outcome string)     // told of each call
}

type hooks struct {
	*Hooks
	limit  *rate.Limiter
	bodies chan struct{} // has a token for each call that is read
}

func newHooks(h *Hooks) *hooks {
	return &hooks{h, rate.NewLimiter(hookRate, hookBurst), make(chan struct{}, hookBodies)}
}

// take answers a call.
func (h *hooks) take(w http.ResponseWriter, r *http.Request) error {
	if h.Hooks == nil {
		return refuse(http.StatusNotFound, "this daemon takes no hooks: start transom serve with --hook-secret FILE").
			mendedBy("start transom serve with --hook-secret FILE")
	}
	// The server reads a body that nobody reads, and does so within this time, too.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookTime)) // a server that has no deadlines needs none
	addresses, err := h.read(w, r)
	h.Counted(outcomeOf(err))
	if err != nil {
		if statusOf(err) == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		return err
	}
	h.Heard(addresses)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// hookOutcomes are the outcomes of calls as they are counted, by the status of their answers.
var hookOutcomes = map[int]string{
	http.StatusUnauthorized:          "forged",
	http.StatusRequestEntityTooLarge: "oversized",
	http.StatusBadRequest:            "malformed",
	http.StatusTooManyRequests:       "limited",
	http.StatusServiceUnavailable:    "failed",
}

func outcomeOf(err error) string {
	if err == nil {
		return "accepted"
	}
	return hookOutcomes[statusOf(err)]
}

// read returns the addresses of the repository that a call names.
func (h *hooks) read(w http.ResponseWriter, r *http.Request) ([]string, error) {
	signatures := signaturesOf(r.Header)
	if signatures.none() {
		return nil, refuse(http.StatusUnauthorized, "the call is not signed: give the Git server the secret that --hook-secret has").
			mendedBy("give the Git server the secret that --hook-secret has")
	}
	if !h.limit.AllowN(time.Now(), 1+int(lengthOf(r)/hookPart)) {
		return nil, errTooManyCalls
	}
	secrets, err := h.Secrets()
	if err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "the secrets of hooks cannot be read: the daemon's log says why")
	}
	body, err := h.body(w, r)
	if err != nil {
		return nil, err
	}
	if !signatures.by(secrets, body) {
		return nil, refuse(http.StatusUnauthorized, "the signature is not made with a secret that --hook-secret has, or the call was changed on its way").
			mendedBy("give the Git server the secret that --hook-secret has")
	}
	return repositoryOf(r.Header.Get("Content-Type"), body)
}

var errTooManyCalls = refuse(http.StatusTooManyRequests, "too many calls: what was pushed is found all the same, somewhat later")

// lengthOf is how long a call is, or may be where it does not say.
func lengthOf(r *http.Request) int64 {
	if r.ContentLength < 0 {
		return hookBytes
	}
	return min(r.ContentLength, hookBytes)
}

// body reads a call, a few at a time.
func (h *hooks) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	select {
	case h.bodies <- struct{}{}:
		defer func() { <-h.bodies }()
	default:
		return nil, errTooManyCalls
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, hookBytes))
	var more *http.MaxBytesError
	switch {
	case errors.As(err, &more):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the call is longer than %d bytes", hookBytes)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the call did not arrive whole within %s", hookTime)
	}
	return body, nil
}

// A pushed is the part of a call that names the repository. Forges call its addresses by different names.
type pushed struct {
	Repository struct {
		CloneURL string `json:"clone_url"`    // GitHub, Gitea, Forgejo
		SSHURL   string `json:"ssh_url"`      // the same
		HTMLURL  string `json:"html_url"`     // the same
		HTTP     string `json:"git_http_url"` // GitLab
		SSH      string `json:"git_ssh_url"`  // GitLab
		URL      string `json:"url"`          // plain senders
		Links    struct {
			HTML struct {
				Href string `json:"href"`
			} `json:"html"` // Bitbucket
		} `json:"links"`
	} `json:"repository"`
}

// repositoryOf returns the addresses of the repository that a call names; none where it names none. An empty body is a call, too.
func repositoryOf(contentType string, body []byte) ([]string, error) {
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") { // as GitHub sends unless told otherwise
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "the call is not a form: have the Git server send application/json")
		}
		body = []byte(form.Get("payload"))
	}
	if len(body) == 0 {
		return nil, nil
	}
	if !json.Valid(body) {
		return nil, refuse(http.StatusBadRequest, "the call is not JSON: have the Git server send application/json")
	}
	var p pushed
	_ = json.Unmarshal(body, &p) // a repository that is described otherwise is not named: all are asked then
	at := p.Repository
	var addresses []string
	for _, address := range []string{at.CloneURL, at.SSHURL, at.HTMLURL, at.HTTP, at.SSH, at.URL, at.Links.HTML.Href} {
		if address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}
