package fleet

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"

	"transom.dev/fleet/apply"
)

// A queue holds the instances of one cluster that are to be looked at. An instance is in it once, whatever the number
// of reasons, is never worked on twice at a time, and comes again when it was added during its pass. Those added as
// urgent go first.
type queue struct {
	workqueue.TypedRateLimitingInterface[apply.Owner]
	lanes *lanes
}

// An instance that failed, or is not settled, is looked at again after a delay that grows from the first to the last.
const (
	retryFirst = 250 * time.Millisecond
	retryLast  = 30 * time.Second
)

func newQueue() queue {
	l := &lanes{urgent: map[apply.Owner]bool{}, waiting: map[apply.Owner]lane{}}
	base := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[apply.Owner]{Queue: l})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[apply.Owner]{Queue: base})
	limiter := jittered{workqueue.NewTypedItemExponentialFailureRateLimiter[apply.Owner](retryFirst, retryLast)}
	return queue{lanes: l, TypedRateLimitingInterface: workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
		workqueue.TypedRateLimitingQueueConfig[apply.Owner]{DelayingQueue: delaying})}
}

// AddUrgent queues an instance ahead of all that are not urgent, and forgets its failures: what it failed with is not
// what it shall be now.
func (q queue) AddUrgent(o apply.Owner) {
	q.Forget(o)
	q.lanes.hurry(o)
	q.Add(o)
}

// jittered spreads retries, so that instances that failed together do not come back together.
type jittered struct {
	workqueue.TypedRateLimiter[apply.Owner]
}

func (j jittered) When(o apply.Owner) time.Duration {
	return wait.Jitter(j.TypedRateLimiter.When(o), 0.3)
}

type lane int

const (
	slow lane = 1 + iota
	fast
)

// lanes orders a queue: two lines first in, first out. It implements workqueue.Queue, whose lock covers all but
// hurry.
type lanes struct {
	mu         sync.Mutex
	urgent     map[apply.Owner]bool // to go into the fast lane, at once or when its pass is over
	waiting    map[apply.Owner]lane // exactly what is queued; an entry of the slow lane that is not in here moved on
	fast, slow []apply.Owner
}

func (l *lanes) hurry(o apply.Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.urgent[o] = true
}

// Push queues an instance that is not queued.
func (l *lanes) Push(o apply.Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urgent[o] {
		l.fast, l.waiting[o] = append(l.fast, o), fast
	} else {
		l.slow, l.waiting[o] = append(l.slow, o), slow
	}
}

// Touch moves an instance that is queued and became urgent.
func (l *lanes) Touch(o apply.Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urgent[o] && l.waiting[o] == slow {
		l.fast, l.waiting[o] = append(l.fast, o), fast
	}
}

// Len counts what is queued.
func (l *lanes) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// Pop takes the next instance out; there is one.
func (l *lanes) Pop() apply.Owner {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		var o apply.Owner
		from := slow
		if len(l.fast) > 0 {
			from, o, l.fast = fast, l.fast[0], l.fast[1:]
		} else {
			o, l.slow = l.slow[0], l.slow[1:]
		}
		if l.waiting[o] == from {
			delete(l.waiting, o)
			delete(l.urgent, o)
			return o
		}
	}
}
