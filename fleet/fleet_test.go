package fleet_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestEveryClusterGetsExactlyItsInstances(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		web, db := dev("web"), dev("db")
		h.deploy(commit(place(web, "1", "a", "b"), place(db, "1", "a")), pinned("a", "b"))

		require.Equal(h, map[string]string{"payments/web": revision(web, "1"), "payments/db": revision(db, "1")}, h.clusters["a"].holds())
		require.Equal(h, map[string]string{"payments/web": revision(web, "1")}, h.clusters["b"].holds())
		results := h.reported()
		require.Len(h, results, 3)
		for _, r := range results {
			require.NoError(h, r.Err)
			require.Equal(h, "commit-1", r.Commit)
			require.Equal(h, state.Healthy, r.Health)
			require.False(h, r.Absent)
			require.NotEmpty(h, r.Revision)
		}
		require.Equal(h, fleet.ClusterResult{Cluster: "a", UID: "uid-a", Reachable: true, Since: h.statusOf("a").Since}, h.statusOf("a"))
	})
}

func TestAnInstanceComesWithAllThatApplyingNeeds(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		web := dev("web")
		release := &state.Release{
			Scope: platform.ClusterScoped, Deletion: platform.DeletionRetain, Adopt: true,
			Health:   []platform.Health{{Group: "example.com", Kind: "Queue", Healthy: "status.ready"}},
			Ignore:   []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}},
			Clusters: map[string]state.Placement{"a": {Revision: revision(web, "1"), Namespace: "shop"}},
		}
		release.Key = platform.RequestKey{Team: "payments", Name: "web"}
		var got apply.Instance
		h.clusters["a"].on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			got = in
			return apply.Result{}, nil
		}
		committed := commit(place(web, "1", "a"), map[string][]byte{"releases/payments/web.yaml": release.Encode()})
		h.deploy(committed, pinned("a"))

		require.Equal(h, apply.Instance{
			Owner: web, Revision: revision(web, "1"), State: apply.State{Sequence: 1, Commit: "commit-1"}, Namespace: "shop",
			NamespaceManifest: namespace(web), Manifests: configMap(web, "1"),
			Scope: release.Scope, Health: release.Health, Ignore: release.Ignore, Deletion: release.Deletion, Adopt: true,
		}, got)
	})
}

func TestOnlyChangedInstancesAreQueued(t *testing.T) {
	web, db, job := dev("web"), dev("db"), dev("job")
	base := commit(place(web, "1", "a", "b"), place(db, "1", "a", "b"), place(job, "1", "a"))
	for name, c := range map[string]struct {
		next tree
		a, b []visit
	}{
		"nothing": {next: base},
		"one instance everywhere": {
			next: base.with(place(web, "2", "a", "b")),
			a:    []visit{{owner: web, revision: revision(web, "2")}},
			b:    []visit{{owner: web, revision: revision(web, "2")}},
		},
		"one release, on the clusters that have it": {
			next: base.with(map[string][]byte{"releases/payments/job.yaml": place(job, "1", "a", "unused")["releases/payments/job.yaml"]}),
			a:    []visit{{owner: job, revision: revision(job, "1")}},
		},
		"a namespace, for all of its team": {
			next: base.with(map[string][]byte{"clusters/b/payments/_namespace.yaml": []byte("kind: Namespace")}),
			b:    []visit{{owner: db, revision: revision(db, "1")}, {owner: web, revision: revision(web, "1")}},
		},
		"one that is new": {
			next: base.with(place(dev("cache"), "1", "b")),
			b:    []visit{{owner: dev("cache"), revision: revision(dev("cache"), "1")}},
		},
		"one that is gone": {
			next: base.with(map[string][]byte{"clusters/a/payments/job.yaml": nil, "releases/payments/job.yaml": nil}),
			a:    []visit{{owner: job, absent: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, []string{"a", "b"}, func(h *harness) {
				h.deploy(base, pinned("a", "b"))
				require.Len(h, h.clusters["a"].take(), 3)
				require.Len(h, h.clusters["b"].take(), 2)

				h.deploy(c.next, pinned("a", "b"))
				require.ElementsMatch(h, c.a, h.clusters["a"].take())
				require.ElementsMatch(h, c.b, h.clusters["b"].take())
			})
		})
	}
}

func TestEnvironmentsShareACluster(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		staging := apply.Owner{Environment: "staging", Team: "search", Request: "index"}
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		other := h.target(commit(place(staging, "1", "a")), pinned("a"))
		other.Environment = "staging"
		require.NoError(h, h.fleet.Deploy(other))
		synctest.Wait()

		require.Len(h, h.clusters["a"].holds(), 2)
		require.Equal(h, 1, h.clusters["a"].dials)
		h.deploy(commit(), pinned("a"))
		require.Equal(h, map[string]string{"search/index": revision(staging, "1")}, h.clusters["a"].holds())
	})
}

