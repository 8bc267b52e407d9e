package fleet_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// site is a cluster called a that a fleet of the suite works on, looked at from outside.
type site interface {
	wire(f *fleet.Fleet)
	holds(o apply.Owner) string     // the revision, empty if nothing of the instance is there
	damage(o apply.Owner)           // somebody deletes its objects
	remembers(o apply.Owner) string // the duration on its inventory

	overtake(o apply.Owner, value string) // another daemon applies a later state
	occupy(o apply.Owner, more ...string) // somebody makes an object of its name, in a namespace that is there, with more fields
}

// The suite checks the fake cluster against the behaviour of a real API server and apply, and the API servers of tests of scale, which
// keep their objects in memory.
func TestFakeAndRealClusterBehaveAlike(t *testing.T) {
	t.Parallel() // it waits more than it computes, as TestOneOfManyThatAPolicyRefusesIsTried does
	t.Run("fake", func(t *testing.T) {
		suite(t, func(*testing.T) site { return fakeSite{newFakeCluster("uid-fake")} })
	})
	t.Run("real", func(t *testing.T) {
		suite(t, func(t *testing.T) site { return realSite{t: t, dir: kubeconfigs(t)} })
	})
	t.Run("in memory", func(t *testing.T) {
		suite(t, func(t *testing.T) site { return realSite{t: t, dir: fakeKubeconfigs(t)} })
	})
}

