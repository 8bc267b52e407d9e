package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// requireLetGo says that a ConfigMap is there, with these contents, and that nothing of it is ours.
func (r *rig) requireLetGo(name, value string) *metav1.ObjectMeta {
	r.Helper()
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	require.Equal(r, map[string]string{"value": value, "more": "theirs"}, m.Data)
	require.Equal(r, map[string]string{"theirs": "1"}, m.Labels)
	require.Empty(r, m.Annotations)
	for _, e := range m.ManagedFields {
		require.NotEqual(r, "transom", e.Manager)
	}
	return &m.ObjectMeta
}

// theirs makes a ConfigMap of which somebody edited a label.
func (r *rig) theirs(name string) {
	r.Helper()
	r.existing(name, nil)
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(background, name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"theirs":"1"}}}`), metav1.PatchOptions{FieldManager: "kubectl-label"})
	require.NoError(r, err)
}

func (r *rig) adopted() (apply.Instance, apply.Object) {
	r.Helper()
	r.visit(r.instance("first", configMap("first", "1")))
	r.theirs("web-b")
	in := r.adopting("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(in)
	return in, apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "web-b"}
}

func TestWhatWasAdoptedIsLetGoWithItsRequest(t *testing.T) {
	r := newRig(t, &apiOnly)
	in, b := r.adopted()
	uid := r.uid("web-b")
	gone := absent(in)
	gone.Recorded = true
	result := r.until(gone, func(result apply.Result) bool { return len(result.Changes) > 0 })
	require.Equal(t, map[string]apply.Action{"ConfigMap web-a": apply.Pruned, "ConfigMap web-b": apply.Kept}, actions(result))
	require.Equal(t, []apply.Object{b}, result.LetGo)
	require.Contains(t, result.Message, "let go ConfigMap "+r.team+"/web-b: it was there before it was adopted, and stays")
	require.Equal(t, uid, r.requireLetGo("web-b", "1").UID)

	// It is remembered for as long as the removal is, also after a restart.
	r.connect()
	require.Equal(t, []apply.Object{b}, r.healthy(gone).LetGo)
	require.Empty(t, writes(r.calls.take()))
	gone.Recorded = false
	r.healthy(gone)
	require.Empty(t, r.visit(gone).LetGo)
	r.requireLetGo("web-b", "1")

	// And it can be adopted again.
	require.Equal(t, apply.Adopted, actions(r.healthy(in))["ConfigMap web-b"])
}

func TestWhatWasAdoptedIsLetGoByAVersionThatDropsIt(t *testing.T) {
	r := newRig(t, &apiOnly)
	in, b := r.adopted()
	next := r.instance("web", configMap("web-a", "1"))
	result := r.until(next, func(result apply.Result) bool { return len(result.Changes) > 0 })
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Kept}, actions(result))
	r.requireLetGo("web-b", "1")
	require.Equal(t, []apply.Object{b}, r.healthy(next).LetGo)
	require.Empty(t, r.healthy(in).LetGo, "it is the instance's again")
}

func TestWhatWasAdoptedIsDeletedWhereTheRequestSaysSo(t *testing.T) {
	r := newRig(t, &apiOnly)
	in, _ := r.adopted()
	in.OnRemoval = platform.RemovalDelete
	require.Equal(t, apply.Pruned, actions(r.until(absent(in), func(result apply.Result) bool { return result.Settled }))["ConfigMap web-b"])
	require.False(t, r.exists("web-b"))
}

func TestKilledWhileLettingGoTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	for _, name := range []string{"web-0-b", "web-1-b", "web-2-b", "web-3-b", "web-4-b"} {
		r.theirs(name)
	}
	from := func(name string) apply.Instance {
		return r.adopting(name, documents(configMap(name+"-a", "1"), configMap(name+"-b", "1")))
	}
	killed := r.killedAtEveryWrite(from, func(name string) apply.Instance { return absent(from(name)) }, func(name string) {
		r.requireLetGo(name+"-b", "1")
		require.False(r, r.exists(name+"-a"))
		require.Empty(t, r.inventory(name))
	})
	require.Equal(t, 3, killed, "two objects and the inventory")
}

// Between the two writes of an adoption an object is nobody's by its labels, and ours by its fields alone.
func TestKilledWhileAdoptingAndThenRemovedLetsGo(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.theirs("web-b")
	in := r.adopting("web", configMap("web-b", "1"))
	require.False(t, r.killedAfter(3, in), "one object tried, the inventory, what it inherits")
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web-b", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"theirs": "1"}, m.Labels)
	require.Equal(t, "theirs", m.Data["value"])
	r.connect()
	r.healthy(absent(in))
	r.requireLetGo("web-b", "theirs")
}
