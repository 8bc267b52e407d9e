package apply

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// turns bounds how many streams of all clusters list their objects at a time. A daemon that starts, or whose network comes back, would list
// those of a thousand clusters at once: nobody's answer would be read in time, and all of them would be in memory.
type turns struct {
	once sync.Once
	free chan struct{}
}

const (
	turnsPerProcessor = 16
	longestTurn       = 2 * time.Second // a list that is not answered by then goes on without its turn, which another one gets
	longestWait       = 5 * time.Second // of a stream that was up to date before: its objects are taken for those that are there
)

// turn waits for a turn, and returns the function that ends it. Streams whose last attempt failed have turns of their own, so that clusters
// that do not answer take none from others.
func (s *Shared) turn(ctx context.Context, failed, synced bool) (end func()) {
	if s == nil {
		return func() {}
	}
	t := &s.turns
	if failed {
		t = &s.retries
	}
	t.once.Do(func() { t.free = make(chan struct{}, turnsPerProcessor*runtime.GOMAXPROCS(0)) })
	var enough <-chan time.Time
	if synced {
		timer := time.NewTimer(longestWait)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case t.free <- struct{}{}:
	case <-enough:
		return func() {}
	case <-ctx.Done():
		return func() {}
	}
	release := sync.OnceFunc(func() { <-t.free })
	timer := time.AfterFunc(longestTurn, release)
	return func() {
		timer.Stop()
		release()
	}
}
