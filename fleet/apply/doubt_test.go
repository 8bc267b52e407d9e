package apply_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// fetched is an instance as a state has it that was fetched just now.
func fetched(in apply.Instance) apply.Instance {
	in.Fetched = time.Now()
	return in
}

func (r *rig) value(name string) string {
	r.Helper()
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return m.Data["value"]
}

func doubted(result apply.Result) bool { return result.Overtaken }

// Two daemons work on one cluster, and one of them has not fetched the commit that the other has.
func TestWhatAnotherDaemonAppliedStaysUntilTheStateWasFetchedAgain(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := func(a, b string) apply.Instance {
		return r.instance("web", documents(configMap("web-a", a), configMap("web-b", b)))
	}
	old := fetched(web("1", "1"))
	behind := r.Cluster
	r.healthy(old)
	r.connect()
	r.healthy(web("2", "1"))
	r.Cluster = behind

	result := r.until(old, doubted)
	require.Empty(t, result.Changes)
	require.False(t, result.Settled)
	require.Equal(t, state.Progressing, result.Health)
	require.True(t, r.visit(old).Overtaken, "until it is fetched")
	next := web("1", "2") // of a state that was fetched before as well
	next.Fetched = old.Fetched
	require.Empty(t, r.visit(next).Changes, "nor is anything else of the instance written")
	require.Equal(t, "2", r.value("web-a"))

	require.Equal(t, map[string]apply.Action{"ConfigMap web-a": apply.Configured}, actions(r.visit(fetched(web("1", "1")))),
		"a later fetch confirms what is wanted")
	require.Equal(t, "1", r.value("web-a"))
}

func TestWhatAnotherDaemonAppliedIsUnchangedOnceItsStateWasFetched(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := func(value string) apply.Instance { return r.instance("web", configMap("web", value)) }
	old := fetched(web("1"))
	behind := r.Cluster
	r.healthy(old)
	r.connect()
	r.healthy(web("2"))
	r.Cluster = behind
	r.until(old, doubted)
	r.calls.take()
	require.Empty(t, r.healthy(fetched(web("2"))).Changes)
	require.Empty(t, r.calls.take())
}

// An object that this daemon wrote itself, or found before it fetched, is written over at once.
func TestADaemonAloneDoubtsNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	before := time.Now()
	for _, value := range []string{"1", "2", "3"} {
		in := r.instance("web", configMap("web", value))
		in.Fetched = before // as long as it lasts to apply one state, others are fetched and wait
		result := r.visit(in)
		require.False(t, result.Overtaken)
		require.NotEmpty(t, result.Changes)
		require.Equal(t, value, r.value("web"))
		r.quiet()
	}
}

func TestADigestThatAPersonEditsIsCorrectedAfterOneFetch(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := fetched(r.instance("web", configMap("web", "1")))
	r.healthy(in)
	r.quiet()
	for _, edit := range []struct {
		digest string
		doubts bool
	}{{`"none"`, true}, {"null", false}} {
		_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(r.Context(), "web", types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"transom.dev/digest":`+edit.digest+`}}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		require.NoError(t, err)
		r.told(in.Owner)
		require.Equal(t, edit.doubts, r.visit(in).Overtaken, edit.digest)
		if edit.doubts {
			require.Equal(t, map[string]apply.Action{"ConfigMap web": apply.Configured}, actions(r.visit(fetched(in))))
		}
		r.quiet()
		require.Empty(t, r.visit(in).Changes)
	}
}

func TestWhatAnotherDaemonPrunedStaysGoneUntilTheStateWasFetchedAgain(t *testing.T) {
	r := newRig(t, &apiOnly)
	old := fetched(r.instance("web", configMap("web", "1")))
	behind := r.Cluster
	r.healthy(old)
	r.connect()
	r.healthy(absent(old))
	r.Cluster = behind
	require.Eventually(t, func() bool {
		owners, err := r.Owners(t.Context(), "test")
		return err == nil && !slices.Contains(owners, old.Owner)
	}, patience, 10*time.Millisecond)

	require.Empty(t, r.until(old, doubted).Changes)
	require.False(t, r.exists("web"))
	require.Equal(t, map[string]apply.Action{"ConfigMap web": apply.Created}, actions(r.healthy(fetched(old))),
		"a later fetch confirms that it is wanted")
}

func TestWhatAPersonDeletesComesBackWithoutAFetch(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := fetched(r.instance("web", configMap("web", "1")))
	r.healthy(in)
	r.quiet()
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(background, "web", metav1.DeleteOptions{}))
	r.told(in.Owner)
	require.Equal(t, map[string]apply.Action{"ConfigMap web": apply.Created}, actions(r.visit(in)))
}
