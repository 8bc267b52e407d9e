package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// at is an instance as one commit of the state has it.
func at(sequence int64, in apply.Instance) apply.Instance {
	in.State = apply.State{Sequence: sequence, Commit: map[int64]string{1: "old", 2: "new", 3: "newest"}[sequence]}
	return in
}

// Two daemons work on one cluster, and one of them has not heard of the latest commit.
func TestAStaleDaemonPrunesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	one, two := configMap("web-a", "1"), documents(configMap("web-a", "1"), configMap("web-b", "1"))
	stale := r.Cluster
	r.healthy(at(1, r.instance("web", one)))
	r.connect()
	r.healthy(at(2, r.instance("web", two)))
	r.healthy(at(2, r.instance("cache", configMap("cache", "1")))) // of which the stale one never heard
	r.Cluster = stale
	yields := func(result apply.Result) bool { return !result.Settled }

	result := r.until(at(1, r.instance("web", one)), yields)
	require.Empty(t, result.Changes)
	require.Equal(t, state.Healthy, result.Health)
	require.Equal(t, "ConfigMap "+r.team+"/web-b: it is not pruned, because its inventory was written for state commit new, "+
		"which is later than old. If there is no such commit any more, remove the annotation transom.dev/state from ConfigMap "+
		"transom-system/test."+r.team+".web", result.Message)
	require.True(t, r.exists("web-b"))

	result = r.until(absent(at(1, r.instance("cache", "{}"))), yields)
	require.Equal(t, state.Progressing, result.Health)
	require.Contains(t, result.Message, "which is later than old")
	require.True(t, r.exists("cache"))

	// An object that it adds all the same makes the inventory no older.
	result = r.visit(at(1, r.instance("web", documents(one, configMap("web-c", "1")))))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-c": apply.Created}, actions(result))
	require.True(t, r.exists("web-b"))
	require.Empty(t, r.visit(at(1, r.instance("web", one))).Changes)
	require.True(t, r.exists("web-c"))

	// It has caught up.
	require.Equal(t, map[string]apply.Action{"ConfigMap web-c": apply.Pruned}, actions(r.healthy(at(2, r.instance("web", two)))))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Pruned}, actions(r.healthy(at(3, r.instance("web", one)))))
	r.healthy(absent(at(3, r.instance("cache", "{}"))))
	require.False(t, r.exists("cache"))
}

// The objects that may be pruned are read from the inventory as it is now, and not as the watch, which may be behind, has it.
func TestADaemonWhoseWatchIsBehindPrunesNothingThatALaterStateKept(t *testing.T) {
	r := newRig(t, &apiOnly)
	two := documents(configMap("web-a", "1"), configMap("web-b", "1"))
	r.healthy(at(1, r.instance("web", two)))
	stale, calls := r.Cluster, r.calls
	calls.gate.Lock()
	defer calls.gate.Unlock()
	r.connect()
	r.healthy(at(3, r.instance("web", documents(two, configMap("web-c", "1")))))
	r.Cluster = stale
	require.Empty(t, r.visit(at(2, r.instance("web", configMap("web-a", "1")))).Changes)
	require.True(t, r.exists("web-b"))
}

func TestInventoriesOfUnknownStatesArePruned(t *testing.T) {
	r := newRig(t, &apiOnly)
	two := documents(configMap("web-a", "1"), configMap("web-b", "1"))
	r.healthy(at(0, r.instance("web", two)))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Pruned},
		actions(r.healthy(at(1, r.instance("web", configMap("web-a", "1"))))))
	r.healthy(at(2, r.instance("web", two)))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Pruned},
		actions(r.healthy(at(0, r.instance("web", configMap("web-a", "1"))))), "who knows no order keeps none")
}