func suite(t *testing.T, open func(*testing.T) site) {
	for name, test := range map[string]func(*tour){
		"applied, changed, removed": func(h *tour) {
			web, db := h.owner("web"), h.owner("db")
			h.deploy(commit(place(web, "1", "a"), place(db, "1", "a")), h.active())
			h.until(web, "1")
			h.until(db, "1")
			h.deploy(commit(place(web, "2", "a"), place(db, "1", "a")), h.active())
			h.until(web, "2")
			h.deploy(commit(place(web, "2", "a")), h.active())
			h.until(db, "")
			require.NotEmpty(h, h.holds(web))
		},
		"orphans are pruned after a restart": func(h *tour) {
			web, db := h.owner("web"), h.owner("db")
			h.deploy(commit(place(web, "1", "a"), place(db, "1", "a")), h.active())
			h.until(db, "1")
			h.until(web, "1")
			h.restart()
			h.deploy(commit(place(web, "1", "a")), h.active())
			h.until(db, "")
			require.NotEmpty(h, h.holds(web))
		},
		"a checkpoint is given back for its revision, also after a restart": func(h *tour) {
			web, db := h.owner("web"), h.owner("db")
			h.deploy(commit(place(web, "1", "a")), h.active())
			h.until(web, "1")
			h.rested(web)
			h.fleet.Checkpoint(h.environment(), "a", key(db), apply.Checkpoint{Revision: revision(db, "1"), Soaked: time.Minute}) // nothing is there
			h.checkpoint(web, "1", 10*time.Minute)
			h.checkpoint(web, "1", 12*time.Minute)
			h.until(web, "1")
			h.restart()
			h.deploy(commit(place(web, "1", "a")), h.active())
			require.Eventually(h, func() bool { return h.soaked(web) == 12*time.Minute }, patience, tick)

			h.deploy(commit(place(web, "2", "a")), h.active())
			h.until(web, "2")
			h.rested(web)
			require.Zero(h, h.soaked(web))
			h.deploy(commit(), h.active())
			h.until(web, "")
		},
		"a removal is settled once nothing is left, and again after a restart": func(h *tour) {
			web := h.owner("web")
			h.deploy(commit(place(web, "1", "a")), h.active())
			h.until(web, "1")
			h.deploy(commit(tombstone(web)), h.active())
			require.Eventually(h, func() bool { return h.gone(web) }, patience, tick)
			require.Empty(h, h.holds(web))
			h.restart()
			h.mu.Lock()
			h.results = nil
			h.mu.Unlock()
			h.deploy(commit(tombstone(web)), h.active())
			require.Eventually(h, func() bool { return h.gone(web) }, patience, tick)
		},
		"the soak of a removal is given back after a restart, and begins anew with the next removal": func(h *tour) {
			web, never := h.owner("web"), h.owner("never")
			remove := func(soaked time.Duration) {
				h.Helper()
				h.mu.Lock()
				h.results = nil
				h.mu.Unlock()
				h.deploy(commit(tombstone(web), tombstone(never)), h.active())
				require.Eventually(h, func() bool { return h.gone(web) && h.gone(never) }, patience, tick)
				require.Equal(h, soaked, h.soaked(web))
				require.Zero(h, h.soaked(never))
			}
			h.deploy(commit(place(web, "1", "a")), h.active())
			h.until(web, "1")
			h.rested(web)
			remove(0)
			for _, o := range []apply.Owner{never, web} {
				h.fleet.Checkpoint(h.environment(), "a", key(o), apply.Checkpoint{Revision: apply.Removed, Soaked: 10 * time.Minute})
			}
			require.Eventually(h, func() bool { return h.remembers(web) == (10 * time.Minute).String() }, patience, tick)
			h.restart()
			remove(10 * time.Minute)

			h.deploy(commit(place(web, "2", "a")), h.active())
			h.until(web, "2")
			h.rested(web)
			h.restart()
			remove(0)
			h.restart()
			h.deploy(commit(), h.active())
			require.Eventually(h, func() bool { return h.remembers(web) == "" }, patience, tick, "nothing is left of it")
		},
		"what somebody deletes comes back": func(h *tour) {
			web := h.owner("web")
			h.deploy(commit(place(web, "1", "a")), h.active())
			h.until(web, "1")
			h.rested(web)
			h.damage(web)
			h.until(web, "1")
		},
		"what another agent applies is looked at": func(h *tour) {
			web := h.owner("web")
			require.NoError(h, h.fleet.Deploy(fleet.Target{
				Environment: h.environment(), Commit: "c0ffee", Snapshot: commit(place(web, "1", "a")), Clusters: h.active(), Rules: fleet.Rules{External: true},
			}))
			require.Eventually(h, func() bool {
				seen := h.seen(web)
				return len(seen) > 0 && seen[len(seen)-1].Health == state.Unknown && seen[len(seen)-1].Err == nil
			}, patience, tick)
			require.Empty(h, h.holds(web))
			h.overtake(web, "1")
			h.rested(web)
		},
		"what exists is refused, and taken over once the request says so": func(h *tour) {
			db, web := h.owner("db"), h.owner("web")
			h.deploy(commit(place(db, "1", "a")), h.active())
			h.until(db, "1")
			h.occupy(web)
			h.deploy(commit(place(db, "1", "a"), place(web, "1", "a")), h.active())
			require.Eventually(h, func() bool { return len(h.seen(web)) > 0 }, patience, tick)
			require.Equal(h, state.Failed, h.seen(web)[0].Health)
			require.Contains(h, h.seen(web)[0].Problems[0].Message, "adopt: true")
			require.NotEqual(h, revision(web, "1"), h.holds(web))
			h.deploy(commit(place(db, "1", "a"), adopting(web, "1", "a")), h.active())
			h.until(web, "1")
			h.rested(web)
			h.deploy(commit(place(db, "1", "a"), place(web, "2", "a")), h.active())
			h.until(web, "2")
		},
		"what would lose something waits until that is approved, and is let go at the end": func(h *tour) {
			db, web := h.owner("db"), h.owner("web")
			h.deploy(commit(place(db, "1", "a")), h.active())
			h.until(db, "1")
			h.occupy(web, "legacy")
			target := fleet.Target{
				Environment: h.environment(), Commit: "c0ffee", Snapshot: commit(place(db, "1", "a"), adopting(web, "1", "a")), Clusters: h.active(),
			}
			require.NoError(h, h.fleet.Deploy(target))
			require.Eventually(h, func() bool { return len(h.seen(web)) > 0 }, patience, tick)
			waits := h.seen(web)[0]
			require.Equal(h, state.Unknown, waits.Health)
			require.Empty(h, waits.Problems)
			require.NotEqual(h, revision(web, "1"), h.holds(web))
			target.Adoptions = []string{waits.Adoption.Digest}
			require.NoError(h, h.fleet.Deploy(target))
			h.until(web, "1")
			h.rested(web)
			h.deploy(commit(place(db, "1", "a")), h.active())
			require.Eventually(h, func() bool { return h.gone(web) }, patience, tick)
			require.Equal(h, revision(web, "1"), h.holds(web), "it is there, and nobody's")
			require.True(h, slices.ContainsFunc(h.seen(web), func(r fleet.Result) bool {
				return len(r.LetGo) == 1 && r.LetGo[0].Name == "web-settings"
			}))
		},
		"what another daemon applied stays until a later fetch": func(h *tour) {
			web := h.owner("web")
			target := fleet.Target{
				Environment: h.environment(), Commit: "c0ffee", Snapshot: commit(place(web, "1", "a")), Clusters: h.active(), Fetched: time.Now(),
			}
			require.NoError(h, h.fleet.Deploy(target))
			h.until(web, "1")
			h.rested(web)
			h.overtake(web, "2")
			require.Eventually(h, func() bool { return h.doubts() > 1 }, patience, tick, "it asks until it is told")
			require.Equal(h, revision(web, "2"), h.holds(web))
			require.NoError(h, h.fleet.Deploy(target))
			seen := h.doubts()
			require.Eventually(h, func() bool { return h.doubts() > seen }, patience, tick, "nothing was fetched")
			require.Equal(h, revision(web, "2"), h.holds(web))

			target.Fetched = time.Now()
			require.NoError(h, h.fleet.Deploy(target))
			h.until(web, "1")
			h.rested(web)
			seen = h.doubts()
			target.Snapshot = commit(place(web, "3", "a"))
			require.NoError(h, h.fleet.Deploy(target))
			h.until(web, "3")
			require.Equal(h, seen, h.doubts(), "it wrote that itself")
		},
		"what another state repository wrote stays, until a person has it taken over": func(h *tour) {
			web, db := h.owner("web"), h.owner("db")
			ours, theirs := []string{"ours-1"}, []string{"theirs-1", "theirs-2"}
			h.deployOf(ours, commit(place(web, "1", "a")))
			h.until(web, "1")
			h.restart()
			h.deployOf(theirs, commit(place(web, "2", "a"), place(db, "1", "a")))
			require.Eventually(h, func() bool { return h.foreign(web) != "" && h.foreign(db) != "" }, patience, tick)
			require.Equal(h, "ours-1", h.foreign(web))
			require.Contains(h, h.last(web).Message, "cluster a was last written from state commit ours-1, which")
			h.fleet.Checkpoint(h.environment(), "a", key(web), apply.Checkpoint{Revision: revision(web, "2"), Soaked: time.Minute})
			h.deployOf(theirs, commit(place(db, "1", "a")))
			require.Eventually(h, func() bool { return h.foreign(db) != "" }, patience, tick)
			require.Equal(h, revision(web, "1"), h.holds(web))
			require.Empty(h, h.remembers(web))
			require.Empty(h, h.holds(db))

			h.deployOf(theirs, commit(place(db, "1", "a")), "ours-1")
			h.until(web, "")
			h.until(db, "1")
			h.deployOf(append(theirs, "theirs-3"), commit(place(db, "2", "a")))
			h.until(db, "2")
		},
		"a history that catches up goes on, and one that was set back does not": func(h *tour) {
			web := h.owner("web")
			h.deployOf([]string{"1", "2"}, commit(place(web, "1", "a")))
			h.until(web, "1")
			h.restart()
			h.deployOf([]string{"1"}, commit(place(web, "2", "a")))
			require.Eventually(h, func() bool { return h.foreign(web) != "" }, patience, tick)
			h.deployOf([]string{"1", "2", "3"}, commit(place(web, "3", "a")))
			h.until(web, "3")
			h.deployOf([]string{"1", "2"}, commit())
			require.Eventually(h, func() bool { return h.foreign(web) != "" }, patience, tick)
			require.Equal(h, revision(web, "3"), h.holds(web))
		},
		"an unpinned or another cluster is not written, a paused one only read": func(h *tour) {
			web := h.owner("web")
			state := commit(place(web, "1", "a"))
			identity := h.active()[0].UID
			h.deploy(state, []fleet.Cluster{{Name: "a", State: platform.ClusterActive}})
			h.deploy(state, []fleet.Cluster{{Name: "a", State: platform.ClusterActive, UID: "another"}})
			require.Eventually(h, func() bool { return h.cluster().Problem != "" }, patience, tick)
			require.Empty(h, h.holds(web))
			require.Empty(h, h.seen(web))

			h.deploy(state, []fleet.Cluster{{Name: "a", State: platform.ClusterPaused, UID: identity}})
			require.Eventually(h, func() bool { return len(h.seen(web)) > 0 }, patience, tick)
			require.True(h, h.seen(web)[0].Observed)
			require.NoError(h, h.seen(web)[0].Err)
			require.Empty(h, h.holds(web))
			h.deploy(state, h.active())
			h.until(web, "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &tour{T: t, site: open(t)}
			h.start()
			t.Cleanup(func() { h.stop() })
			test(h)
		})
	}
}

