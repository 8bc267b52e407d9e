package apply_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// strict is a manifest as the render of an environment with drift: strict has it.
func strict(manifest string) string {
	return strings.Replace(manifest, "metadata: {name:", `metadata: {annotations: {transom.dev/drift: strict}, name:`, 1)
}

// sideload has people add to the objects of an instance what its manifests do not have.
func (r *rig) sideload() {
	r.Helper()
	r.edit("web", "kubectl-edit", `{"spec":{"template":{"spec":{"hostNetwork":true,"dnsPolicy":"ClusterFirstWithHostNet",
		"containers":[{"name":"sidecar","image":"busybox"},{"name":"app","env":[{"name":"C","value":"3"}],"resources":{"limits":{"cpu":"1"}}}]}}}}`)
	r.edit("web", "kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	r.edit("web", "kubectl-annotate", `{"metadata":{"annotations":{"note":"by ann"}}}`)
	r.edit("web", "autoscaler", `{"spec":{"minReadySeconds":3}}`)
	for what, who := range map[string]string{`{"data":{"more":"2"}}`: "kubectl-patch", `{"immutable":false}`: "operator"} {
		_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(r.Context(), "settings", types.MergePatchType, []byte(what), metav1.PatchOptions{FieldManager: who})
		require.NoError(r, err)
	}
	_, err := r.kube.CoreV1().Secrets(r.team).Patch(r.Context(), "login", types.MergePatchType, []byte(`{"data":{"password":"bWluZQ==","token":"dA=="}}`),
		metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(r, err)
}

func fieldsOf(all []apply.Added) (fields []string) {
	for _, a := range all {
		text := a.Manager + " " + a.Field
		if a.Goes {
			text += " goes"
		}
		fields = append(fields, text)
	}
	return fields
}

// TestWhatIsSetByHandIsShown: with field, manager and time, and nothing is written for it. Fields of controllers, of whoever the
// version leaves them to, values that were generated, and the record of a restart are none.
func TestWhatIsSetByHandIsShown(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(deployment("web", "nginx:1"), configMap("settings", "1"), secret("login", "")))
	in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.template.spec.dnsPolicy"}}}
	require.Empty(t, r.visit(in).Added)
	r.quiet()
	before := time.Now().Add(-2 * time.Second)
	r.sideload()
	r.calls.take()
	result := r.until(in, func(result apply.Result) bool { return len(result.Added) >= 7 })
	require.Equal(t, []string{
		`kubectl-annotate metadata.annotations.note`,
		`kubectl-edit spec.template.spec.containers[name="app"].env[name="C"]`,
		`kubectl-edit spec.template.spec.containers[name="app"].resources.limits`,
		`kubectl-edit spec.template.spec.containers[name="sidecar"]`,
		`kubectl-edit spec.template.spec.hostNetwork`,
		`kubectl-patch data.more`,
		`kubectl-edit data.token`,
	}, fieldsOf(result.Added))
	require.WithinRange(t, result.Added[0].At, before, time.Now().Add(2*time.Second))
	require.Empty(t, result.Changes)
	require.Empty(t, result.Drift)
	require.Empty(t, writes(r.calls.take()))
	r.connect()
	require.Equal(t, result.Added, r.until(in, func(result apply.Result) bool { return len(result.Added) > 0 }).Added, "also after a restart")
}

// TestStrictTakesBackWhatWasSetByHand, and nothing else: a field that a controller owns too, notes on the object, what the version
// leaves to others and values of generated Secrets stay. Nothing is written afterwards.
func TestStrictTakesBackWhatWasSetByHand(t *testing.T) {
	r := newRig(t, &apiOnly)
	manifests := documents(deployment("web", "nginx:1"), configMap("settings", "1"), secret("login", ""))
	in := r.instance("web", manifests)
	in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.template.spec.dnsPolicy"}}}
	r.visit(in)
	r.sideload()
	r.quiet()
	generation := r.deployment("web").Generation

	manifests = documents(strict(deployment("web", "nginx:1")), strict(configMap("settings", "1")),
		strings.Replace(secret("login", ""), "annotations: {", "annotations: {transom.dev/drift: strict, ", 1))
	next := r.instance("web", manifests)
	next.Ignore = in.Ignore
	result := r.visit(next)
	require.Equal(t, map[string]apply.Action{
		"Deployment web": apply.Configured, "ConfigMap settings": apply.Configured, "Secret login": apply.Configured,
	}, actions(result))
	require.Empty(t, result.Problems)
	for _, change := range result.Changes {
		require.True(t, change.Corrects, "%+v", result)
		require.Contains(t, change.Reason, "drift: strict took it back")
	}
	d := r.deployment("web")
	require.False(t, d.Spec.Template.Spec.HostNetwork)
	require.Len(t, d.Spec.Template.Spec.Containers, 1)
	require.Len(t, d.Spec.Template.Spec.Containers[0].Env, 2)
	require.Empty(t, d.Spec.Template.Spec.Containers[0].Resources.Limits)
	require.Equal(t, "by ann", d.Annotations["note"])
	require.Equal(t, "now", d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"])
	require.EqualValues(t, "ClusterFirstWithHostNet", d.Spec.Template.Spec.DNSPolicy)
	require.EqualValues(t, 3, d.Spec.MinReadySeconds)
	require.Equal(t, generation+2, d.Generation, "one step annotates the object, and all goes in another")
	settings, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"value": "1"}, settings.Data)
	require.NotNil(t, settings.Immutable)
	require.Equal(t, []byte("mine"), r.secret("login").Data["password"])
	require.NotContains(t, r.secret("login").Data, "token")

	r.quiet()
	require.Equal(t, []string{"kubectl-annotate metadata.annotations.note"}, fieldsOf(r.visit(next).Added))
	r.calls.take()
	require.Empty(t, r.visit(next).Changes)
	require.Empty(t, writes(r.calls.take()), "it rests")
}

