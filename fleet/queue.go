package fleet

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"

	"transom.dev/fleet/apply"
)

// A queue has the instances of one cluster that want a visit. An instance is in it once, whatever the number of
// reasons, is never worked on twice at a time, and comes again when it was added during its visit.
//
// Two kinds of goroutines take from it. Looks go to one kind, everything else to the other: a look makes no request, so it
// never waits for visits that the API server delays. Those of a sweep, which may be thousands, stand in a line of their own.
// Everything else stands in lines by reason, and each line has a share of the goroutines, so that none waits for the end of another.
type queue struct {
	limiter workqueue.TypedRateLimiter[apply.Owner]
	retried func(apply.Owner) // called when the time of a retry has come, before the instance is queued

	mu      sync.Mutex
	turned  *sync.Cond // something was added, or the queue closed
	closed  bool
	waiting map[apply.Owner]reason // exactly those that are queued
	working map[apply.Owner]reason // under way, with the reasons that were added meanwhile
	lines   [lines][]apply.Owner   // first in, first out; an entry whose instance waits in another line is void
	turns   int                    // how often something was taken that is no look
	looked  int                    // and how often a look was
	delayed map[apply.Owner]delays
}

// delays are those of one instance, by reason.
type delays map[reason]*delay

// delay adds an instance at a time.
type delay struct {
	at    time.Time
	timer *time.Timer
}

// reason is a set of reasons for a visit.
type reason int

const (
	changed  reason = 1 << iota // the state wants something else than before
	happened                    // a watch saw something, or no more than the record changed: a look may do
	found                       // a look found that something is to be done
	due                         // a retry, or the first instance of a sweep
	swept                       // a sweep: a look may do, too

	overtaken = changed | found // a visit met a later state: the instance had its turn already, and waits behind nobody
)

// line is where an instance waits.
type line int

const (
	looks   line = iota
	sweeps       // swept
	touched      // changed, and something happened there: ahead of those that only changed
	fresh        // changed
	repairs      // found
	others       // due
	lines

	worked = lines - touched // how many of them are worked on
)

func (r reason) line() line {
	switch {
	case r&changed != 0 && r&(happened|found) != 0:
		return touched
	case r&changed != 0:
		return fresh
	case r&found != 0:
		return repairs
	case r&happened != 0:
		return looks
	case r&due != 0:
		return others
	}
	return sweeps
}

// An instance that failed, or is not settled, is looked at again after a delay that grows from the first to the last.
const (
	retryFirst = 250 * time.Millisecond
	retryLast  = 30 * time.Second
)

func newQueue(retried func(apply.Owner)) *queue {
	q := &queue{
		limiter: workqueue.NewTypedItemExponentialFailureRateLimiter[apply.Owner](retryFirst, retryLast), retried: retried,
		waiting: map[apply.Owner]reason{}, working: map[apply.Owner]reason{}, delayed: map[apply.Owner]delays{},
	}
	q.turned = sync.NewCond(&q.mu)
	return q
}

// add queues an instance for a reason.
func (q *queue) add(o apply.Owner, why reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.put(o, why)
}

// put is add for a caller that holds the lock.
func (q *queue) put(o apply.Owner, why reason) {
	if q.closed {
		return
	}
	if meanwhile, busy := q.working[o]; busy {
		q.working[o] = meanwhile | why
		return
	}
	before, queued := q.waiting[o]
	after := before | why
	q.waiting[o] = after
	if to := after.line(); !queued || before.line() != to {
		q.lines[to] = append(q.lines[to], o)
		q.turned.Broadcast()
	}
}

// addAfter is add after a delay. Of several for one reason the one that is over first counts.
func (q *queue) addAfter(o apply.Owner, why reason, in time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	at, known := time.Now().Add(in), q.delayed[o][why]
	switch {
	case known == nil:
		if q.delayed[o] == nil {
			q.delayed[o] = delays{}
		}
		q.delayed[o][why] = &delay{at, time.AfterFunc(in, func() { q.arrive(o, why) })}
	case at.Before(known.at):
		known.at = at
		known.timer.Reset(in)
	}
}

// arrive adds an instance whose delay is over.
func (q *queue) arrive(o apply.Owner, why reason) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if why == due && !q.closed {
		q.mu.Unlock()
		q.retried(o)
		q.mu.Lock()
	}
	if delete(q.delayed[o], why); len(q.delayed[o]) == 0 {
		delete(q.delayed, o)
	}
	q.put(o, why)
}

// retry queues an instance again after a delay that grows with its failures. It is spread, so that instances that
// failed together do not come back together.
func (q *queue) retry(o apply.Owner) { q.addAfter(o, due, wait.Jitter(q.limiter.When(o), 0.3)) }

// forget forgets the failures of an instance.
func (q *queue) forget(o apply.Owner) { q.limiter.Forget(o) }

// look takes the next instance that is only to be looked at; false once the queue is closed. Call done afterwards.
func (q *queue) look() (apply.Owner, bool) { return q.take(q.lookTurn, touched) }

// lookTurn is the order in which the lines of looks are served next: for instances where something happened time may not count until they were
// looked at, so that these go ahead of a sweep seven times of eight.
func (q *queue) lookTurn() [lines]line {
	if q.looked%8 == 7 {
		return [lines]line{sweeps, looks}
	}
	return [lines]line{looks, sweeps}
}

// work takes the next instance that is to be worked on; false once the queue is closed. Call done afterwards.
func (q *queue) work() (apply.Owner, bool) { return q.take(q.turn, worked) }

// turn is the order in which the lines are served next. Instances that are new in the state go first five times of eight,
// those that were found wrong on the cluster twice, and those that are due once.
func (q *queue) turn() [lines]line {
	switch q.turns % 8 {
	case 2, 6:
		return [lines]line{repairs, touched, fresh, others}
	case 4:
		return [lines]line{others, touched, fresh, repairs}
	}
	return [lines]line{touched, fresh, repairs, others}
}

// take takes the next instance out of the first n of the lines that order gives.
func (q *queue) take(order func() [lines]line, n line) (apply.Owner, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		all := order()
		for _, from := range all[:n] {
			if o, ok := q.pop(from); ok {
				if from < touched {
					q.looked++
				} else {
					q.turns++
				}
				return o, true
			}
		}
		q.turned.Wait()
	}
	return apply.Owner{}, false
}

// pop takes the next instance out of a line, if there is one; the caller holds the lock.
func (q *queue) pop(from line) (apply.Owner, bool) {
	for len(q.lines[from]) > 0 {
		o := q.lines[from][0]
		q.lines[from] = q.lines[from][1:]
		if why, queued := q.waiting[o]; queued && why.line() == from {
			delete(q.waiting, o)
			q.working[o] = 0
			return o, true
		}
	}
	q.lines[from] = nil
	return apply.Owner{}, false
}

// done ends the work on an instance, and queues it again if it was added meanwhile.
func (q *queue) done(o apply.Owner) {
	q.mu.Lock()
	defer q.mu.Unlock()
	meanwhile := q.working[o]
	delete(q.working, o)
	if meanwhile != 0 {
		q.put(o, meanwhile)
	}
}

// close ends the queue: nothing is added or taken any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, those := range q.delayed {
		for _, d := range those {
			d.timer.Stop()
		}
	}
	clear(q.delayed)
	q.turned.Broadcast()
}
