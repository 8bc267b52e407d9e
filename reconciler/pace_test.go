package reconciler

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

// paced is an inbox whose loop commits health whenever there is news, and the times of the passes since the first.
type paced struct {
	inbox
	began  time.Time
	passes chan time.Duration
}

func newPaced(t *testing.T) *paced {
	p := &paced{inbox: inbox{latch: trigger.New()}, began: time.Now(), passes: make(chan time.Duration, 1000)}
	go func() {
		for {
			causes, err := p.wait(t.Context())
			if err != nil {
				close(p.passes)
				return
			}
			if slices.ContainsFunc(causes, func(cause string) bool { return cause != "commit" }) {
				p.passes <- time.Since(p.began).Round(time.Millisecond)
				p.setCommitted(health)
			}
		}
	}()
	return p
}

func (p *paced) so(far int) (times []time.Duration) {
	for range far {
		times = append(times, <-p.passes)
	}
	return times
}

// TestHealthIsCommittedEverMoreSeldomWhileItKeepsComing whatever else causes passes, and at once after there was none.
func TestHealthIsCommittedEverMoreSeldomWhileItKeepsComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		for range 3000 {
			p.wake("health", health)
			p.wake("health", health)
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, []time.Duration{50 * time.Millisecond, 1050 * time.Millisecond, 3050 * time.Millisecond, 7050 * time.Millisecond, 15050 * time.Millisecond, 23050 * time.Millisecond}, p.so(6))
		time.Sleep(time.Minute)
		require.Equal(t, 31050*time.Millisecond, p.so(1)[0], "the last of it")
		p.wake("health", health)
		require.Equal(t, 90050*time.Millisecond, p.so(1)[0], "it was quiet")
	})
}

// TestPassesForHealthTakeATwentiethOfTheTime where they find nothing to commit. Whatever else is wanted waits for none of that, nor does the first news
// after a while without any.
func TestPassesForHealthTakeATwentiethOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := inbox{latch: trigger.New()}
		began := time.Now()
		pass := func(why urgency, took time.Duration) time.Duration {
			i.wake("news", why)
			_, err := i.wait(t.Context())
			require.NoError(t, err)
			at := time.Since(began)
			time.Sleep(took)
			i.passed()
			return at
		}
		const slow, minute = 20 * time.Millisecond, time.Minute
		require.Equal(t, burst, pass(health, slow))
		require.Equal(t, burst+20*slow, pass(health, 2*time.Millisecond))
		require.Equal(t, 2*burst+20*slow+2*time.Millisecond, pass(health, minute), "a quick one is as soon as ever")
		ended := time.Since(began)
		require.Equal(t, ended+shortest, pass(health, minute), "a very slow one waits no longer than for a commit")
		for why, wait := range map[urgency]time.Duration{immediate: 0, urgent: burst, progress: burst} {
			ended = time.Since(began)
			require.Equal(t, ended+wait, pass(why, minute))
		}
		time.Sleep(minute)
		ended = time.Since(began)
		require.Equal(t, ended+burst, pass(health, slow))
	})
}

func TestNoCauseOfAPassIsFasterThanThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		for range 300 {
			p.wake("health", health)
			p.wake("state of staging", progress)
			p.offer(nil, "tick")
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, []time.Duration{50 * time.Millisecond, 1050 * time.Millisecond, 2050 * time.Millisecond}, p.so(3))
	})
}

func TestMergesAndFailuresWaitForNoPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		p.wake("health", health)
		p.so(1)
		p.wake("health", health)
		p.wake("failure", urgent)
		require.Equal(t, 100*time.Millisecond, p.so(1)[0])
		p.offer(&platform.Platform{}, "merge")
		require.Equal(t, 100*time.Millisecond, p.so(1)[0])
	})
}

func TestACauseThatComesAgainWhileAPassWaitsIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := inbox{latch: trigger.New()}
		go func() {
			for range 20 {
				i.wake("health", health)
				time.Sleep(time.Millisecond)
			}
		}()
		causes, err := i.wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"health"}, causes)
	})
}
