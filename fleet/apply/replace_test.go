package apply_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

const replaceable = `transom.dev/replace: "true"`

// frozen is a ConfigMap whose data cannot change in place, and that may be replaced.
func frozen(name, value string) string {
	return strings.Replace(annotated(configMap(name, value), replaceable), "kind: ConfigMap", "kind: ConfigMap, immutable: true", 1)
}

func (r *rig) uid(configMap string) types.UID {
	r.Helper()
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, configMap, metav1.GetOptions{})
	require.NoError(r, err)
	return m.UID
}

func TestWhatCannotChangeInPlaceIsReplaced(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", frozen("web", "1")))
	before := r.uid("web")
	r.calls.take()
	in := r.instance("web", frozen("web", "2"))
	result := r.visit(in)
	require.Equal(t, []apply.Change{{
		Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "web"},
		Action: apply.Replaced, Reason: "data cannot be changed in place",
	}}, result.Changes)
	const at = "/api/v1/namespaces/%/configmaps/"
	path := strings.Replace(at, "%", r.team, 1)
	require.Equal(t, []string{
		"PATCH " + path + "web", "PATCH " + path + "web-" + string(before)[:8], // refused, and tried under another name
		"GET " + path + "web", "DELETE " + path + "web", "GET " + path + "web", "PATCH " + path + "web",
	}, r.calls.take())
	require.NotEqual(t, before, r.uid("web"))
	require.Equal(t, map[string]string{"web": "2"}, r.values("web"))
	r.healthy(in)
	r.quiet()
	r.calls.take()
	require.Empty(t, r.visit(in).Changes)
	require.Empty(t, r.calls.take())
}

func TestNothingIsReplacedUnannotated(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", frozen("web", "1")))
	before := r.uid("web")
	bare := strings.Replace(frozen("web", "2"), replaceable, "", 1)
	result := r.visit(r.instance("web", bare))
	require.Contains(t, result.Problems[0].String(), `or annotate it transom.dev/replace: "true" to have it deleted and made anew`)
	require.Equal(t, before, r.uid("web"))
	result = r.visit(r.instance("web", strings.Replace(frozen("web", "2"), `"true"`, `"yes"`, 1)))
	require.Contains(t, result.Problems[0].String(), `transom.dev/replace: "yes" is not known; write "true"`)
	require.Equal(t, before, r.uid("web"))
}

func TestNothingIsDeletedThatCouldNotBeMadeAnew(t *testing.T) {
	r := newRig(t, &apiOnly)
	web := annotated(deployment("web", "nginx:1"), replaceable)
	r.visit(r.instance("web", web))
	before, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	worse := strings.Replace(strings.ReplaceAll(web, "app: web", "app: other"), "mountPath: /tmp", "mountPath: ''", 1)
	r.calls.take()
	result := r.visit(r.instance("web", worse))
	require.Contains(t, result.Problems[0].String(), "Deployment.apps "+r.team+"/web: spec.selector cannot be changed once the object "+
		"exists, and it is not replaced: the API server would refuse a new one: ")
	require.Contains(t, result.Problems[0].String(), "mountPath: Required value")
	require.False(t, result.Settled)
	for _, call := range r.calls.take() {
		require.NotContains(t, call, http.MethodDelete)
	}
	after, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.UID, after.UID)

	r.visit(r.instance("web", strings.ReplaceAll(web, "app: web", "app: other")))
	after, err = r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotEqual(t, before.UID, after.UID)
	require.Equal(t, "other", after.Spec.Selector.MatchLabels["app"])
}

func TestWhatMayHoldDataIsNeverReplaced(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"claim": {
			claim("data", prunable+", "+replaceable),
			strings.Replace(claim("data", prunable+", "+replaceable), "ReadWriteOnce", "ReadWriteMany", 1),
			"Nothing was deleted: give the object a new name, or publish a version that leaves the field as it was",
		},
		"generated secret": {
			secret("login", replaceable+", "+prunable),
			strings.Replace(secret("login", replaceable+", "+prunable), "kind: Secret", "kind: Secret, type: example.com/other", 1),
			"Nothing was deleted: give the object a new name, or publish a version that leaves the field as it was",
		},
		"claims that go with their set": {
			annotated(strings.Replace(statefulSet("db"), "spec: {replicas", "spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}, replicas", 1), replaceable),
			strings.Replace(annotated(statefulSet("db"), replaceable), "1Gi", "2Gi", 1),
			"and it is not replaced: the claims of its pods would go with it; set spec.persistentVolumeClaimRetentionPolicy.whenDeleted to Retain",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.visit(r.instance("web", c.before))
			r.calls.take()
			result := r.visit(r.instance("web", c.after))
			require.Len(t, result.Problems, 1)
			require.Contains(t, result.Problems[0].Message, c.want)
			for _, call := range r.calls.take() {
				require.NotContains(t, call, http.MethodDelete)
			}
		})
	}
}

