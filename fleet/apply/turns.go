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
	longestTurn       = 2 * time.Second // a cluster that does not answer keeps others waiting no longer
)

// turn waits for a turn, and returns the function that ends it.
func (s *Shared) turn(ctx context.Context) (end func()) {
	if s == nil {
		return func() {}
	}
	t := &s.turns
	t.once.Do(func() { t.free = make(chan struct{}, turnsPerProcessor*runtime.GOMAXPROCS(0)) })
	select {
	case t.free <- struct{}{}:
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
