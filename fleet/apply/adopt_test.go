package apply_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// existing makes a ConfigMap as somebody else would, whose more is another one's.
func (r *rig) existing(name string, labels map[string]string) *corev1.ConfigMap {
	r.Helper()
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(background, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"value": "theirs"},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(r, err)
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(background, name, types.MergePatchType,
		[]byte(`{"data":{"more":"theirs"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(r, err)
	return m
}

// entries are those of an object that a manager has, as JSON.
func entries(of metav1.Object, manager string) string {
	entries := slices.DeleteFunc(slices.Clone(of.GetManagedFields()), func(e metav1.ManagedFieldsEntry) bool { return e.Manager != manager })
	text, _ := json.Marshal(entries)
	return string(text)
}

// adopting is an instance whose request takes over objects that exist.
func (r *rig) adopting(request, manifests string) apply.Instance {
	in := r.instance(request, manifests)
	in.Adopt = true
	return in
}

func TestWhatExistsIsAdoptedWhereTheRequestSaysSo(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1"))) // so that the namespace is there
	theirs := r.existing("web-b", map[string]string{"app.kubernetes.io/managed-by": "Helm"})
	in := r.adopting("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	result, err := r.Observe(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "not adopted", result.Objects[1].Message)
	result = r.visit(in)
	origin := "it was made by kubectl-create; fields taken over from kubectl-create of " + theirs.CreationTimestamp.UTC().Format(time.RFC3339)
	require.Equal(t, []apply.Change{
		{Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "web-a"}, Action: apply.Created},
		{Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "web-b"}, Action: apply.Adopted, Reason: origin, Before: result.Changes[1].Before},
	}, result.Changes)
	require.Equal(t, "adopted ConfigMap "+r.team+"/web-b: "+origin, result.Message)
	require.JSONEq(t, entries(theirs, "kubectl-create"), result.Changes[1].Before)
	require.Equal(t, state.Healthy, result.Health)
	ours, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web-b", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, theirs.UID, ours.UID)
	require.Equal(t, map[string]string{"value": "1", "more": "theirs"}, ours.Data)
	require.Equal(t, "web", ours.Labels["transom.dev/request"])

	// The record stays, also after a restart, and the flag changes nothing any more.
	r.connect()
	for _, again := range []apply.Instance{in, r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))} {
		result = r.healthy(again)
		require.Empty(t, result.Changes)
		require.Equal(t, "adopted: it was there before", result.Objects[1].Message)
		require.Empty(t, result.Objects[0].Message)
	}
	require.Empty(t, writes(r.calls.take()))

	// An object that is made anew is nobody's but ours, and one that nobody wants any more goes as every other does.
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web-b", metav1.DeleteOptions{}))
	r.until(in, func(result apply.Result) bool { return actions(result)["ConfigMap web-b"] == apply.Created })
	require.Empty(t, r.healthy(in).Objects[1].Message)
	r.healthy(absent(in))
	require.False(t, r.exists("web-b"))
}

func TestWhatMayBeAnotherInstancesIsNeverAdopted(t *testing.T) {
	for name, labels := range map[string]map[string]string{
		"managed":  {"app.kubernetes.io/managed-by": "transom"},
		"labelled": {"transom.dev/team": "somebody"},
		"both": {
			"app.kubernetes.io/managed-by": "transom", "transom.dev/team": "somebody",
			"transom.dev/request": "web", "transom.dev/environment": "test",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.visit(r.instance("first", configMap("first", "1")))
			r.existing("web-b", labels)
			r.calls.take()
			result := r.visit(r.adopting("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
			require.Len(t, result.Problems, 1)
			require.NotContains(t, result.Problems[0].Message, "adopt")
			require.Empty(t, writes(r.calls.take()))
			m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web-b", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, "theirs", m.Data["value"])
		})
	}
}

// Whoever removed the labels of an object that we applied made it nobody's in name only.
func TestWhatWasAppliedForAnotherInstanceIsNeverAdopted(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("first", configMap("shared", "1")))
	r.quiet()
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "shared", types.MergePatchType,
		[]byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{FieldManager: "kubectl-label"})
	require.NoError(t, err)
	r.quiet()
	result := r.visit(r.adopting("second", configMap("shared", "2")))
	require.Len(t, result.Problems, 1)
	require.NotContains(t, result.Problems[0].Message, "adopt: true")
	require.Empty(t, result.Changes)
}

// An environment says which namespaces may be taken over; a request cannot.
func TestANamespaceIsAdoptedWhereTheEnvironmentNamesIt(t *testing.T) {
	r := newRig(t, &apiOnly)
	theirs, err := r.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: r.team, Labels: map[string]string{"theirs": "1"}, Annotations: map[string]string{"theirs": "1"},
	}}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	in := r.adopting("web", configMap("web", "1"))
	in.AdoptNamespaces = []string{"another"}
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].Message, "spec.namespace.adopt of the environment")
	require.Empty(t, writes(r.calls.take()))

	in = r.instance("web", configMap("web", "1"))
	in.AdoptNamespaces = []string{r.team}
	other := r.instance("other", configMap("other", "1"))
	other.AdoptNamespaces = in.AdoptNamespaces
	result = r.healthy(in)
	require.Empty(t, r.visit(in).Changes)
	require.Equal(t, apply.Created, actions(r.healthy(other))["ConfigMap other"])
	ours, err := r.kube.CoreV1().Namespaces().Get(t.Context(), r.team, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, theirs.UID, ours.UID)
	require.Equal(t, "1", ours.Labels["theirs"])
	require.Equal(t, "1", ours.Annotations["theirs"])
	require.Equal(t, r.team, ours.Labels["transom.dev/team"])
	r.healthy(absent(in))
	r.healthy(absent(other))
	_, err = r.kube.CoreV1().Namespaces().Get(t.Context(), r.team, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, state.Healthy, result.Health)
}

// Somebody takes it between our read and our write.
func TestWhatSomebodyElseTookMeanwhileIsNotAdopted(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.existing("web", nil)
	first := r.Cluster
	var once bool
	calls := r.calls
	r.connect()
	second := r.Cluster
	calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodPatch && !once {
			once = true
			_, err := second.Apply(background, r.adopting("second", configMap("web", "2")))
			return err
		}
		return nil
	})
	result, err := first.Apply(t.Context(), r.adopting("web", configMap("web", "1")))
	require.NoError(t, err)
	require.True(t, once)
	require.Empty(t, result.Changes)
	require.Equal(t, map[string]string{"web": "2"}, r.values("second"))
	r.Cluster = first
	result = r.until(r.adopting("web", configMap("web", "1")), func(result apply.Result) bool { return len(result.Problems) > 0 })
	require.Contains(t, result.Problems[0].Message, "it belongs to second of team")
	r.Cluster = second
	r.healthy(r.adopting("second", configMap("web", "2")))
}

// A field that cannot change in place is no reason to delete an object that others made.
func TestWhatIsAdoptedIsNotReplaced(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	yes := true
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Immutable: &yes, Data: map[string]string{"value": "theirs"},
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	before := r.uid("web")
	result := r.visit(r.adopting("web", frozen("web", "1")))
	require.Contains(t, result.Problems[0].Message, "Nothing was deleted: give the object a new name, or publish")
	require.Equal(t, before, r.uid("web"))
}

func TestKilledWhileAdoptingTheSameEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	from := func(name string) apply.Instance {
		return r.instance(name, configMap(name+"-a", "1"))
	}
	r.visit(r.instance("first", configMap("first", "1")))
	for n := range 7 {
		r.existing(fmt.Sprintf("web-%d-b", n), nil)
	}
	to := func(name string) apply.Instance {
		return r.adopting(name, documents(configMap(name+"-a", "2"), configMap(name+"-b", "2")))
	}
	killed := r.killedAtEveryWrite(from, to, func(name string) {
		require.Equal(t, map[string]string{name + "-a": "2", name + "-b": "2"}, r.values(name))
		require.Equal(t, "adopted: it was there before", r.visit(to(name)).Objects[1].Message)
	})
	require.Equal(t, 6, killed, "two objects tried, the inventory, what one inherits, and two objects")
}
