package trigger

import (
	"context"
	"slices"
	"sync"
	"time"
)

// causesKept bounds how many causes a waiting trigger remembers.
const causesKept = 10

// Latch has at most one pending trigger. It is safe for concurrent use.
type Latch struct {
	mu      sync.Mutex
	causes  []string
	pending chan struct{}
}

// New returns a Latch with nothing pending.
func New() *Latch { return &Latch{pending: make(chan struct{}, 1)} }

// Fire makes a trigger pending, or adds its cause to the one that is.
func (l *Latch) Fire(cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.causes) < causesKept && !slices.Contains(l.causes, cause) {
		l.causes = append(l.causes, cause)
	}
	select {
	case l.pending <- struct{}{}:
	default:
	}
}

// Wait blocks until a trigger is pending, takes it and returns its causes. It fails only when ctx is done.
func (l *Latch) Wait(ctx context.Context) ([]string, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.pending:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	causes := l.causes
	l.causes = nil
	select {
	case <-l.pending: // fired since: its cause was just taken
	default:
	}
	return causes, nil
}

// Every calls fire at an interval, which varies by a tenth, until ctx is done. It returns nil then.
func Every(ctx context.Context, interval time.Duration, fire func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(varied(interval)):
			fire()
		}
	}
}
