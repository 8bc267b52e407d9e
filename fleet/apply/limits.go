package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Limits bound how much an API server may answer, and how long it may take. They are checked before anything of an answer is
// parsed, so that one that is broken, or no API server at all, costs its own cluster an error and nothing more. A watch is
// read no faster than its events are reduced and never ended for how many come. A field that is 0 has its default.
type Limits struct {
	IdentityBytes  int64         // of the answer to who the cluster is: 1Mi
	DiscoveryBytes int64         // of all answers to which kinds it serves: 32Mi
	ListBytes      int64         // of all objects of one kind: 256Mi
	EventBytes     int64         // of one event of a watch: 8Mi
	AnswerBytes    int64         // of any other answer, and of one page of a list: 32Mi
	PageObjects    int64         // how many objects a list is asked for at a time: 500
	Timeout        time.Duration // of a request, and how long a server may be silent within an answer: 30s

	quiet time.Duration // how long a watch may be; 0: it follows from Timeout
}

// DefaultLimits are those of a Cluster that is told nothing else.
var DefaultLimits = Limits{
	IdentityBytes: 1 << 20, DiscoveryBytes: 32 << 20, ListBytes: 256 << 20, EventBytes: 8 << 20, AnswerBytes: 32 << 20,
	PageObjects: 500, Timeout: 30 * time.Second,
}

func (l Limits) orDefault() Limits {
	timeout := cmp.Or(l.Timeout, DefaultLimits.Timeout)
	return Limits{
		IdentityBytes:  cmp.Or(l.IdentityBytes, DefaultLimits.IdentityBytes),
		DiscoveryBytes: cmp.Or(l.DiscoveryBytes, DefaultLimits.DiscoveryBytes),
		ListBytes:      cmp.Or(l.ListBytes, DefaultLimits.ListBytes),
		EventBytes:     cmp.Or(l.EventBytes, DefaultLimits.EventBytes),
		AnswerBytes:    cmp.Or(l.AnswerBytes, DefaultLimits.AnswerBytes),
		PageObjects:    cmp.Or(l.PageObjects, DefaultLimits.PageObjects),
		Timeout:        timeout,
		quiet:          cmp.Or(l.quiet, max(quietest*timeout, leastQuiet)),
	}
}

// A limitError says that an answer is over a limit, and which flag of the daemon sets it.
type limitError struct {
	answer string // such as "GET /api/v1/pods"
	excess string // such as "is longer than 1Mi"
	flag   string
}

func (e *limitError) Error() string {
	return fmt.Sprintf("the answer to %s %s: is this the cluster's API server, and is it well? If it is, raise %s", e.answer, e.excess, e.flag)
}

// longerThan is the excess of an answer with too many bytes.
func longerThan(limit int64) string {
	return "is longer than " + resource.NewQuantity(limit, resource.BinarySI).String()
}

// A budget is how many bytes the answers to several requests may have together.
type budget struct {
	flag  string
	limit int64
	pages bool // each answer is also bounded by itself

	patient bool        // the answer may pause: it is a log that is followed
	cut     func(error) // told of the limit that ended a watch, which client-go does not hand on; nil: nobody

	mu        sync.Mutex
	remaining int64
	finished  bool
}

func newBudget(limit int64, flag string) *budget {
	return &budget{flag: flag, limit: limit, remaining: limit}
}

type budgetKey struct{}

// spending has the answers to all requests that are made with the context draw on a budget.
func spending(ctx context.Context, b *budget) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

func budgetOf(ctx context.Context) *budget {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	return b
}

// spend takes n bytes, and says whether the budget had them.
func (b *budget) spend(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finished {
		return true
	}
	b.remaining -= int64(n)
	return b.remaining >= 0
}

// restore gives back the bytes of an answer that is asked for again in smaller parts.
func (b *budget) restore(remaining int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remaining = remaining
}

// rest is how many bytes may still come.
func (b *budget) rest() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remaining
}

// finish ends the budget: the list has arrived, and all that comes from now on is events, each reduced before the next is read.
func (b *budget) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finished = true
}

// open says whether the budget is still drawn on.
func (b *budget) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.finished
}

// plain is a limitError without the words of client-go around it; any other error is as it is.
func plain(err error) error {
	var limit *limitError
	if errors.As(err, &limit) {
		return limit
	}
	return err
}
