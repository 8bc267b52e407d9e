package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// slowest is how many bytes a second an answer must have. An answer of that pace or more never runs out of time.
const slowest = 16 << 10

// answerFlag is the flag of AnswerBytes.
const answerFlag = "--cluster-answer-bytes"

// longestAdvice is for how long a server may ask to be spared before a request is made again. Where it asks for more, the
// request fails, and the visit that made it comes back later.
const longestAdvice = 2 // seconds

// boundTransport bounds every answer of an API server. It sits outside of http.Transport, so it counts the bytes of a
// compressed answer as they are once unpacked.
type boundTransport struct {
	next   http.RoundTripper
	limits Limits
	pace   *pace
}

// RoundTrip implements http.RoundTripper.
func (t *boundTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	a := t.answerTo(req, cancel)
	timer := time.AfterFunc(t.limits.Timeout, func() { cancel(a.late("has not begun")) })
	res, err := t.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		err = a.ended(context.Cause(ctx), err)
		cancel(nil)
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "text/html" && res.StatusCode < http.StatusMultipleChoices {
		_ = res.Body.Close()
		cancel(nil)
		return nil, fmt.Errorf("the answer to %s is a page for people, as of a login or a proxy: is this the cluster's API server?", a.name)
	}
	a.body, a.ctx = res.Body, ctx
	a.events = eventsOf(req, res)
	res.Body = a
	t.pace.heed(res)
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	tooLong := err == nil && seconds > longestAdvice
	if busy := res.StatusCode == http.StatusTooManyRequests; tooLong || busy && req.Context().Value(once{}) != nil {
		res.Header.Del("Retry-After")
	}
	return res, nil
}

// WrappedRoundTripper lets client-go find the transport below.
func (t *boundTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// answerTo is the answer to a request before anything of it came: its limits depend on the request.
func (t *boundTransport) answerTo(req *http.Request, cancel context.CancelCauseFunc) *answer {
	a := &answer{
		name: req.Method + " " + req.URL.Path, limits: t.limits, budget: budgetOf(req.Context()), cancel: cancel,
		patience: t.limits.Timeout, remaining: t.limits.AnswerBytes, flag: answerFlag, limit: t.limits.AnswerBytes,
	}
	if watch := req.URL.Query().Get("watch"); watch != "" && watch != "false" && watch != "0" {
		a.watches = true
		a.remaining, a.flag, a.limit = t.limits.EventBytes, "--cluster-event-bytes", t.limits.EventBytes
		if seconds, err := strconv.Atoi(req.URL.Query().Get("timeoutSeconds")); err == nil {
			a.end = time.AfterFunc(time.Duration(seconds)*time.Second+t.limits.Timeout, func() { cancel(errOverdue) })
		}
	} else if a.budget != nil && !a.budget.pages {
		a.remaining = -1
	}
	return a
}

// errOverdue ends a watch that the server should have ended.
var errOverdue = errors.New("the watch has not ended when it should have")

// answer is the body of an answer. It is read by one goroutine at a time.
type answer struct {
	name   string
	limits Limits
	budget *budget // nil: none
	cancel context.CancelCauseFunc
	ctx    context.Context
	body   io.ReadCloser
	end    *time.Timer // of a watch

	watches  bool
	events   events      // nil: the whole answer is one
	within   atomic.Bool // something of an event has come, but not its end
	patience time.Duration

	remaining, limit int64 // of this answer, or of one event; -1: the budget alone bounds it
	flag             string
}

// errQuiet ends a watch of which nothing comes, not even a bookmark, which API servers send every minute.
var errQuiet = errors.New("nothing comes of the watch")

// A watch may be without any sign for so many times the timeout of a request, and for longer than it takes until a bookmark comes.
const (
	quietest   = 6
	leastQuiet = 2 * time.Minute
)

// Read implements io.Reader. Time is counted only while the server is waited for, not while the bytes that came are worked on.
func (a *answer) Read(p []byte) (int, error) {
	if a.watches {
		quiet := time.AfterFunc(a.limits.quiet, func() { a.cancel(errQuiet) })
		defer quiet.Stop()
	}
	idle := a.idle()
	if !idle {
		late := time.AfterFunc(a.patience, func() {
			if !a.idle() { // a list may have ended meanwhile
				a.cancel(a.late("comes too slowly, or not at all"))
			}
		})
		defer late.Stop()
	}
	began := time.Now()
	n, err := a.body.Read(p)
	if !idle {
		a.patience -= time.Since(began)
	}
	a.patience = min(a.patience+time.Duration(n)*time.Second/slowest, a.limits.Timeout)
	if excess := a.count(p[:n]); excess != nil {
		a.cancel(excess)
		return 0, a.ended(excess, excess)
	}
	switch cause := context.Cause(a.ctx); {
	case err == nil, errors.Is(err, io.EOF):
	case errors.Is(cause, errQuiet):
		err = io.EOF // so that the watch goes on from where it was
	default:
		err = a.ended(cause, err)
	}
	return n, err
}

// idle says whether nothing need come: it is a watch between two events, and it is past its first, or a log that is followed.
func (a *answer) idle() bool {
	if a.budget != nil && a.budget.patient {
		return true
	}
	listed := a.budget == nil || !a.budget.open()
	return a.watches && !a.within.Load() && listed
}

// count subtracts the bytes that came from those that may come.
func (a *answer) count(p []byte) error {
	if len(p) > 0 && a.budget != nil && !a.budget.spend(len(p)) {
		return &limitError{a.name, longerThan(a.budget.limit), a.budget.flag}
	}
	longest := int64(len(p))
	if a.events != nil {
		var within bool
		longest, within = a.events.feed(p)
		if a.within.Swap(within); !within {
			a.patience = a.limits.Timeout
		}
		if longest > a.remaining {
			return &limitError{a.name, "has an event that " + longerThan(a.limit), a.flag}
		}
		return nil
	}
	a.within.Store(len(p) > 0)
	if a.remaining < 0 {
		return nil
	}
	if a.remaining -= longest; a.remaining < 0 {
		a.remaining = 0
		return &limitError{a.name, longerThan(a.limit), a.flag}
	}
	return nil
}

// late is the error of an answer that takes too long.
func (a *answer) late(how string) error {
	return &limitError{a.name, fmt.Sprintf("%s within %s", how, a.limits.Timeout), "--cluster-timeout"}
}

// ended is the error of an answer: the limit that ended it, where one did.
func (a *answer) ended(cause, err error) error {
	var limit *limitError
	if errors.As(cause, &limit) {
		err = limit
		if a.watches && a.budget != nil && a.budget.cut != nil {
			a.budget.cut(limit)
		}
	}
	return err
}

// Close implements io.Closer.
func (a *answer) Close() error {
	if a.end != nil {
		a.end.Stop()
	}
	err := a.body.Close()
	a.cancel(nil)
	return err
}
