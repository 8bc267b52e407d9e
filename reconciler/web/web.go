package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/access"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// Board is the status, as *status.Board keeps it.
type Board interface {
	Status() status.Status
	History() []status.Event
	Subscribe() (changed <-chan struct{}, end func())
}

// Owners knows who has to approve a decision's file at the forge.
type Owners interface {
	// Of are those of a file; known says whether any file's are known.
	Of(file string) (owners []string, known bool)
	// Name says whether any file of a decision has an owner of that name.
	Name(owner string) bool
}

// Options are the sources and the settings of the handler. Only Board is required.
type Options struct {
	Board Board

	// Ready says why the daemon cannot be relied on yet; nil once it can. Omitted, the daemon is always ready.
	Ready func() error

	// Warned is how many clusters have a credential that a person must see to. Anybody may ask /readyz, which tells no more
	// than that. Omitted, there are none.
	Warned func() int

	// Passes says for how long passes have been under way without a pause, with a channel that is closed at the next one; nil: none is under
	// way. Answers give way to them for a moment. Omitted, they never do.
	Passes func() (age time.Duration, over <-chan struct{})

	// Includes says whether commit is head or one of its ancestors in the platform repository. Omitted, a commit
	// includes itself only.
	Includes func(ctx context.Context, head, commit string) (bool, error)

	// Explain answers where an instance comes from. An unknown one is ErrNotFound. Omitted, the API says that it
	// cannot be asked.
	Explain func(ctx context.Context, q Question) (Trace, error)

	// Past lists the latest commits of an environment's state that changed an instance, the newest first. Omitted, the console shows none.
	Past func(ctx context.Context, q Question) ([]console.Past, error)

	// Edit is the text of a request's file, as the platform's head has it, with other values. Omitted, the console edits nothing.
	Edit func(ctx context.Context, file string, set []console.Assignment) (string, error)

	// Owners knows the CODEOWNERS of the platform repository. Omitted, there is none.
	Owners Owners

	// Sample is a value that the schema of a parameter takes; nil: none comes to mind. Omitted, forms show those that schemas have themselves.
	Sample func(schema map[string]any) any

	// Changes compares two versions of an offering. Omitted, the API says that none are compared, and pages show no changes.
	Changes func(from, to *platform.Version) (api.VersionChanges, error)

	// Journal tells who changed which things, from Git. Omitted, the API says that it tells nothing.
	Journal Journal

	// Runtime shows pods, their logs and Events. Omitted, the API says that none are shown.
	Runtime Runtime

	// Manifests shows manifests and compares them. Omitted, the API says that none are shown.
	Manifests Manifests

	// Plans tells of the changes that merging a branch would make. Omitted, the API says that none are made.
	Plans Plans

	// Docs has a Markdown file for each page below /docs/. Omitted, there is none.
	Docs fs.FS

	// Hosts are names by which the console and the API are asked for beside loopback names and the machine's addresses.
	Hosts []string

	// Hooks take the calls of Git servers. Omitted, there are none.
	Hooks *Hooks

	// Look asks every repository whether it moved, and has a pass made over every environment. Omitted, the API says that it
	// cannot be asked.
	Look func(ctx context.Context) []Looked

	// Leader says which replica answers. Where that is another one, requests are sent on to it, but for health and metrics. Omitted,
	// there is one process.
	Leader func() Leader

	// LeaderTLS is how the leader is reached over TLS, asked for each connection. Omitted, as any server on the web.
	LeaderTLS func() *tls.Config

	// Vouch makes a text about another one that only replicas can make, by which the leader believes a standby whose client asks. Omitted,
	// all clients of a standby are one to the leader, but where Proxies has the standby.
	Vouch func(text string) string

	// Access says who asks. Omitted, whoever reaches the handler may ask for everything.
	Access *access.Guard

	// MostRequests is how many requests a client may make a second in the long run, health and web hooks aside, and ten times as many at
	// once. Omitted, as many as it likes.
	MostRequests int

	// Limited is told of each request beyond MostRequests. Omitted, nobody is.
	Limited func()

	// Proxies are the networks of proxies in front of the handler, as access.Behind takes them.
	Proxies []netip.Prefix

	// Collectors are exposed on /metrics beside the figures of the Board. MetricsElsewhere leaves /metrics to the handler of Metrics.
	Collectors       []prometheus.Collector
	MetricsElsewhere bool
}

// ErrNotFound says that the object of a request is not known; it becomes status 404.
var ErrNotFound = errors.New("not found")

// ErrNoCommitID says that the commit of a question is none, or is abbreviated; it becomes status 400.
var ErrNoCommitID = errors.New("is no commit id: give all 40 hexadecimal digits")

// ErrNoPosition says that a question goes on from nowhere in its list; it becomes status 400.
var ErrNoPosition = errors.New("is the field next of no page of this list: ask without after= for the first page")

// Handler returns the console, the API, metrics and health. A stream of events ends with its request's context, so a
// server that shuts down ends them by ending its BaseContext.
func Handler(o Options) http.Handler {
	if o.Access == nil {
		o.Access, _ = access.New(access.Options{Unknown: access.Operator}) // it fails for a file only
	}
	s := newServer(o)
	h := relaying(o, askedFor(o.Vouch, newRouter(s)))
	h = http.NewCrossOriginProtection().Handler(h)
	h = answering(o.Hosts, h)
	return guarded(access.Behind(o.Proxies, func(path string) bool { return exempt[path] }, h))
}

