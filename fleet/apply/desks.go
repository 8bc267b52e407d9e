package apply

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// desks bound how many visits compute at a time, over all clusters. Nearly all visits make no request and need a processor alone: with
// eight of them on each of a thousand clusters, thousands would wait for one, and so would the goroutines that read the answers of API servers, until
// clusters seemed not to answer. A visit has its desk until it waits for its cluster.
type desks struct {
	once sync.Once
	free chan struct{}
}

const (
	desksPerProcessor = 2
	longestAtDesk     = 250 * time.Millisecond // a visit that waits for something else than its cluster gives its desk away, too
)

type deskKey struct{}

// sit waits for a desk. The function that it returns gives the desk back, if the visit still has it.
func (s *Shared) sit(ctx context.Context) (visit context.Context, stand func()) {
	if s == nil {
		return ctx, func() {}
	}
	d := &s.desks
	d.once.Do(func() { d.free = make(chan struct{}, desksPerProcessor*runtime.GOMAXPROCS(0)) })
	select {
	case d.free <- struct{}{}:
	case <-ctx.Done():
		return ctx, func() {}
	}
	release := sync.OnceFunc(func() { <-d.free })
	timer := time.AfterFunc(longestAtDesk, release)
	stand = func() {
		timer.Stop()
		release()
	}
	return context.WithValue(ctx, deskKey{}, stand), stand
}

// leaveDesk gives the desk of a visit to another one, because the visit is about to wait.
func leaveDesk(ctx context.Context) {
	if stand, has := ctx.Value(deskKey{}).(func()); has {
		stand()
	}
}
