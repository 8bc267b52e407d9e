package fleet

import (
	"context"
	"sync"
	"time"

	"transom.dev/fleet/apply"
)

const (
	lookers     = 4  // how many instances of one cluster are looked at at a time, apart from those worked on
	mostWorkers = 64 // how many are worked on at a time at most

	longestAlone = 2 * time.Second // for how long the first visit on a connection keeps the others waiting, once lists have their turns
)

// workers is how many instances are worked on at a time: half as many as there may be requests, since one that waits for the
// answer to a request often has others to make. The first one on a new connection is alone for a while, since it waits for the lists of objects that
// the others would wait for as well.
func (a *agent) workers() int {
	if a.fleet.Concurrency > 0 {
		return min(a.fleet.Concurrency, mostWorkers)
	}
	c, ok := a.link.current()
	if !ok {
		return 1
	}
	defer c.release()
	if !c.beyondFirst() {
		return 1
	}
	return min(max(1, c.Width()/2), mostWorkers)
}

// awaitFirst waits until there is a connection and the first visit on it has ended or takes long: before, watches know of no object, and every
// look would be in vain. It returns false when ctx is done.
func (a *agent) awaitFirst(ctx context.Context) bool {
	c, ok := a.link.use(ctx)
	if !ok {
		return false
	}
	defer c.release()
	for !c.beyondFirst() && c.ctx.Err() == nil && ctx.Err() == nil {
		timer := time.NewTimer(longestAlone)
		select {
		case <-c.visited:
		case <-timer.C:
		case <-c.ctx.Done():
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err() == nil
}

// serve visits the instances that next gives, at most so many at a time, until ctx is done and the visits under way have
// ended. Each waits until it may begin.
func (a *agent) serve(ctx context.Context, may func(context.Context) bool, atATime func() int, next func() (apply.Owner, bool), do request) {
	var visiting sync.WaitGroup
	defer visiting.Wait()
	ended := make(chan struct{}, mostWorkers)
	for busy := 0; may(ctx); busy++ {
		for busy >= atATime() {
			select {
			case <-ended:
				busy--
			case <-time.After(longestAlone): // there may be room for more by now
			}
		}
		o, ok := next()
		if !ok {
			return
		}
		visiting.Go(func() {
			defer func() { ended <- struct{}{} }()
			defer a.queue.done(o)
			a.work(ctx, o, do)
		})
	}
}