func TestOneInstancesFailureStopsNobody(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		refused := errors.New("admission webhook is down")
		h.clusters["a"].on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			if in.Request == "db" {
				return apply.Result{}, refused
			}
			return apply.Result{}, nil
		}
		h.deploy(commit(place(dev("db"), "1", "a"), place(dev("web"), "1", "a")), pinned("a"))
		require.Contains(h, h.clusters["a"].holds(), "payments/web")
		for _, r := range h.reported() {
			if r.Request == "db" {
				require.ErrorIs(h, r.Err, refused)
			} else {
				require.NoError(h, r.Err)
			}
		}
		require.True(h, h.statusOf("a").Reachable)

		h.after(10 * time.Minute)
		tries := len(h.clusters["a"].take())
		require.Greater(h, tries, 15, "it is tried again")
		require.Less(h, tries, 50, "with a growing delay")

		h.clusters["a"].set(func(c *fakeCluster) { c.on = nil })
		h.after(time.Minute)
		require.Contains(h, h.clusters["a"].holds(), "payments/db")
	})
}

// TestAFaultDuringAPassIsThatInstancesFailure: a panic is a failure like any other, and its text cannot steer a terminal.
func TestAFaultDuringAPassIsThatInstancesFailure(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		h.clusters["a"].on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			if in.Request == "db" {
				panic("nobody thought of that")
			}
			return apply.Result{Health: state.Progressing, Message: "\x1b[2Jgone"}, nil
		}
		h.deploy(commit(place(dev("db"), "1", "a"), place(dev("web"), "1", "a")), pinned("a"))
		for _, r := range h.reported() {
			if r.Request == "db" {
				require.ErrorContains(h, r.Err, "came upon a fault of Transom, which is worth a report: nobody thought of that")
			} else {
				require.NoError(h, r.Err)
				require.Equal(h, "\ufffd[2Jgone", r.Message)
			}
		}
		h.clusters["a"].set(func(c *fakeCluster) { c.on = nil })
		h.after(time.Minute)
		require.Contains(h, h.clusters["a"].holds(), "payments/db")
	})
}

func TestAChangedInstanceIsNotHeldUpByItsFailures(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		a.on = func(context.Context, apply.Instance) (apply.Result, error) {
			return apply.Result{}, errors.New("admission webhook is down")
		}
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.after(5 * time.Minute)
		a.take()
		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		h.after(2 * time.Second)
		require.GreaterOrEqual(h, len(a.take()), 3)
	})
}

func TestWhatIsNotSettledIsLookedAtAgainSoon(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		var settled atomic.Bool
		h.clusters["a"].on = func(context.Context, apply.Instance) (apply.Result, error) {
			return apply.Result{Health: state.Progressing, Settled: settled.Load()}, nil
		}
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.clusters["a"].take()
		h.after(time.Second)
		require.NotEmpty(h, h.clusters["a"].take())
		settled.Store(true)
		h.after(time.Minute)
		require.NotEmpty(h, h.clusters["a"].take())
		h.after(5 * time.Minute)
		require.Empty(h, h.clusters["a"].take(), "once settled it rests")
	})
}

func TestAnEventIsAnsweredAndABurstIsOne(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		h.deploy(commit(place(dev("db"), "1", "a"), place(dev("web"), "1", "a")), pinned("a"))
		a.take()
		for range 10 {
			a.happen(dev("web"))
		}
		h.after(100 * time.Millisecond)
		require.Equal(h, []visit{{owner: dev("web"), revision: revision(dev("web"), "1")}}, a.take())

		a.happen(apply.Owner{Environment: "elsewhere", Team: "payments", Request: "web"})
		h.after(100 * time.Millisecond)
		require.Empty(h, a.take())
	})
}

func TestEverythingIsLookedAtNowAndThen(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		h.deploy(commit(place(dev("db"), "1", "a"), place(dev("web"), "1", "a")), pinned("a"))
		h.clusters["a"].take()
		h.after(15 * time.Minute)
		require.Len(h, h.clusters["a"].take(), 2)
		h.after(15 * time.Minute)
		require.Len(h, h.clusters["a"].take(), 2)
	})
}

func TestPushedChangeOvertakesTheSweep(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		next := make(chan struct{})
		h.fleet.Concurrency = 2
		h.clusters["a"].on = func(context.Context, apply.Instance) (apply.Result, error) {
			<-next
			return apply.Result{}, nil
		}
		state := commit()
		for _, o := range many(100) {
			state = state.with(place(o, "1", "a"))
		}
		h.deploy(state, pinned("a"))
		h.after(2100 * time.Millisecond) // the others wait for the first one no longer
		require.Len(h, h.clusters["a"].take(), 2, "the sweep began")

		late := many(100)[99]
		h.deploy(state.with(place(late, "2", "a")), pinned("a"))
		next <- struct{}{} // the visit under way, and one that was already taken out of the queue
		next <- struct{}{}
		synctest.Wait()
		require.Contains(h, h.clusters["a"].take(), visit{owner: late, revision: revision(late, "2")})
		close(next)
		synctest.Wait()
		require.Len(h, h.clusters["a"].holds(), 100)
		require.NotContains(h, h.clusters["a"].take(), visit{owner: late, revision: revision(late, "1")})
	})
}

func TestAChangeDuringAPassIsAppliedAfterIt(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		next := make(chan struct{})
		h.clusters["a"].on = func(context.Context, apply.Instance) (apply.Result, error) {
			<-next
			return apply.Result{}, nil
		}
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		h.deploy(commit(place(dev("web"), "3", "a")), pinned("a"))
		require.Len(h, h.clusters["a"].take(), 1, "never two passes of one instance at a time")
		close(next)
		synctest.Wait()
		require.Equal(h, []visit{{owner: dev("web"), revision: revision(dev("web"), "3")}}, h.clusters["a"].take())
	})
}
