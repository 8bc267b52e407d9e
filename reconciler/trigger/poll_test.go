package trigger_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
)

// A polled repository is asked by a Poll, in the bubble of a synctest.
type polled struct {
	asked *trigger.Latch
	began time.Time

	mu    sync.Mutex
	moved bool
	err   error
	at    []time.Duration // when it was asked
	fired int
}

// answer has the repository answer like this from now on.
func (p *polled) answer(moved bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved, p.err = moved, err
}

// times are when it was asked, and how often it fired.
func (p *polled) times() (at []time.Duration, fired int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.at), p.fired
}

func (p *polled) fires() int {
	_, fired := p.times()
	return fired
}

func poll(t *testing.T, interval time.Duration) *polled {
	p := &polled{asked: trigger.New(), began: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- trigger.Poll{
			Asked: p.asked, Interval: interval,
			Fire: func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.fired++
			},
			Moved: func(context.Context) (bool, error) {
				p.mu.Lock()
				defer p.mu.Unlock()
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
	before, _ := p.times()
	<-time.After(d)
	synctest.Wait()
	after, _ := p.times()
	return len(after) - len(before)
}

func TestAPollFiresWhenTheRepositoryMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, 10*time.Second)
		require.InDelta(t, 60, p.during(10*time.Minute), 5)
		require.Zero(t, p.fires())
		p.answer(true, nil)
		asked := p.during(12 * time.Second)
		require.Positive(t, asked)
		at, fired := p.times()
		require.Equal(t, asked, fired)
		gaps := map[time.Duration]bool{}
		for i := range at[1:] {
			gaps[at[i+1]-at[i]] = true
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
		at, _ := p.times()
		require.LessOrEqual(t, len(at), 3, "two a second")
	})
}

func TestAServerThatFailsIsAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poll(t, 10*time.Second)
		p.answer(false, errors.New("no answer"))
		require.Less(t, p.during(10*time.Minute), 15)
		require.Equal(t, 1, p.fires(), "its failure is news once")
		p.asked.Fire("hook")
		require.Equal(t, 1, p.during(time.Second), "whoever knows better is believed")
		p.answer(false, nil)
		require.Positive(t, p.during(2*time.Minute))
		require.Equal(t, 2, p.fires(), "its recovery is news, too")
		require.InDelta(t, 60, p.during(10*time.Minute), 5)
	})
}