func TestReplacingWaitsForTheEndOfTheOldObject(t *testing.T) {
	r := newRig(t, &apiOnly)
	held := strings.Replace(frozen("web", "1"), "name: web", "name: web, finalizers: [example.com/hold]", 1)
	r.healthy(r.instance("web", documents(held, inStep("1", configMap("late", "1")))))
	in := r.instance("web", documents(frozen("web", "2"), inStep("1", configMap("late", "2"))))
	result := r.visit(in)
	require.Equal(t, map[string]apply.Action{"ConfigMap web": apply.Replaced}, actions(result))
	require.Contains(t, result.Message, "ConfigMap "+r.team+"/web: ") // the watch tells of the deletion in its own time
	require.Contains(t, result.Message, "; step 1 waits for it")
	result = r.visit(in)
	require.Empty(t, result.Changes, "it is told once")
	require.Equal(t, "1", r.values("web")["late"])
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	r.until(in, func(result apply.Result) bool { return actions(result)["ConfigMap web"] == apply.Created })
	r.healthy(in)
	require.Equal(t, map[string]string{"web": "2", "late": "2"}, r.values("web"))
}

func TestAnObjectThatChangedAfterItWasReadIsNotReplaced(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", frozen("web", "1")))
	before := r.uid("web")
	var once bool
	r.calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodDelete && !once {
			once = true
			_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(background, "web", types.MergePatchType,
				[]byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{})
			return err
		}
		return nil
	})
	in := r.instance("web", frozen("web", "2"))
	result := r.visit(in)
	require.True(t, once)
	require.Empty(t, result.Changes)
	require.Equal(t, before, r.uid("web"))
	require.Contains(t, result.Message, "somebody else wrote it at the same time")
	r.healthy(in)
	require.NotEqual(t, before, r.uid("web"))
}

// Two daemons work on one cluster, and one of them has not heard of the commit that the other replaced an object for.
func TestAStaleDaemonReplacesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	stale := r.Cluster
	r.healthy(at(1, r.instance("web", frozen("web", "1"))))
	r.connect()
	r.healthy(at(2, r.instance("web", frozen("web", "2"))))
	uid := r.uid("web")
	r.Cluster = stale
	result := r.until(at(1, r.instance("web", frozen("web", "1"))), func(result apply.Result) bool {
		return strings.Contains(result.Message, "it is left to whoever works on state commit new")
	})
	require.Empty(t, result.Changes)
	require.Equal(t, uid, r.uid("web"))
	r.healthy(at(2, r.instance("web", frozen("web", "2"))))
}

// A release with another migration runs that before its Deployment, and never two at a time.
func TestWholeClusterMigratesAnewForTheNextRelease(t *testing.T) {
	r := newRig(t, &whole)
	release := func(image string) apply.Instance {
		return r.instance("web", documents(annotated(job("migrate", image), replaceable), inStep("1", deployment("web", image))))
	}
	r.healthy(release("nginx:1"))
	before, err := r.kube.BatchV1().Jobs(r.team).Get(t.Context(), "migrate", metav1.GetOptions{})
	require.NoError(t, err)
	r.until(release("nginx:2"), func(result apply.Result) bool {
		return result.Health == state.Healthy && result.Settled
	})
	after, err := r.kube.BatchV1().Jobs(r.team).Get(t.Context(), "migrate", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotEqual(t, before.UID, after.UID)
	require.Equal(t, "nginx:2", after.Spec.Template.Spec.Containers[0].Image)
	d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "nginx:2", d.Spec.Template.Spec.Containers[0].Image)
	pods, err := r.kube.CoreV1().Pods(r.team).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=migrate"})
	require.NoError(t, err)
	require.Len(t, pods.Items, 1, "those of the old one went before it")
}
