package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
)

func TestDeadClusterDelaysOnlyItself(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		a, b := h.clusters["a"], h.clusters["b"]
		a.lose()
		h.deploy(commit(place(dev("web"), "1", "a", "b")), pinned("a", "b"))
		require.Contains(h, b.holds(), "payments/web")
		require.Empty(h, a.holds())
		require.Equal(h, fleet.ClusterResult{Cluster: "a", Err: "connection refused", Since: h.statusOf("a").Since}, h.statusOf("a"))
		require.True(h, h.statusOf("b").Reachable)

		h.after(10 * time.Minute)
		require.Greater(h, a.dials, 15, "it is asked again and again")
		require.Less(h, a.dials, 50, "with a growing delay")
		h.deploy(commit(place(dev("web"), "2", "a", "b")), pinned("a", "b"))
		require.Equal(h, revision(dev("web"), "2"), b.holds()["payments/web"])
		for _, r := range h.reported() {
			require.Equal(h, "b", r.Cluster, "nothing is said about instances of a cluster that is away")
		}

		a.set(func(c *fakeCluster) { c.away = nil })
		h.after(time.Minute)
		require.Equal(h, revision(dev("web"), "2"), a.holds()["payments/web"])
		require.Equal(h, "uid-a", h.statusOf("a").UID)
		require.True(h, h.statusOf("a").Reachable)
		require.Empty(h, h.statusOf("a").Err)
		for _, p := range a.take() {
			require.Equal(h, revision(dev("web"), "2"), p.revision, "what was replaced meanwhile is never applied")
		}
	})
}

func TestSlowClusterDelaysOnlyItself(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		h.clusters["a"].on = func(ctx context.Context, _ apply.Instance) (apply.Result, error) {
			<-ctx.Done()
			return apply.Result{}, ctx.Err()
		}
		state := commit()
		for _, o := range many(50) {
			state = state.with(place(o, "1", "a", "b"))
		}
		h.deploy(state, pinned("a", "b"))
		require.Len(h, h.clusters["b"].holds(), 50)
		require.Len(h, h.clusters["a"].take(), 1, "the first visit is alone at first")
		h.after(2 * time.Second)
		require.Len(h, h.clusters["a"].take(), 7, "not more than its workers")
		h.reported()
		h.after(3 * time.Minute)
		failed := h.reported()
		require.Len(h, failed, 8, "a pass has a limit")
		require.ErrorIs(h, failed[0].Err, context.DeadlineExceeded)
	})
}

func TestClusterThatGoesAwayIsNoticedAndComesBack(t *testing.T) {
	web := dev("web")
	for name, lose := range map[string]func(h *harness){
		"by its watches": func(h *harness) {
			h.clusters["a"].lose()
			synctest.Wait()
		},
		"by asking now and then": func(h *harness) {
			h.clusters["a"].set(func(c *fakeCluster) { c.away = errAway })
			h.after(30 * time.Second)
		},
		"by a pass": func(h *harness) {
			h.clusters["a"].set(func(c *fakeCluster) { c.away = errAway })
			h.deploy(commit(place(web, "2", "a")), pinned("a"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				h.deploy(commit(place(web, "1", "a")), pinned("a"))
				h.after(time.Hour)
				h.reported()
				up := h.statusOf("a").Since

				lose(h)
				require.False(h, h.statusOf("a").Reachable)
				require.Equal(h, "connection refused", h.statusOf("a").Err)
				require.True(h, h.statusOf("a").Since.After(up))
				require.Empty(h, h.reported(), "no failure is reported")

				h.clusters["a"].set(func(c *fakeCluster) { c.away = nil })
				h.deploy(commit(place(web, "3", "a")), pinned("a"))
				h.after(time.Minute)
				require.True(h, h.statusOf("a").Reachable)
				require.Equal(h, revision(web, "3"), h.clusters["a"].holds()["payments/web"])
				require.Len(h, h.clusters["a"].sessions, 1, "connections that were given up are closed")
			})
		})
	}
}

func TestClusterThatNeverAnswersIsGivenUpOnAndAskedAgain(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		var silent atomic.Bool
		silent.Store(true)
		a := h.clusters["a"]
		fleet.DialWith(h.fleet, func(ctx context.Context, _ string, event func(apply.Owner), doubt func()) (fleet.Member, error) {
			if silent.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return a.connect(event, doubt)
		})
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.after(time.Minute)
		require.Equal(h, "no answer within 30s", h.statusOf("a").Err)
		silent.Store(false)
		h.after(time.Minute)
		require.Contains(h, a.holds(), "payments/web")
	})
}