const (
	patience = 30 * time.Second
	tick     = 5 * time.Millisecond
)

// tour is one test of the suite: a fleet in real time at a site, with an environment of its own.
type tour struct {
	*testing.T
	site
	fleet *fleet.Fleet
	stop  func()

	mu      sync.Mutex
	status  fleet.ClusterResult
	results []fleet.Result
	doubted int
}

func (h *tour) start() {
	h.fleet = &fleet.Fleet{
		Refetch: func(environment string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			require.Equal(h, h.environment(), environment)
			h.doubted++
		},
		Report: func(r fleet.Result) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.results = append(h.results, r)
		},
		ReportCluster: func(r fleet.ClusterResult) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.status = r
		},
	}
	h.wire(h.fleet)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.fleet.Run(ctx)
	}()
	h.stop = func() {
		cancel()
		<-ended
	}
}

// restart ends the fleet and starts one that knows nothing.
func (h *tour) restart() {
	h.stop()
	h.start()
}

func (h *tour) environment() string {
	name := fnv.New32a()
	_, _ = name.Write([]byte(h.Name()))
	return fmt.Sprintf("env-%08x", name.Sum32())
}

func (h *tour) owner(request string) apply.Owner {
	return apply.Owner{Environment: h.environment(), Team: "team-" + h.environment(), Request: request}
}

