package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestForeignObjectIsRefusedBeforeAnyWrite(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1"))) // so that the namespace is there
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web-b"}, Data: map[string]string{"value": "theirs"}}
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(t.Context(), theirs, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)

	r.calls.take()
	result := r.visit(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
	require.Empty(t, writes(r.calls.take()))
	require.Empty(t, result.Changes)
	require.False(t, result.Settled)
	require.Len(t, result.Problems, 1)
	require.Equal(t, "ConfigMap "+r.team+"/web-b: it exists and is not Transom's; it was made by kubectl-create: nothing of the "+
		"instance is written; give one of the two another name, or take it over with adopt: true in the "+
		"request", result.Problems[0].String())
	require.Empty(t, r.inventory("web"))
	_, err = r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web-a", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))

	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "web-b", metav1.DeleteOptions{}))
	r.healthy(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
}

func TestObjectOfAnotherInstanceIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("first", configMap("shared", "1")))
	result := r.visit(r.instance("second", configMap("shared", "2")))
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].Message, "it belongs to first of team "+r.team+" in environment test")
	require.Equal(t, state.Failed, result.Health)
}

func TestForeignNamespaceIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.team}}
	_, err := r.kube.CoreV1().Namespaces().Create(t.Context(), theirs, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	result := r.visit(r.instance("web", configMap("web", "1")))
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].String(), "Namespace "+r.team+": it exists and is not Transom's; it was made by kubectl-create")
	require.Empty(t, writes(r.calls.take()))
}

func TestNamespaceOfAnotherEnvironmentIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web", "1")))
	in := r.instance("api", configMap("api", "1"))
	in.Environment = "other"
	in.NamespaceManifest = r.label(apply.Owner{Environment: "other", Team: r.team}, "",
		"{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+"}}")
	in.Manifests = r.label(in.Owner, r.team, configMap("api", "1"))
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].Message, "it belongs to the namespace of team "+r.team+" in environment test")
}

func TestRemovedLabelsComeBack(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	r.quiet()
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{FieldManager: "kubectl-label"})
	require.NoError(t, err)
	r.told(in.Owner)
	result := r.healthy(in)
	require.Empty(t, result.Problems)
	got, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "web", got.Labels["transom.dev/request"])
}

func TestNothingIsWrittenOutsideTheNamespace(t *testing.T) {
	r := newRig(t, &apiOnly)
	for name, manifest := range map[string]string{
		"another namespace":   "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: default}}",
		"cluster-scoped kind": "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: " + r.team + "}}",
		"namespace":           "{apiVersion: v1, kind: Namespace, metadata: {name: " + r.team + "-too}}",
	} {
		result := r.visit(r.instance("web", documents(configMap("web-a", "1"), manifest)))
		require.Len(t, result.Problems, 1, name)
		require.Empty(t, result.Changes, name)
	}
	require.Empty(t, writes(r.calls.take()))
}

func TestClusterScopedVersionNeedsNoNamespace(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("roles", "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "+r.team+"}, rules: []}")
	in.Scope, in.NamespaceManifest, in.Namespace = platform.ClusterScoped, nil, ""
	in.Manifests = r.label(in.Owner, "", "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "+r.team+"}, rules: []}")
	result := r.healthy(in)
	require.Empty(t, result.Problems)
	require.Equal(t, "ClusterRole.rbac.authorization.k8s.io//"+r.team+"\n", r.inventory("roles"))
}

func TestStateWithoutOurLabelsIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	in.Manifests = []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: " + r.team + "}\n")
	require.Contains(t, r.visit(in).Problems[0].String(), "it must carry the labels")
	in.Manifests = []byte("\n---\n# nothing\n")
	require.Contains(t, r.visit(in).Problems[0].String(), "the state file holds no object")
	in.Manifests = []byte("a: [")
	require.Contains(t, r.visit(in).Problems[0].String(), "the manifests of the state repository cannot be read: document 1")
	require.Empty(t, writes(r.calls.take()))
}
