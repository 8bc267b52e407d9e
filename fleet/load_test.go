package fleet_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A mass change on an API server that takes 50 writes a second keeps nobody from being seen to be healthy, nor from being
// corrected.
func TestNobodyIsUnseenDuringAMassChange(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		const soon = 2 * time.Second
		crowd, calm, base := many(2000), []apply.Owner{}, map[string][]byte{}
		for _, name := range []string{"calm", "quiet", "still"} {
			calm = append(calm, dev(name))
		}
		next := map[string][]byte{}
		for _, o := range crowd {
			add(base, place(o, "1", "a"))
			add(next, place(o, "2", "a"))
		}
		for _, o := range calm {
			add(base, place(o, "1", "a"))
		}
		before := commit(base)
		h.deploy(index(before), pinned("a"))
		h.after(time.Minute)
		server := &slowServer{fakeCluster: h.clusters["a"], well: map[apply.Owner]time.Time{}}
		server.set(func(c *fakeCluster) { c.write, c.health = server.take, server.judge })
		h.reported()
		h.deploy(index(before.with(next)), pinned("a"))

		var slowest time.Duration
		for i := 0; server.wrote(crowd) < len(crowd); i++ {
			o := calm[i%len(calm)]
			server.set(func(c *fakeCluster) { c.held[o] = "" })
			began := time.Now()
			server.happen(o)
			for server.holds()["payments/"+o.Request] == "" {
				h.after(10 * time.Millisecond)
			}
			slowest = max(slowest, time.Since(began))
		}
		require.Greater(h, server.takes, 2000)
		require.LessOrEqual(h, slowest, soon, "drift")
		h.after(soon)
		seen := map[string]bool{}
		for _, r := range h.reported() {
			o := apply.Owner{Environment: r.Environment, Team: r.Team, Request: r.Request}
			if r.Health == state.Healthy && r.Revision == revision(o, "2") && !seen[r.Request] {
				seen[r.Request] = true
				require.LessOrEqual(h, r.At.Sub(server.well[o]), soon, "health of %s", o)
			}
		}
		require.Len(h, seen, len(crowd))
	})
}

func add(files, more map[string][]byte) {
	for name, content := range more {
		files[name] = content
	}
}

// slowServer takes a write at a time, and an object that is written is well half a second later.
type slowServer struct {
	*fakeCluster

	// Guarded by the cluster's lock.
	free  time.Time // when the next write is taken
	takes int
	well  map[apply.Owner]time.Time
}

func (s *slowServer) take(o apply.Owner) {
	var turn time.Duration
	s.set(func(*fakeCluster) {
		if s.free.Before(time.Now()) {
			s.free = time.Now()
		}
		s.free = s.free.Add(time.Second / 50)
		s.takes++
		turn = time.Until(s.free)
	})
	<-time.After(turn)
	const startup = 500 * time.Millisecond
	s.set(func(*fakeCluster) { s.well[o] = time.Now().Add(startup) })
	time.AfterFunc(startup, func() { s.happen(o) })
}

// judge is called with the cluster's lock.
func (s *slowServer) judge(o apply.Owner) state.Health {
	if time.Now().Before(s.well[o]) {
		return state.Progressing
	}
	return state.Healthy
}

// wrote counts who of them was written.
func (s *slowServer) wrote(all []apply.Owner) (n int) {
	s.set(func(*fakeCluster) {
		for _, o := range all {
			if !s.well[o].IsZero() {
				n++
			}
		}
	})
	return n
}

// No line waits for the end of another: while there is always something new in the state, an instance that is due
// and one that was found wrong have their turn.
func TestEveryReasonHasAShareOfTheWorkers(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		desired, crowd := commit(), many(100)
		files := map[string][]byte{}
		for _, o := range crowd {
			add(files, place(o, "1", "a"))
		}
		broken := dev("broken")
		desired = desired.with(files).with(place(broken, "1", "a"))
		h.fleet.Concurrency = 1
		h.clusters["a"].on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			<-time.After(time.Second)
			if in.Owner == broken {
				return apply.Result{}, errors.New("admission webhook is down")
			}
			return apply.Result{Health: state.Healthy, Settled: true}, nil
		}
		h.deploy(desired, pinned("a"))
		h.after(5 * time.Minute)
		h.clusters["a"].take()
		files = map[string][]byte{}
		for _, o := range crowd {
			add(files, place(o, "2", "a"))
		}
		h.deploy(desired.with(files), pinned("a"))
		h.clusters["a"].happen(dev("app-099"))
		h.after(90 * time.Second)
		tries, at := 0, -1
		for i, p := range h.clusters["a"].take() {
			switch {
			case p.owner == broken:
				tries++
			case p.owner == dev("app-099") && at < 0:
				at = i
			}
		}
		require.GreaterOrEqual(h, tries, 2, "what is due")
		require.Contains(h, []int{0, 1, 2}, at, "what is new where something happened goes first")
	})
}

// Whoever counts time is told at once of an event that nobody has looked at, and later from when on a visit has seen it.
func TestWhatHappensIsToldBeforeItIsLookedAt(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		var told []time.Time
		h.fleet.Outdated = func(environment, cluster string, k platform.RequestKey, at time.Time) {
			h.mu.Lock()
			defer h.mu.Unlock()
			require.Equal(h, []string{"dev", "a", "payments/web"}, []string{environment, cluster, k.String()})
			told = append(told, at)
		}
		web := dev("web")
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		require.Empty(h, told)
		h.reported()
		h.after(time.Minute)
		h.clusters["a"].happen(web)
		synctest.Wait()
		require.Equal(h, []time.Time{time.Now()}, told)
		require.Empty(h, h.reported())
		h.after(time.Second)
		results := h.reported()
		require.Len(h, results, 1)
		require.True(h, results[0].Began.After(told[0]))

		failing := errors.New("admission webhook is down")
		h.clusters["a"].set(func(c *fakeCluster) {
			c.on = func(context.Context, apply.Instance) (apply.Result, error) { return apply.Result{}, failing }
		})
		h.clusters["a"].happen(web)
		h.after(time.Second)
		require.Greater(h, len(told), 2, "a retry is told as well")
	})
}