type server struct {
	Options
	passes    courtesy
	streams   *streams
	broadcast *broadcast
	encoded   encodedEvents
	memory    *memory
	answers   *answers
	looks     *streams // questions about pods that are open: their requests to a cluster are made beside those that apply
}

func newServer(o Options) *server {
	passes := courtesy{o.Passes}
	m := &memory{board: o.Board, passes: passes}
	return &server{
		Options: o, passes: passes, streams: newStreams(), broadcast: newBroadcast(o.Board, passes), memory: m, answers: newAnswers(m),
		looks: &streams{noun: "looks at pods", most: 64, mostClient: 8, clients: map[string]int{}},
	}
}

func (s *server) healthy(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "ok\n")
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) error {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			return refuse(http.StatusServiceUnavailable, "not ready: %v", err)
		}
	}
	text := "ok\n"
	if s.Leader != nil && !s.Leader().Here {
		text = "ok: standby\n"
	}
	if s.Warned != nil {
		if n := s.Warned(); n > 0 {
			text += fmt.Sprintf("warning: credentials that a person must see to: %d; \"transom cluster list\" tells them\n", n)
		}
	}
	return writeText(w, text)
}

// guarded sets the headers that keep a browser from doing anything with an answer but showing it.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// failure is an error with the status that it becomes, and the way to mend it.
type failure struct {
	code    int
	message string
	remedy  string // empty: that of its status
}

func (f failure) Error() string { return f.message }

// Code is the status of its answer, for a page.
func (f failure) Code() int { return f.code }

func refuse(code int, format string, args ...any) failure {
	return failure{code: code, message: fmt.Sprintf(format, args...)}
}

// mendedBy is the failure with a remedy of its own, where that of its status would mislead.
func (f failure) mendedBy(format string, args ...any) failure {
	f.remedy = fmt.Sprintf(format, args...)
	return f
}

// get serves GET and HEAD.
func get(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return answer(serve, "the API is read-only, changes are merged", http.MethodGet, http.MethodHead)
}

// answer serves some methods, and turns an error into JSON with the status that belongs to it. Why others are not allowed is part
// of their error.
func answer(serve func(http.ResponseWriter, *http.Request) error, why string, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			writeError(w, refuse(http.StatusMethodNotAllowed, "%s is not allowed here: %s", r.Method, why))
			return
		}
		if err := serve(w, r); err != nil {
			writeError(w, failureOf(err))
		}
	})
}

// failureOf is an error as it is answered.
func failureOf(err error) failure {
	f := failure{code: http.StatusInternalServerError}
	var refusal *access.Refusal
	switch {
	case errors.As(err, &refusal):
		f.code = refusal.Code
	case errors.As(err, &f):
	case errors.Is(err, ErrNotFound):
		f.code = http.StatusNotFound
	case errors.Is(err, ErrNoCommitID), errors.Is(err, ErrNoPosition):
		f.code = http.StatusBadRequest
	case errors.Is(err, ErrNotYet):
		f.code = http.StatusServiceUnavailable
	}
	f.message = err.Error()
	return f
}

func statusOf(err error) int { return failureOf(err).code }

// An errorAnswer is an error as RFC 9457 has them.
type errorAnswer struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`           // the mistake
	Remedy string `json:"remedy,omitempty"` // the way to mend it
	Error  string `json:"error"`            // detail again, for the commands of versions before
}

// remedies say how to mend an error of a status that has no remedy of its own.
var remedies = map[int]string{
	http.StatusBadRequest:            "ask as /api/v1/openapi.json describes it",
	http.StatusUnauthorized:          "log in at /login, or send a token that \"transom token\" made",
	http.StatusForbidden:             "ask somebody who keeps the daemon's file of access for the role",
	http.StatusNotFound:              "/api/v1/openapi.json lists all there is; a change that was just merged is known after the next pass",
	http.StatusBadGateway:            "look at the status of the cluster, and at the rights that \"transom install\" lists for it",
	http.StatusMethodNotAllowed:      "use a method that the header Allow names; changes are merged in Git",
	http.StatusRequestEntityTooLarge: "send less",
	http.StatusTooManyRequests:       "ask again after the time that the header Retry-After gives",
	http.StatusServiceUnavailable:    "ask again after the time that the header Retry-After gives",
}

// laterAgain is the number of seconds after which a client that found no room, or no answer yet, tries again, where nothing says another one.
const laterAgain = "5"

// waitingHelps says whether the same question has another answer a little later.
func waitingHelps(code int) bool {
	return code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable
}

func writeError(w http.ResponseWriter, f failure) {
	if waitingHelps(f.code) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", laterAgain)
	}
	remedy := cmp.Or(f.remedy, remedies[f.code])
	body, _ := json.Marshal(errorAnswer{"about:blank", http.StatusText(f.code), f.code, f.message, remedy, f.message}) // strings always marshal
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.code)
	_, _ = w.Write(append(body, '\n')) // a client that went away is no concern of ours
}

func writeText(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte(text))
	return err
}
