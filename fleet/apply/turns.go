package apply

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// turns bounds how many of all clusters are connected to at a time, and how many of their streams list objects. A daemon that starts, or whose
// network comes back, would ask a thousand clusters at once: nobody's answer would be read in time, and all of them would be in memory.
type turns struct {
	once sync.Once
	free chan struct{}
}

const (
	turnsPerProcessor = 16
	longestTurn       = 2 * time.Second        // whoever is not answered by then goes on without the turn, which another one gets
	longestRetry      = 500 * time.Millisecond // the same after a failure: nearly all of these wait for clusters that hang, and cost nothing
	longestWait       = 5 * time.Second        // of a stream that was up to date before: its objects are taken for those that are there
)

// TakeTurn waits until a cluster may be connected to, and returns the function that ends its turn. Clusters whose last attempt failed have turns
// of their own, so that those that do not answer take none from others.
func (s *Shared) TakeTurn(ctx context.Context, failed bool) (end func()) {
	if failed {
		return s.reconnects.take(ctx, longestRetry, nil)
	}
	return s.connects.take(ctx, longestTurn, nil)
}

// turn is TakeTurn for a stream that is about to list its objects.
func (s *Shared) turn(ctx context.Context, failed, synced bool) (end func()) {
	if s == nil {
		return func() {}
	}
	t, longest := &s.lists, longestTurn
	if failed {
		t, longest = &s.relists, longestRetry
	}
	var enough <-chan time.Time
	if synced {
		timer := time.NewTimer(longestWait)
		defer timer.Stop()
		enough = timer.C
	}
	return t.take(ctx, longest, enough)
}

// take waits for a turn, until it is enough or ctx is done. It lasts so long at most.
func (t *turns) take(ctx context.Context, longest time.Duration, enough <-chan time.Time) (end func()) {
	t.once.Do(func() { t.free = make(chan struct{}, turnsPerProcessor*runtime.GOMAXPROCS(0)) })
	select {
	case t.free <- struct{}{}:
	case <-enough:
		return func() {}
	case <-ctx.Done():
		return func() {}
	}
	release := sync.OnceFunc(func() { <-t.free })
	timer := time.AfterFunc(longest, release)
	return func() {
		timer.Stop()
		release()
	}
}
