package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"transom.dev/reconciler/status"
)

// Board is the status, as *status.Board keeps it.
type Board interface {
	Status() status.Status
	History() []status.Event
	Subscribe() (changed <-chan struct{}, end func())
}

// Options are the sources and the settings of the handler. Only Board is required.
type Options struct {
	Board Board

	// Ready says why the daemon cannot be relied on yet; nil once it can. Left out, the daemon is always ready.
	Ready func() error

	// Includes says whether commit is head or one of its ancestors in the platform repository. Left out, a commit
	// includes itself only.
	Includes func(ctx context.Context, head, commit string) (bool, error)

	// Explain answers where an instance comes from. An unknown one is ErrNotFound. Left out, the API says that it
	// cannot be asked.
	Explain func(ctx context.Context, q Question) (Trace, error)

	// Hosts are names by which the console and the API are asked for beside loopback names and the machine's addresses.
	Hosts []string

	// Hooks take the calls of Git servers. Left out, there are none.
	Hooks *Hooks

	// Look asks every repository whether it moved, and has a pass made over every environment.
	Look func(ctx context.Context) []Looked

	// Collectors are exposed on /metrics beside the figures of the Board.
	Collectors []prometheus.Collector
}

// ErrNotFound says that the object of a request is not known; it becomes status 404.
var ErrNotFound = errors.New("not found")

// Handler returns the console, the API, metrics and health. A stream of events ends with its request's context, so a
// server that shuts down ends them by ending its BaseContext.
func Handler(o Options) http.Handler {
	s := &server{Options: o, looks: rate.NewLimiter(lookRate, lookBurst)}
	mux := http.NewServeMux()
	mux.Handle("/healthz", get(s.healthy))
	mux.Handle("/readyz", get(s.ready))
	mux.Handle("/api/v1/status", get(s.status))
	mux.Handle("/api/v1/progress", get(s.progress))
	mux.Handle("/api/v1/events", get(s.events))
	mux.Handle("/api/v1/explain", get(s.explain))
	mux.Handle("/api/v1/reconcile", http.NewCrossOriginProtection().Handler(answer(s.reconcile, http.MethodPost)))
	mux.Handle("/hooks/git", answer(newHooks(o.Hooks).take, http.MethodPost))
	mux.Handle("/metrics", get(metrics(o)))
	mux.Handle("/", get(console()))
	return guarded(answering(o.Hosts, mux))
}

type server struct {
	Options
	looks *rate.Limiter
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
	return writeText(w, "ok\n")
}

func metrics(o Options) func(http.ResponseWriter, *http.Request) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{o.Board}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(o.Collectors...)
	h := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// guarded sets the headers that keep a browser from doing anything with an answer but showing it.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// failure is an error with the status that it becomes.
type failure struct {
	code    int
	message string
}

func (f failure) Error() string { return f.message }

func refuse(code int, format string, args ...any) error {
	return failure{code, fmt.Sprintf(format, args...)}
}

// get serves GET and HEAD.
func get(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return answer(serve, http.MethodGet, http.MethodHead)
}

// answer serves some methods, and turns an error into JSON with the status that belongs to it.
func answer(serve func(http.ResponseWriter, *http.Request) error, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			allowed := strings.Join(methods, ", ")
			w.Header().Set("Allow", allowed)
			writeError(w, http.StatusMethodNotAllowed, r.Method+" is not allowed here, but "+allowed+": nothing is changed by the API, changes are merged")
			return
		}
		if err := serve(w, r); err != nil {
			writeError(w, statusOf(err), err.Error())
		}
	})
}

func statusOf(err error) int {
	var f failure
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	default:
		return http.StatusInternalServerError
	}
}

func writeError(w http.ResponseWriter, code int, message string) {
	body, _ := json.Marshal(map[string]string{"error": message}) // strings always marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // a client that went away is no concern of ours
}

func writeText(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte(text))
	return err
}
