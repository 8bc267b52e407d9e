package trigger

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// leastRest lies between two questions to a server, however often somebody asks to look.
	leastRest = 500 * time.Millisecond
	// slowestPoll is how often a server that fails is asked, where it is asked more often otherwise.
	slowestPoll = time.Minute
)

// A Poll asks whether a repository elsewhere has moved: at an interval, and at once when Asked fires. Any number of
// firings meanwhile are one question.
type Poll struct {
	Asked    *Latch
	Interval time.Duration                       // 0: only when Asked fires
	Moved    func(context.Context) (bool, error) // asks the server
	Fire     func()                              // is told that the repository moved, or that its server began or ceased to fail
}

// Run polls until ctx is done. It returns nil then. A server that fails is asked less and less often.
func (p Poll) Run(ctx context.Context) error {
	failing, wait := false, p.Interval
	for p.rest(ctx, wait) {
		moved, err := p.Moved(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the context is done: that is how it ends
		}
		fails := err != nil
		if moved || fails != failing {
			p.Fire()
		}
		failing = fails
		if failing {
			wait = min(2*wait, max(p.Interval, slowestPoll))
		} else {
			wait = p.Interval
		}
		select {
		case <-ctx.Done():
		case <-time.After(leastRest):
		}
	}
	return nil
}

// rest waits for the next question, and says whether there is one: not after ctx is done.
func (p Poll) rest(ctx context.Context, wait time.Duration) bool {
	woken := ctx
	if wait > 0 {
		var cancel context.CancelFunc
		woken, cancel = context.WithTimeout(ctx, varied(wait))
		defer cancel()
	}
	_, _ = p.Asked.Wait(woken) // whichever comes first
	return ctx.Err() == nil
}

// varied is an interval that varies by a tenth, so that daemons that were started together do not ask their Git server together
// for ever.
func varied(interval time.Duration) time.Duration {
	return interval + time.Duration((rand.Float64()-0.5)*0.2*float64(interval))
}
