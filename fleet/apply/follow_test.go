package apply_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var resources = map[string]schema.GroupVersionResource{
	"Namespace":  {Version: "v1", Resource: "namespaces"},
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
	"Secret":     {Version: "v1", Resource: "secrets"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

// external is an instance that another agent applies: its objects carry their digest, as rendering has them.
func (r *rig) external(in apply.Instance) apply.Instance {
	r.Helper()
	in.External = true
	in.NamespaceManifest, in.Manifests = r.signed(in.NamespaceManifest), r.signed(in.Manifests)
	return in
}

func (r *rig) signed(manifests []byte) []byte {
	r.Helper()
	var out []string
	for _, u := range r.objects(manifests) {
		annotations := u.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations["transom.dev/digest"] = platform.Digest(u.Object)
		u.SetAnnotations(annotations)
		raw, err := yaml.Marshal(u.Object)
		require.NoError(r, err)
		out = append(out, string(raw))
	}
	return []byte(strings.Join(out, "---\n"))
}

func (r *rig) objects(manifests []byte) (all []*unstructured.Unstructured) {
	r.Helper()
	for document := range strings.SplitSeq(string(manifests), "---\n") {
		u := &unstructured.Unstructured{}
		require.NoError(r, yaml.Unmarshal([]byte(document), &u.Object))
		all = append(all, u)
	}
	return all
}

// sync applies an instance as the other agent would.
func (r *rig) sync(in apply.Instance) {
	r.Helper()
	for _, u := range append(r.objects(in.NamespaceManifest), r.objects(in.Manifests)...) {
		_, err := r.dynamic.Resource(resources[u.GetKind()]).Namespace(u.GetNamespace()).
			Apply(background, u.GetName(), u, metav1.ApplyOptions{FieldManager: "other-agent", Force: true})
		require.NoError(r, err)
	}
}

func TestWhatAnotherAgentAppliesIsHealthyOnceItDid(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.external(r.instance("web", documents(configMap("web", "1"), secret("login", ""))))
	result := r.visit(in)
	require.Equal(t, state.Unknown, result.Health, "nobody's failure: no deadline runs")
	require.Contains(t, result.Message, "has not applied it yet")
	require.Empty(t, result.Problems)
	require.False(t, r.exists("web"))

	r.sync(in)
	r.healthy(in)
	require.NotEmpty(t, r.secret("login").Data["password"], "the values of generated Secrets are made here all the same")
	r.calls.take()
	require.Equal(t, state.Healthy, r.visit(in).Health)
	require.Empty(t, r.calls.take(), "rest costs nothing")

	next := r.external(r.instance("web", documents(configMap("web", "2"), secret("login", ""))))
	require.Equal(t, state.Unknown, r.visit(next).Health, "health of another revision is none")
	r.sync(next)
	r.healthy(next)
	for _, call := range writes(r.calls.take()) {
		require.NotContains(t, call, "/configmaps/web")
	}
}

func TestRemovalByAnotherAgentIsWaitedFor(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.external(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
	r.sync(in)
	r.healthy(in)
	fewer := r.external(r.instance("web", configMap("web-a", "1")))
	require.False(t, r.visit(fewer).Settled)
	require.True(t, r.exists("web-b"), "it is the other agent's to prune")

	gone := absent(in)
	require.Equal(t, state.Progressing, r.visit(gone).Health)
	require.NotEmpty(t, r.inventory("web"), "what has to be gone is remembered across restarts")
	r.connect()
	require.Equal(t, state.Progressing, r.visit(gone).Health)
	for _, name := range []string{"web-a", "web-b"} {
		require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(background, name, metav1.DeleteOptions{}))
	}
	r.healthy(gone)
	require.Empty(t, r.inventory("web"))
}

func TestHandingOverChangesNoObject(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	r.calls.take()
	r.healthy(r.external(in))
	require.Empty(t, writes(r.calls.take()), "the digest on the cluster is the one in the state")
	r.sync(r.external(in))
	r.healthy(in)
	r.healthy(r.instance("web", configMap("web", "2")))
	u, err := r.dynamic.Resource(resources["ConfigMap"]).Namespace(r.team).Get(background, "web", metav1.GetOptions{})
	require.NoError(t, err)
	value, _, _ := unstructured.NestedString(u.Object, "data", "value")
	require.Equal(t, "2", value, "what the other agent applied is taken over again")
}

// TestChangingOverFromFluxWritesEachObjectOnce: once as the state still is, whose objects carry their digests, and not again when the
// state without these comes, wave by wave. The write takes over the fields and changes none, so that no pod starts again.
func TestChangingOverFromFluxWritesEachObjectOnce(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", documents(deployment("web", "nginx:1"), strings.Replace(configMap("web", "1"), "{name: web}", "{name: web, annotations: {note: x}}", 1)))
	signed := r.external(in)
	for _, u := range append(r.objects(signed.NamespaceManifest), r.objects(signed.Manifests)...) {
		labels := u.GetLabels()
		labels["kustomize.toolkit.fluxcd.io/name"], labels["kustomize.toolkit.fluxcd.io/namespace"] = "web", "flux-system"
		u.SetLabels(labels)
		_, err := r.dynamic.Resource(resources[u.GetKind()]).Namespace(u.GetNamespace()).
			Apply(background, u.GetName(), u, metav1.ApplyOptions{FieldManager: "kustomize-controller", Force: true})
		require.NoError(t, err)
	}
	r.healthy(signed)
	pods := func() (names []types.UID) {
		list, err := r.kube.CoreV1().Pods(r.team).List(background, metav1.ListOptions{})
		require.NoError(t, err)
		for _, pod := range list.Items {
			names = append(names, pod.UID)
		}
		return names
	}
	generation := func() int64 {
		d, err := r.kube.AppsV1().Deployments(r.team).Get(background, "web", metav1.GetOptions{})
		require.NoError(t, err)
		return d.Generation
	}
	before, ran := generation(), pods()
	r.calls.take()
	signed.External = false
	for _, step := range []apply.Instance{signed, in} {
		r.healthy(step)
		r.quiet()
		r.healthy(step)
	}
	written := map[string]int{}
	for _, call := range writes(r.calls.take()) {
		if !strings.Contains(call, "/namespaces/transom-system/") {
			written[call[strings.LastIndex(call, "/namespaces/"):]]++
		}
	}
	require.Equal(t, map[string]int{
		"/namespaces/" + r.team: 1, "/namespaces/" + r.team + "/deployments/web": 1, "/namespaces/" + r.team + "/configmaps/web": 1,
	}, written)
	require.Equal(t, before, generation())
	require.Equal(t, ran, pods())
}

func TestWhatIsNotOursIsTheOtherAgentsToDecide(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.external(r.instance("web", configMap("web", "1")))
	r.sync(r.external(r.instance("web", configMap("other", "1"))))
	foreign := r.objects([]byte(configMap("web", "theirs")))[0]
	foreign.SetNamespace(r.team)
	_, err := r.dynamic.Resource(resources["ConfigMap"]).Namespace(r.team).Create(background, foreign, metav1.CreateOptions{})
	require.NoError(t, err)
	result := r.visit(in)
	require.Empty(t, result.Problems)
	require.Equal(t, state.Unknown, result.Health)
	r.sync(in)
	r.healthy(in)
}