func (h *tour) deploy(t tree, clusters []fleet.Cluster) {
	h.Helper()
	require.NoError(h, h.fleet.Deploy(fleet.Target{
		Environment: h.environment(), Commit: "c0ffee", Snapshot: t, Clusters: clusters,
	}))
}

// deployOf deploys the last commit of a history, fetched after all that the test does.
func (h *tour) deployOf(history []string, t tree, takeover ...string) {
	h.Helper()
	require.NoError(h, h.fleet.Deploy(fleet.Target{
		Environment: h.environment(), Snapshot: t, Clusters: h.active(), Fetched: time.Now().Add(time.Hour),
		Commit: history[len(history)-1], Sequence: int64(len(history)),
		Lineage: &apply.Lineage{Takeover: takeover, Contains: func(_ context.Context, commit string) (bool, error) {
			return slices.Contains(history, commit), nil
		}},
	}))
}

// last is the result of the last visit of an instance.
func (h *tour) last(o apply.Owner) fleet.Result {
	seen := h.seen(o)
	if len(seen) == 0 {
		return fleet.Result{}
	}
	return seen[len(seen)-1]
}

// foreign is the commit of others that the last visit of an instance found.
func (h *tour) foreign(o apply.Owner) string {
	if found := h.last(o).Foreign; found != nil {
		return found.Commit
	}
	return ""
}

// active are the settings that pin the cluster, whose identity is learnt as a daemon would.
func (h *tour) active() []fleet.Cluster {
	if h.cluster().UID == "" {
		h.deploy(commit(), []fleet.Cluster{{Name: "a", State: platform.ClusterActive}})
	}
	require.Eventually(h, func() bool { return h.cluster().UID != "" }, patience, tick)
	return []fleet.Cluster{{Name: "a", State: platform.ClusterActive, UID: h.cluster().UID}}
}

func (h *tour) cluster() fleet.ClusterResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

func (h *tour) seen(o apply.Owner) []fleet.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	var seen []fleet.Result
	for _, r := range h.results {
		if r.Team == o.Team && r.Request == o.Request {
			seen = append(seen, r)
		}
	}
	return seen
}

