package fleet_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// harness is a running fleet of fake clusters in a synctest bubble: time stands still while anybody works.
type harness struct {
	*testing.T
	fleet    *fleet.Fleet
	clusters map[string]*fakeCluster
	stop     context.CancelFunc
	ended    chan struct{}
	commits  int

	mu      sync.Mutex
	results []fleet.Result
	status  map[string]fleet.ClusterResult
}

// simulate runs a test on fake clusters of these names, whose UIDs are uid-<name>.
func simulate(t *testing.T, clusters []string, test func(h *harness)) {
	synctest.Test(t, func(t *testing.T) {
		h := &harness{
			T: t, clusters: map[string]*fakeCluster{}, ended: make(chan struct{}),
			status: map[string]fleet.ClusterResult{},
		}
		for _, c := range clusters {
			h.clusters[c] = newFakeCluster("uid-" + c)
		}
		h.fleet = &fleet.Fleet{Report: h.report, ReportCluster: h.reportCluster}
		fleet.DialWith(h.fleet, func(_ context.Context, name string, event func(apply.Owner), doubt func()) (fleet.Member, error) {
			return h.clusters[name].connect(event, doubt)
		})
		ctx, stop := context.WithCancel(t.Context())
		h.stop = stop
		go func() {
			defer close(h.ended)
			_ = h.fleet.Run(ctx)
		}()
		defer func() {
			stop()
			<-h.ended
			for name, c := range h.clusters {
				require.False(t, c.misused, "a connection to %s was closed while it was in use", name)
			}
		}()
		test(h)
	})
}

func (h *harness) report(r fleet.Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.results = append(h.results, r)
}

func (h *harness) reportCluster(r fleet.ClusterResult) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status[r.Cluster] = r
}

// reported returns the results since it was last called.
func (h *harness) reported() []fleet.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	results := h.results
	h.results = nil
	return results
}

func (h *harness) statusOf(cluster string) fleet.ClusterResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status[cluster]
}

// pinned are the settings of active clusters whose identity is known.
func pinned(names ...string) []fleet.Cluster {
	var clusters []fleet.Cluster
	for _, name := range names {
		clusters = append(clusters, fleet.Cluster{Name: name, State: platform.ClusterActive, UID: "uid-" + name})
	}
	return clusters
}

// target is the next commit of the environment dev.
func (h *harness) target(snapshot fleet.Snapshot, clusters []fleet.Cluster) fleet.Target {
	h.commits++
	return fleet.Target{
		Environment: "dev", Commit: fmt.Sprintf("commit-%d", h.commits), Sequence: int64(h.commits),
		Snapshot: snapshot, Clusters: clusters,
	}
}

// deploy hands over the next commit of the environment dev and waits until nobody has anything to do at once.
func (h *harness) deploy(snapshot fleet.Snapshot, clusters []fleet.Cluster) {
	h.Helper()
	require.NoError(h, h.fleet.Deploy(h.target(snapshot, clusters)))
	synctest.Wait()
}

// after lets time go by.
func (h *harness) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// commit is a state repository with these contents.
func commit(contents ...map[string][]byte) tree {
	files := map[string][]byte{}
	for _, c := range contents {
		maps.Copy(files, c)
	}
	return tree{files: files}
}

func revision(o apply.Owner, value string) string { return digest(configMap(o, value)) }
