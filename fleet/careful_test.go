package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestUnpinnedClusterIsNotWritten(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		gone := dev("gone")
		a.held[gone] = "sha256:0"
		state := commit(place(dev("web"), "1", "a"))
		unpinned := []fleet.Cluster{{Name: "a", State: platform.ClusterActive}}
		h.deploy(state, unpinned)
		require.Equal(h, "uid-a", h.statusOf("a").UID)
		require.Empty(h, h.statusOf("a").Problem)
		h.deploy(state.with(place(dev("web"), "2", "a")), unpinned)
		h.after(time.Hour)
		require.Empty(h, a.take())

		h.deploy(state, pinned("a"))
		require.Equal(h, map[string]string{"payments/web": revision(dev("web"), "1")}, a.holds())
	})
}

func TestRebuiltClusterIsNotWritten(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		a, state := h.clusters["a"], commit(place(dev("web"), "1", "a", "b"))
		h.deploy(state, pinned("a", "b"))
		a.take()

		// It answers at the same address as before, and nobody noticed an interruption.
		a.set(func(c *fakeCluster) { c.uid, c.held = "uid-new", map[apply.Owner]string{} })
		h.after(time.Minute)
		h.deploy(commit(place(dev("web"), "2", "a", "b")), pinned("a", "b"))
		h.after(time.Hour)
		require.Empty(h, a.holds())
		require.Empty(h, a.take())
		require.Equal(h, revision(dev("web"), "2"), h.clusters["b"].holds()["payments/web"])
		status := h.statusOf("a")
		require.True(h, status.Reachable)
		require.Equal(h, "uid-new", status.UID)
		require.Equal(h, "environment dev knows cluster a as uid-a, but the one that answers is uid-new, so nothing is written;"+
			" correct its kubeconfig, or if the cluster was rebuilt, accept it with spec.uid: uid-new in clusters/a.yaml", status.Problem)

		accepted := pinned("a", "b")
		accepted[0].UID = "uid-new"
		h.deploy(commit(place(dev("web"), "2", "a", "b")), accepted)
		require.Equal(h, revision(dev("web"), "2"), a.holds()["payments/web"])
		require.Empty(h, h.statusOf("a").Problem)
	})
}

func TestPausedClusterIsOnlyObserved(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		paused := pinned("a")
		paused[0].State = platform.ClusterPaused
		a.held[dev("gone")] = "sha256:0"
		h.deploy(commit(place(dev("web"), "1", "a")), paused)
		h.deploy(commit(place(dev("web"), "2", "a")), paused)
		h.after(time.Hour)
		require.Equal(h, map[string]string{"payments/gone": "sha256:0"}, a.holds())
		for _, p := range a.take() {
			require.True(h, p.observed)
		}
		results := h.reported()
		require.NotEmpty(h, results)
		for _, r := range results {
			require.True(h, r.Observed)
		}

		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		require.Equal(h, map[string]string{"payments/web": revision(dev("web"), "2")}, a.holds())
	})
}

func TestWhetherDriftIsOnlyReportedIsTheTargets(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		var reported []bool
		h.clusters["a"].on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
			reported = append(reported, in.ReportDrift)
			return apply.Result{}, nil
		}
		target := h.target(commit(place(dev("web"), "1", "a")), pinned("a"))
		for _, target.ReportDrift = range []bool{false, true, true, false} {
			require.NoError(h, h.fleet.Deploy(target))
			synctest.Wait()
		}
		require.Equal(h, []bool{false, true, false}, reported)
	})
}

func TestDrainingClusterIsEmptied(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		draining := pinned("a")
		draining[0].State = platform.ClusterDraining
		h.deploy(commit(), draining)
		require.Empty(h, h.clusters["a"].holds())
	})
}

