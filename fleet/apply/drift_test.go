package apply_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// edit changes a Deployment as a person or a controller would.
func (r *rig) edit(name, who, patch string, subresources ...string) *appsv1.Deployment {
	r.Helper()
	d, err := r.kube.AppsV1().Deployments(r.team).Patch(r.Context(), name, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: who}, subresources...)
	require.NoError(r, err)
	return d
}

func TestTakenFieldIsReclaimedAndNamed(t *testing.T) {
	for name, c := range map[string]struct{ patch, reason string }{
		"changed":  {`{"spec":{"replicas":7}}`, "kubectl-edit had changed spec.replicas"},
		"image":    {`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"nginx:evil"}]}}}}`, "kubectl-edit had changed spec.template.spec.containers[name=app].image"},
		"removed":  {`{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"A","$patch":"delete"}]}]}}}}`, "somebody had removed spec.template.spec.containers[name=app].env[name=A]"},
		"digest":   {`{"metadata":{"annotations":{"transom.dev/digest":"none"}}}`, ""},
		"template": {`{"spec":{"template":{"metadata":{"labels":{"app":"web","more":"yes"}}}}}`, "untouched"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			in := r.instance("web", deployment("web", "nginx:1"))
			r.visit(in)
			r.quiet()
			r.edit("web", "kubectl-edit", c.patch)
			if c.reason == "untouched" { // a field that we never asked for is nobody's to correct
				r.quiet()
				require.Empty(t, r.visit(in).Changes)
				return
			}
			r.told(in.Owner)
			result := r.visit(in)
			require.Len(t, result.Changes, 1)
			require.Equal(t, apply.Configured, result.Changes[0].Action)
			require.Equal(t, c.reason, result.Changes[0].Reason)
			d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, int32(1), *d.Spec.Replicas)
			require.Equal(t, "nginx:1", d.Spec.Template.Spec.Containers[0].Image)
			require.Len(t, d.Spec.Template.Spec.Containers[0].Env, 2)
		})
	}
}

// TestEmptyListsAreNoDrift: of an empty list of containers or variables the API server notes no owner, and one of tolerations is one value.
func TestEmptyListsAreNoDrift(t *testing.T) {
	r := newRig(t, &apiOnly)
	manifest := strings.Replace(deployment("web", "nginx:1"), "      containers:\n", "      initContainers: []\n      imagePullSecrets: []\n      tolerations: []\n      containers:\n", 1)
	require.Contains(t, manifest, "tolerations")
	in := r.instance("web", manifest)
	r.visit(in)
	r.quiet()
	r.connect()
	require.Empty(t, r.visit(in).Changes, "after a restart")
	r.quiet()
	r.edit("web", "kubectl-edit", `{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}`)
	result := r.until(in, func(result apply.Result) bool { return len(result.Changes) > 0 })
	require.Equal(t, "kubectl-edit had changed spec.template.spec.tolerations", result.Changes[0].Reason)
}

func TestStatusWritesCauseNoPatch(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	r.quiet()
	r.calls.take()
	for i := range 5 {
		r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: int32(i)})
		r.quiet()
		require.Empty(t, r.visit(in).Changes)
	}
	require.Empty(t, r.calls.take())
}

func (r *rig) deploymentStatus(name string, status appsv1.DeploymentStatus) {
	r.Helper()
	d, err := r.kube.AppsV1().Deployments(r.team).Get(context.Background(), name, metav1.GetOptions{})
	require.NoError(r, err)
	d.Status = status
	_, err = r.kube.AppsV1().Deployments(r.team).UpdateStatus(context.Background(), d, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.NoError(r, err)
}

func TestIgnoredFieldIsLeftToWhoeverTookIt(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
	r.visit(in)
	r.quiet()
	r.edit("web", "autoscaler", `{"spec":{"replicas":7}}`)
	r.told(in.Owner)
	require.Empty(t, r.visit(in).Changes)

	for _, image := range []string{"nginx:2", "nginx:3"} {
		next := r.instance("web", deployment("web", image))
		next.Ignore = in.Ignore
		require.Equal(t, map[string]apply.Action{"Deployment web": apply.Configured}, actions(r.visit(next)))
		d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, int32(7), *d.Spec.Replicas)
		require.Equal(t, image, d.Spec.Template.Spec.Containers[0].Image)
	}
}

func TestIgnoredFieldThatNobodyTookStaysOurs(t *testing.T) {
	r := newRig(t, &apiOnly)
	ignore := []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
	for _, image := range []string{"nginx:1", "nginx:2", "nginx:3"} {
		in := r.instance("web", deployment("web", image))
		in.Ignore = ignore
		r.visit(in)
		d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		require.Contains(t, string(d.ManagedFields[0].FieldsV1.GetRawBytes()), "f:replicas")
	}
}

func TestDriftThatIsOnlyReportedStays(t *testing.T) {
	r := newRig(t, &apiOnly)
	report := func(image string) apply.Instance {
		in := r.instance("web", documents(deployment("web", image), configMap("web", "1")))
		in.ReportDrift = true
		return in
	}
	r.visit(report("nginx:1"))
	r.available("web")
	require.Empty(t, r.healthy(report("nginx:1")).Drift)
	r.quiet()
	r.edit("web", "kubectl-edit", `{"spec":{"replicas":7}}`)
	r.available("web")
	drift := []apply.Problem{{
		Object:  apply.Object{Group: "apps", Kind: "Deployment", Namespace: r.team, Name: "web"},
		Message: "kubectl-edit had changed spec.replicas",
	}}
	r.calls.take()
	result := r.until(report("nginx:1"), func(result apply.Result) bool { return len(result.Drift) > 0 })
	require.Equal(t, drift, result.Drift)
	require.True(t, result.Settled)
	require.Empty(t, result.Problems)
	require.Empty(t, writes(r.calls.take()))
	r.connect()
	require.Equal(t, drift, r.visit(report("nginx:1")).Drift, "also after a restart")

	// An object that is gone comes back, and a new revision takes every field.
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	r.until(report("nginx:1"), func(result apply.Result) bool { return actions(result)["ConfigMap web"] == apply.Created })
	require.Empty(t, r.visit(report("nginx:2")).Drift)
	r.until(report("nginx:2"), func(apply.Result) bool { return r.replicas("web") == 1 })

	// Once it is to be corrected, it is.
	r.edit("web", "kubectl-edit", `{"spec":{"replicas":7}}`)
	r.until(report("nginx:2"), func(result apply.Result) bool { return len(result.Drift) > 0 })
	correct := report("nginx:2")
	correct.ReportDrift = false
	require.Equal(t, "kubectl-edit had changed spec.replicas", r.visit(correct).Changes[0].Reason)
	require.Equal(t, int32(1), r.replicas("web"))
}

func (r *rig) replicas(name string) int32 {
	r.Helper()
	d, err := r.kube.AppsV1().Deployments(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	return *d.Spec.Replicas
}

func TestFightOverAFieldIsNotFoughtForEver(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	for range 20 {
		r.quiet()
		r.edit("web", "stubborn", `{"spec":{"replicas":7}}`)
		r.told(in.Owner)
		if result := r.visit(in); len(result.Problems) > 0 {
			require.Empty(t, result.Changes)
			require.Contains(t, result.Problems[0].String(), "stubborn keeps changing spec.replicas")
			return
		}
	}
	require.Fail(t, "every change was answered")
}
