package trigger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
)

// A polled repository is asked by a Poll, in the bubble of a synctest.
type polled struct {
	asked *trigger.Latch
	moved bool
	err   error
	began time.Time
	at    []time.Duration // when it was asked
	fired int
}

func poll(t *testing.T, interval time.Duration) *polled {
	p := &polled{asked: trigger.New(), began: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- trigger.Poll{
			Asked: p.asked, Interval: interval, Fire: func() { p.fired++ },
			Moved: func(context.Context) (bool, error) {
				p.at = append(p.at, time.Since(p.began))
				return p.moved, p.err
			},
		}.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	return p
}

// during lets time pass, and returns how often the repository was asked in it.
func (p *polled) during(d time.Duration) int {
	before := len(p.at)
	<-time.After(d)
	synctest.Wait()
	return len(p.at) - before
}

func TestAPollFiresWhenTheRepositoryMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, 10*time.Second)
		require.InDelta(t, 60, p.during(10*time.Minute), 5)
		require.Zero(t, p.fired)
		p.moved = true
		asked := p.during(12 * time.Second)
		require.Positive(t, asked)
		require.Equal(t, asked, p.fired)
		gaps := map[time.Duration]bool{}
		for i := range p.at[1:] {
			gaps[p.at[i+1]-p.at[i]] = true
		}
		require.Greater(t, len(gaps), 10, "daemons that started together do not ask together")
	})
}

func TestAPollWithoutIntervalWaitsToBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, 0)
		require.Zero(t, p.during(time.Hour))
		p.asked.Fire("hook")
		require.Equal(t, 1, p.during(time.Millisecond), "at once")
		require.Zero(t, p.during(time.Hour))
	})
}

func TestABurstIsOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, time.Hour)
		for range 1000 {
			p.asked.Fire("hook")
			require.LessOrEqual(t, p.during(time.Millisecond), 1)
		}
		require.LessOrEqual(t, len(p.at), 3, "two a second")
	})
}

func TestAServerThatFailsIsAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, 10*time.Second)
		p.err = errors.New("no answer")
		require.Less(t, p.during(10*time.Minute), 15)
		require.Equal(t, 1, p.fired, "its failure is news once")
		p.asked.Fire("hook")
		require.Equal(t, 1, p.during(time.Second), "whoever knows better is believed")
		p.err = nil
		require.Positive(t, p.during(2*time.Minute))
		require.Equal(t, 2, p.fired, "its recovery is news, too")
		require.InDelta(t, 60, p.during(10*time.Minute), 5)
	})
}