func TestOrphansArePruned(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		elsewhere := apply.Owner{Environment: "prod", Team: "payments", Request: "gone"}
		for _, o := range []apply.Owner{dev("gone"), dev("confirmed"), elsewhere, {Environment: "dev", Team: "payments"}} {
			a.held[o] = "sha256:0"
		}
		absent := &state.Release{
			Key: platform.RequestKey{Team: "payments", Name: "confirmed"}, Absent: true,
			Deletion: platform.DeletionDelete, Scope: platform.Namespaced,
		}
		h.deploy(commit(place(dev("web"), "1", "a"), map[string][]byte{
			"releases/payments/confirmed.yaml": absent.Encode(),
		}), pinned("a"))

		require.Equal(h, map[string]string{
			"payments/web": revision(dev("web"), "1"), "payments/gone": "sha256:0", "payments/": "sha256:0", // gone: in prod
			"payments/confirmed": "", // its removal is remembered
		}, a.holds(), "other environments and namespaces are left alone")
		require.Contains(h, a.held, elsewhere)
		require.ElementsMatch(h, []visit{
			{owner: dev("web"), revision: revision(dev("web"), "1")},
			{owner: dev("gone"), absent: true},
			{owner: dev("confirmed"), absent: true},
		}, a.take())
		for _, r := range h.reported() {
			require.Equal(h, r.Request != "web", r.Absent)
			require.True(h, r.Settled)
		}
		h.after(time.Minute)
		require.Empty(h, a.take(), "once gone they rest")
	})
}

// Whoever waits for a removal waits for every cluster, and hears of it again after a restart, also where the daemon
// ended after the last object was gone or where nothing ever was.
func TestARemovalIsToldWhereNothingIsLeft(t *testing.T) {
	simulate(t, []string{"a", "b"}, func(h *harness) {
		web, gone := dev("web"), dev("gone")
		unreadable := map[string][]byte{"releases/payments/broken.yaml": []byte("kind: {Release")}
		h.deploy(commit(place(web, "1", "a", "b"), tombstone(gone), unreadable), pinned("a", "b"))
		told := h.absences()
		require.Equal(h, map[string]int{"a payments/gone": 1, "b payments/gone": 1}, told)

		h.fleet.Reconnect("b")
		synctest.Wait()
		require.Equal(h, map[string]int{"b payments/gone": 1}, h.absences(), "once per connection")

		h.deploy(commit(tombstone(web), tombstone(gone)), pinned("a", "b"))
		require.Equal(h, map[string]int{"a payments/web": 1, "b payments/web": 1}, h.absences())
		later := dev("elsewhere")
		h.deploy(commit(tombstone(web), tombstone(gone), tombstone(later)), pinned("a", "b"))
		require.Equal(h, map[string]int{"a payments/elsewhere": 1, "b payments/elsewhere": 1}, h.absences())
		h.deploy(commit(tombstone(web)), pinned("a", "b"))
		require.Empty(h, h.absences(), "what is forgotten is no news")
	})
}

// The record of a removal keeps the inventory, which lists nothing any more; without it the inventory goes at once, and not
// with the next look at everything.
func TestAnEmptyInventoryGoesWithTheRecordOfItsRemoval(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		web := dev("web")
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		h.deploy(commit(tombstone(web)), pinned("a"))
		require.Equal(h, map[string]string{"payments/web": ""}, h.clusters["a"].holds())
		h.deploy(commit(), pinned("a"))
		require.Empty(h, h.clusters["a"].holds())
	})
}

// absences counts the settled absences that were reported since, by cluster and instance.
func (h *harness) absences() map[string]int {
	told := map[string]int{}
	for _, r := range h.reported() {
		if r.Absent && r.Settled && r.Err == nil {
			told[r.Cluster+" "+r.Team+"/"+r.Request]++
		}
	}
	return told
}

// tombstone is the content of an instance whose removal is recorded.
func tombstone(o apply.Owner) map[string][]byte {
	release := &state.Release{
		Key: key(o), Digest: digest([]byte("absent")), Absent: true, Deletion: platform.DeletionDelete, Scope: platform.Namespaced,
	}
	return map[string][]byte{"releases/" + o.Team + "/" + o.Request + ".yaml": release.Encode()}
}

