package apply_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestApplyCreatesNamespaceInventoryAndObjects(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	result := r.healthy(in)
	require.Empty(t, result.Problems)

	ns, err := r.kube.CoreV1().Namespaces().Get(t.Context(), r.team, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "transom", ns.Labels["app.kubernetes.io/managed-by"])
	a, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web-a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"value": "1"}, a.Data)
	require.True(t, strings.HasPrefix(a.Annotations["transom.dev/digest"], "sha256:"))
	require.Equal(t, "ConfigMap/"+r.team+"/web-a\nConfigMap/"+r.team+"/web-b\n", r.inventory("web"))

	owners, err := r.Owners(t.Context(), "test")
	require.NoError(t, err)
	require.Contains(t, owners, in.Owner)
}

// inventory is the text of a request's inventory; empty if there is none.
func (r *rig) inventory(request string) string {
	m, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(background, "test."+r.team+"."+request, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return m.Data["objects"]
}

func TestApplyPatchesOnlyWhatChanged(t *testing.T) {
	r := newRig(t, &apiOnly)
	first := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	require.Equal(t, map[string]apply.Action{
		"Namespace " + r.team: apply.Created, "ConfigMap web-a": apply.Created, "ConfigMap web-b": apply.Created,
	}, actions(r.visit(first)))

	r.calls.take()
	second := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "2")))
	result := r.visit(second)
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Configured}, actions(result))
	require.Equal(t, 1, result.Unchanged)
	require.Equal(t, []string{"PATCH /api/v1/namespaces/" + r.team + "/configmaps/web-b"}, r.calls.take())
}

func TestRestCostsNoCalls(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), deployment("web", "nginx:1")))
	r.visit(in)
	r.quiet()
	r.calls.take()
	for range 3 {
		require.Empty(t, r.visit(in).Changes)
	}
	require.Empty(t, r.calls.take())
}

func TestRestartedDaemonWritesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), deployment("web", "nginx:1"), service("web")))
	r.visit(in)
	r.connect()
	result := r.visit(in)
	require.Empty(t, result.Changes)
	require.Equal(t, 3, result.Unchanged)
	require.Empty(t, writes(r.calls.take()))
}

func TestObserveWritesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	result, err := r.Observe(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, state.Progressing, result.Health)
	require.Empty(t, writes(r.calls.take()))

	r.visit(in)
	result, err = r.Observe(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, state.Healthy, result.Health)
}

func TestDeletedObjectComesBack(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(in)
	r.quiet()
	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web-a", metav1.DeleteOptions{}))
	r.told(in.Owner)
	require.Equal(t, map[string]apply.Action{"ConfigMap web-a": apply.Created}, actions(r.visit(in)))
}

func deployment(name, image string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  replicas: 1
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec:
      containers:
      - name: app
        image: ` + image + `
        ports: [{containerPort: 80}]
        env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        resources: {}
        volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]`
}

func service(name string) string {
	return `apiVersion: v1
kind: Service
metadata: {name: ` + name + `}
spec:
  selector: {app: ` + name + `}
  ports: [{port: 80, targetPort: 80, name: http}, {port: 53, protocol: UDP, name: dns}]`
}

// TestStatusIsNotApplied: a status and an empty creationTimestamp, as tools write them, are left out of the applied fields. The
// digest is of the manifest as it is in Git, so nothing that runs is written again for it.
func TestStatusIsNotApplied(t *testing.T) {
	r := newRig(t, &apiOnly)
	plain := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, creationTimestamp: null}\ndata: {a: b}"
	in := r.instance("web", plain+"\nstatus: {phase: Done}")
	require.Empty(t, r.healthy(in).Problems, "the API server refuses a ConfigMap with a status")
	live, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)

	without, err := r.digest(r.instance("web", plain))
	require.NoError(t, err)
	with, err := r.digest(in)
	require.NoError(t, err)
	require.NotEqual(t, without, with)
	require.Equal(t, with, live.Annotations["transom.dev/digest"])

	r.calls.take()
	require.Equal(t, 1, r.visit(in).Unchanged)
	require.Empty(t, writes(r.calls.take()))
}

// digest is that of the only object of an instance, as it is in its manifests.
func (r *rig) digest(in apply.Instance) (string, error) {
	var object map[string]any
	if err := yaml.Unmarshal(in.Manifests, &object); err != nil {
		return "", err
	}
	return platform.Digest(object), nil
}