// until waits until the cluster has the instance with that value, or nothing of it.
func (h *tour) until(o apply.Owner, value string) {
	h.Helper()
	want := ""
	if value != "" {
		want = revision(o, value)
	}
	require.Eventually(h, func() bool { return h.holds(o) == want }, patience, tick, "%s %q: %+v %+v", o, value, h.cluster(), h.seen(o))
}

// rested waits until a visit over the revision that the cluster has of the instance said that nothing remains to do.
func (h *tour) rested(o apply.Owner) {
	require.Eventually(h, func() bool {
		seen := h.seen(o)
		if len(seen) == 0 || !seen[len(seen)-1].Settled || seen[len(seen)-1].Health != state.Healthy {
			return false
		}
		return seen[len(seen)-1].Revision == h.holds(o) // and not of the revision before
	}, patience, tick)
}

// checkpoint writes one and waits until a visit gives it back. Writing does not bring that visit.
func (h *tour) checkpoint(o apply.Owner, value string, soaked time.Duration) {
	h.Helper()
	visits := h.quiet(o)
	h.fleet.Checkpoint(h.environment(), "a", key(o), apply.Checkpoint{Revision: revision(o, value), Soaked: soaked})
	require.Eventually(h, func() bool { return h.remembers(o) == soaked.String() }, patience, tick)
	require.Len(h, h.seen(o), visits)
	require.Eventually(h, func() bool {
		h.damage(o)
		return h.soaked(o) == soaked
	}, patience, 100*tick)
	h.until(o, value)
	h.rested(o)
}

// gone says whether the last visit of an instance confirmed that nothing of it remains.
func (h *tour) gone(o apply.Owner) bool {
	seen := h.seen(o)
	return len(seen) > 0 && seen[len(seen)-1].Absent && seen[len(seen)-1].Settled && seen[len(seen)-1].Err == nil
}

// soaked is the checkpoint that the last visit of an instance gave back.
func (h *tour) soaked(o apply.Owner) time.Duration {
	seen := h.seen(o)
	if len(seen) == 0 {
		return 0
	}
	return seen[len(seen)-1].Checkpoint.Soaked
}

func key(o apply.Owner) platform.RequestKey {
	return platform.RequestKey{Team: o.Team, Name: o.Request}
}

type fakeSite struct{ *fakeCluster }

func (s fakeSite) wire(f *fleet.Fleet) {
	fleet.DialWith(f, func(_ context.Context, _ string, event func(apply.Owner), doubt func()) (fleet.Member, error) {
		return s.connect(event, doubt)
	})
}

func (s fakeSite) holds(o apply.Owner) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[o] == "" {
		return s.stays[o]
	}
	return s.held[o]
}

func (s fakeSite) damage(o apply.Owner) {
	s.set(func(c *fakeCluster) { c.held[o] = "" })
	s.happen(o)
}

type realSite struct {
	t   *testing.T
	dir string
}

func (s realSite) wire(f *fleet.Fleet) { f.Connect = s.keys().Connect }

func (s realSite) keys() credential.Keys {
	return credential.Keys{Sources: []credential.Source{credential.Directory(s.dir)}}
}

// config is how to reach the cluster.
func (s realSite) config() *rest.Config {
	found, err := s.keys().Connect(s.t.Context(), "a", false)
	require.NoError(s.t, err)
	return found.Config
}

func (s realSite) settings(o apply.Owner) corev1.ConfigMapInterface { return s.configMaps(o.Team) }

func (s realSite) configMaps(namespace string) corev1.ConfigMapInterface {
	client, err := corev1.NewForConfig(s.config())
	require.NoError(s.t, err)
	return client.ConfigMaps(namespace)
}

func (s realSite) holds(o apply.Owner) string {
	found, err := s.settings(o).Get(s.t.Context(), o.Request+"-settings", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	require.NoError(s.t, err)
	return revision(o, found.Data["value"])
}

func (s realSite) damage(o apply.Owner) {
	err := s.settings(o).Delete(s.t.Context(), o.Request+"-settings", metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(s.t, err)
	}
}