// Visits that fail together ask the cluster together whether it is still there, and not one after the other.
func TestVisitsThatFailTogetherAskOnceWhoTheClusterIs(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		state := commit()
		for _, o := range many(8) {
			state = state.with(place(o, "1", "a"))
		}
		h.deploy(state, pinned("a"))
		h.after(time.Minute)
		fails := make(chan struct{})
		a.set(func(c *fakeCluster) {
			c.on = func(context.Context, apply.Instance) (apply.Result, error) {
				<-fails
				return apply.Result{}, errors.New("etcdserver: request timed out")
			}
		})
		changed := commit()
		for _, o := range many(8) {
			changed = changed.with(place(o, "2", "a"))
		}
		h.deploy(changed, pinned("a"))
		answer := a.hang()
		asked := a.asked
		close(fails)
		synctest.Wait()
		time.Sleep(time.Second)
		answer()
		synctest.Wait()
		require.Equal(h, asked+1, a.asked)
		require.True(h, h.statusOf("a").Reachable)
	})
}

// An API server hangs: it takes connections and answers nothing, for one time or another.
func TestHungClusterIsToldAndComesBack(t *testing.T) {
	for _, hangs := range []time.Duration{31 * time.Second, 45 * time.Second, time.Minute, 95 * time.Second, 10 * time.Minute} {
		t.Run(hangs.String(), func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				a := h.clusters["a"]
				h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
				h.after(time.Hour)
				began := time.Now()
				answer := a.hang()
				h.after(30 * time.Second)
				require.False(h, h.statusOf("a").Reachable)
				require.Equal(h, "no answer within 10s", h.statusOf("a").Err)
				require.False(h, h.statusOf("a").Since.After(began), "it has not been looked at since")
				require.Less(h, began.Sub(h.statusOf("a").Since), 20*time.Second)
				h.after(hangs - 30*time.Second)
				answer()
				h.after(10 * time.Second)
				require.True(h, h.statusOf("a").Reachable)
			})
		})
	}
}

func TestReconnectTakesTheNewWayAtOnce(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		h.fleet.Reconnect("a") // of a cluster that nobody names: nothing
		a.set(func(c *fakeCluster) { c.away = errors.New("no kubeconfig") })
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.after(10 * time.Minute)
		dialed := a.dials
		h.fleet.Reconnect("a") // in vain: somebody still tries, so it is asked again soon
		h.after(5 * time.Second)
		require.GreaterOrEqual(h, a.dials, dialed+3)
		a.set(func(c *fakeCluster) { c.away = nil })
		h.fleet.Reconnect("a")
		synctest.Wait()
		require.Contains(h, a.holds(), "payments/web")

		dials := a.dials
		a.take()
		h.reported()
		h.fleet.Reconnect("a")
		synctest.Wait()
		require.Equal(h, dials+1, a.dials)
		require.Len(h, a.take(), 1, "the same shall be there as before")
		require.Len(h, a.sessions, 1)
	})
}

func TestClusterThatIsNoLongerNamedIsLetGo(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		a, state := h.clusters["a"], commit(place(dev("web"), "1", "a", "b"))
		h.deploy(state, pinned("a", "b"))
		a.take()
		h.deploy(commit(place(dev("web"), "2", "b")), pinned("b"))
		h.after(time.Hour)
		require.Empty(h, a.take())
		require.Empty(h, a.sessions)
		require.Equal(h, map[string]string{"payments/web": revision(dev("web"), "1")}, a.holds(), "nothing is deleted")
		require.Equal(h, revision(dev("web"), "2"), h.clusters["b"].holds()["payments/web"])

		h.deploy(commit(place(dev("web"), "3", "a")), pinned("a"))
		require.Equal(h, revision(dev("web"), "3"), a.holds()["payments/web"])
	})
}

func TestClusterThatIsNamedAgainWaitsForTheLastPass(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, next := h.clusters["a"], make(chan struct{})
		a.on = func(context.Context, apply.Instance) (apply.Result, error) {
			<-next
			return apply.Result{}, nil
		}
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.deploy(commit(), nil)
		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		require.Len(h, a.take(), 1)
		close(next)
		synctest.Wait()
		require.Equal(h, revision(dev("web"), "2"), a.holds()["payments/web"])
	})
}