func TestUnreadableSnapshotDeletesNothing(t *testing.T) {
	broken := fmt.Errorf("object not found: %w", fs.ErrNotExist) // of something that the snapshot lists
	web, db := dev("web"), dev("db")
	state := commit(place(web, "1", "a"), place(db, "1", "a"))
	held := map[string]string{"payments/web": revision(web, "1"), "payments/db": revision(db, "1")}

	for _, dir := range []string{".", "releases", "releases/payments", "clusters", "clusters/a", "clusters/a/payments"} {
		t.Run(dir, func(t *testing.T) {
			simulate(t, []string{"a", "b"}, func(h *harness) {
				h.deploy(state, pinned("a"))
				next := commit(place(db, "2", "a", "b"))
				next.unreadable = map[string]error{dir: broken}
				err := h.fleet.Deploy(h.target(next, pinned("b", "a")))
				require.ErrorIs(h, err, broken)
				require.EqualError(h, err, `deploy dev: read `+dir+` of state commit "commit-2": object not found: file does not exist`)
				h.after(time.Hour)
				require.Equal(h, held, h.clusters["a"].holds(), "the target before stays in force")
				require.Zero(h, h.clusters["b"].dials)
			})
		})
	}

	for _, file := range []string{
		"releases/payments/web.yaml", "clusters/a/payments/web.yaml", "clusters/a/payments/_namespace.yaml",
	} {
		t.Run(file, func(t *testing.T) {
			simulate(t, []string{"a"}, func(h *harness) {
				h.deploy(state, pinned("a"))
				h.clusters["a"].take()
				h.reported()
				next := state.with(place(web, "2", "a"))
				next.unreadable = map[string]error{file: broken}
				h.deploy(next, pinned("a"))
				h.after(time.Minute)
				require.Equal(h, held, h.clusters["a"].holds())
				require.Empty(h, h.clusters["a"].take())
				results := h.reported()
				require.NotEmpty(h, results)
				require.ErrorIs(h, results[0].Err, broken)
				require.EqualError(h, results[0].Err, `read `+file+` of state commit "commit-2": object not found: file does not exist`)
				require.False(h, results[0].Absent)

				next.unreadable = nil
				h.deploy(next, pinned("a"))
				h.after(time.Minute)
				require.Equal(h, revision(web, "2"), h.clusters["a"].holds()["payments/web"])
			})
		})
	}
}

func TestAnUnreadableReleaseOfARemovedInstanceDeletesNothing(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		a.take()
		for _, next := range []tree{
			{files: map[string][]byte{"releases/payments/web.yaml": nil}, unreadable: map[string]error{
				"releases/payments/web.yaml": errors.New("object not found"),
			}},
			{files: map[string][]byte{"releases/payments/web.yaml": []byte("kind: {Release")}},
		} {
			h.deploy(next, pinned("a"))
			h.after(time.Minute)
			require.Contains(h, a.holds(), "payments/web")
			require.Empty(h, a.take())
		}
	})
}

func TestManifestsThatTheReleaseDoesNotKnowAreNotApplied(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		web := dev("web")
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		h.reported()
		h.deploy(commit(place(web, "1", "a"), map[string][]byte{
			"clusters/a/payments/web.yaml": configMap(web, "by hand"),
		}), pinned("a"))
		require.Equal(h, revision(web, "1"), h.clusters["a"].holds()["payments/web"])
		require.ErrorContains(h, h.reported()[0].Err, "clusters/a/payments/web.yaml of state commit \"commit-2\" is "+
			revision(web, "by hand")+", but releases/payments/web.yaml records \""+revision(web, "1")+"\" for it")
	})
}

func TestAnEnvironmentWithoutACommitDeletesNothing(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		h.clusters["a"].held[dev("web")] = "sha256:0"
		require.NoError(h, h.fleet.Deploy(fleet.Target{Environment: "dev", Snapshot: commit(), Clusters: pinned("a")}))
		h.after(time.Hour)
		require.Contains(h, h.clusters["a"].holds(), "payments/web")
		require.Empty(h, h.clusters["a"].take())
	})
}