// TestStrictTakesBackWhatToolsSet: Helm writes under its own name, and what was there before server-side apply has a name of its own. Both
// are shown where drift is not strict, and taken back where it is.
func TestStrictTakesBackWhatToolsSet(t *testing.T) {
	for _, who := range []string{"helm", "before-first-apply"} {
		t.Run(who, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			maps := r.kube.CoreV1().ConfigMaps(r.team)
			set := func() {
				_, err := maps.Patch(t.Context(), "web", types.MergePatchType, []byte(`{"data":{"more":"2"}}`), metav1.PatchOptions{FieldManager: who})
				require.NoError(t, err)
			}
			in := r.instance("web", configMap("web", "1"))
			r.visit(in)
			set()
			result := r.until(in, func(result apply.Result) bool { return len(result.Added) > 0 })
			require.Equal(t, []string{who + " data.more"}, fieldsOf(result.Added))

			in = r.instance("web", strict(configMap("web", "1")))
			r.visit(in)
			r.quiet()
			set()
			r.until(in, func(result apply.Result) bool {
				return len(result.Changes) > 0 && strings.Contains(result.Changes[0].Reason, who+" set data.more")
			})
			found, err := maps.Get(t.Context(), "web", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"value": "1"}, found.Data)
		})
	}
}

// TestStrictIsNotFoughtForEver, and what the API server keeps is told with the way out.
func TestStrictIsNotFoughtForEver(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", strict(configMap("web", "1")))
	r.visit(in)
	for range 20 {
		r.quiet()
		_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(r.Context(), "web", types.MergePatchType, []byte(`{"data":{"more":"2"}}`),
			metav1.PatchOptions{FieldManager: "kubectl-patch"})
		require.NoError(t, err)
		r.told(in.Owner)
		if result := r.visit(in); len(result.Problems) > 0 {
			require.Empty(t, result.Changes)
			require.Contains(t, result.Problems[0].String(), "kubectl-patch keeps setting data.more")
			return
		}
	}
	require.Fail(t, "every change was answered")
}

func TestWhatStrictCannotTakeBackIsTold(t *testing.T) {
	r := newRig(t, &apiOnly)
	claim := strings.Replace(claim("web", "transom.dev/drift: strict"), "spec: {", "spec: {storageClassName: none, ", 1)
	in := r.instance("web", claim)
	r.visit(in)
	c, err := r.kube.CoreV1().PersistentVolumeClaims(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	c.Spec.VolumeName = "by-hand"
	_, err = r.kube.CoreV1().PersistentVolumeClaims(r.team).Update(t.Context(), c, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	result := r.until(in, func(result apply.Result) bool { return len(result.Problems) > 0 })
	require.Contains(t, result.Problems[0].String(), "kubectl-edit set spec.volumeName")
	require.Contains(t, result.Problems[0].String(), "and drift: strict cannot take it back: ")
	require.Contains(t, result.Problems[0].String(), "list it under the version's spec.ignore")
	require.NotEmpty(t, result.Added)
}

// TestLeftoverThatHangsIsTold: with its finalizers, while all else is healthy and for as long as it is there.
func TestLeftoverThatHangsIsTold(t *testing.T) {
	r := newRig(t, &apiOnly)
	held := "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/hold]}, data: {a: \"1\"}}"
	r.healthy(r.instance("web", documents(held, configMap("free", "1"))))
	in := r.instance("web", configMap("free", "2"))
	result := r.until(in, func(result apply.Result) bool { return len(result.Leaving) > 0 })
	require.Equal(t, state.Healthy, result.Health)
	require.Empty(t, result.Problems)
	require.Equal(t, "held", result.Leaving[0].Object.Name)
	require.Contains(t, result.Leaving[0].Message, "because of finalizers: example.com/hold.")
	require.Contains(t, result.Message, "it has been Terminating since")
	gone := r.until(absent(in), func(result apply.Result) bool { return len(result.Leaving) > 0 })
	require.Contains(t, gone.Message, "example.com/hold", "also once the request is removed")
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(r.Context(), "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Empty(t, r.until(absent(in), func(result apply.Result) bool { return result.Settled }).Leaving)
}