func TestRunEndsAllGoroutines(t *testing.T) {
	// The bubble of simulate fails a test that leaves a goroutine behind; this one checks when they end.
	for name, c := range map[string]struct {
		visit func(context.Context, apply.Instance) (apply.Result, error)
		away  bool
		took  time.Duration
		holds int
	}{
		"at rest":           {holds: 1},
		"with a dead one":   {away: true},
		"a pass in flight":  {visit: after(5 * time.Second), took: 5 * time.Second, holds: 1},
		"a pass that hangs": {visit: after(time.Hour), took: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				a := h.clusters["a"]
				if a.on = c.visit; c.away {
					a.away = errAway
				}
				h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
				began := time.Now()
				h.stop()
				<-h.ended
				require.Equal(h, c.took, time.Since(began))
				require.Len(h, a.holds(), c.holds)
				require.Empty(h, a.sessions)

				h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
				h.after(time.Hour)
				require.LessOrEqual(h, len(a.take()), 1, "no pass starts")
			})
		})
	}
}

// after is a visit that takes that long.
func after(d time.Duration) func(context.Context, apply.Instance) (apply.Result, error) {
	return func(ctx context.Context, _ apply.Instance) (apply.Result, error) {
		select {
		case <-time.After(d):
			return apply.Result{}, nil
		case <-ctx.Done():
			return apply.Result{}, ctx.Err()
		}
	}
}

// manyClusters are more clusters than are connected to within ten seconds where none of them answers.
func manyClusters() (names []string) {
	for i := range 6 * 16 * runtime.GOMAXPROCS(0) {
		names = append(names, fmt.Sprintf("crowd-%d", i))
	}
	return names
}

// hang has clusters answer nobody any more, until answer is called.
func (h *harness) hang(names ...string) (answer func()) {
	answers := make([]func(), 0, len(names))
	for _, name := range names {
		answers = append(answers, h.clusters[name].hang())
	}
	return func() {
		for _, answer := range answers {
			answer()
		}
	}
}

// A new way to reach a cluster waits behind many others, and the connection that there is ends meanwhile.
func TestAConnectionThatEndsWaitsForNoNewWay(t *testing.T) {
	others := manyClusters()
	simulate(t, append(others, "a"), func(h *harness) {
		web := dev("web")
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		a := h.clusters["a"]
		require.True(h, h.statusOf("a").Reachable)
		defer h.hang(others...)()
		h.deploy(commit(place(web, "1", "a")), pinned(append(others, "a")...))
		h.fleet.Reconnect("a")
		synctest.Wait()
		const tooMany = 10_000
		var visits atomic.Int64
		over := make(chan struct{})
		defer close(over)
		a.set(func(c *fakeCluster) {
			c.away = errAway
			c.on = func(context.Context, apply.Instance) (apply.Result, error) {
				if visits.Add(1) > tooMany {
					<-over
				}
				return apply.Result{}, errAway
			}
		})
		h.deploy(commit(place(web, "2", "a")), pinned(append(others, "a")...))
		h.after(time.Second)
		require.LessOrEqual(h, visits.Load(), int64(tooMany), "it is asked again and again over a connection that ended")
		require.False(h, h.statusOf("a").Reachable)
	})
}

// A connection that hangs while a new way is tried is told as soon as another one.
func TestAConnectionThatHangsWhileANewWayIsTriedIsTold(t *testing.T) {
	others := manyClusters()
	simulate(t, append(others, "a"), func(h *harness) {
		state := commit(place(dev("web"), "1", "a"))
		h.deploy(state, pinned("a"))
		defer h.hang(append(others, "a")...)()
		h.deploy(state, pinned(append(others, "a")...))
		h.fleet.Reconnect("a")
		h.after(30 * time.Second)
		require.False(h, h.statusOf("a").Reachable)
	})
}

// Clusters that hang at one time keep none waiting that is connected to for the first time.
func TestClustersThatHangKeepNoNewOneWaiting(t *testing.T) {
	others := manyClusters()
	simulate(t, append(others, "a"), func(h *harness) {
		h.deploy(commit(), pinned(others...))
		h.after(time.Minute)
		for _, name := range others {
			require.True(h, h.statusOf(name).Reachable)
		}
		defer h.hang(others...)()
		h.after(17 * time.Second) // all were asked who they are, and most wait for their turn to be connected to again
		h.deploy(commit(place(dev("web"), "1", "a")), pinned(append(others, "a")...))
		h.after(time.Second)
		require.True(h, h.statusOf("a").Reachable)
	})
}
