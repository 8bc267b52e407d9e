package apply_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
)

func TestFieldsOfAppliersAreInherited(t *testing.T) {
	entry := func(manager, operation, version, fields string) string {
		return `{"manager":"` + manager + `","operation":"` + operation + `","apiVersion":"` + version + `","fieldsType":"FieldsV1","fieldsV1":` + fields + `}`
	}
	const replicas, paused, image = `{"f:spec":{"f:replicas":{}}}`, `{"f:spec":{"f:paused":{}}}`, `{"f:spec":{"f:image":{}}}`
	controller := entry("controller", "Update", "v1", paused)
	for name, c := range map[string]struct{ entries, want string }{
		"no applier":              {controller, ""},
		"no entry":                {"", ""},
		"of an Update":            {entry("kubectl-create", "Update", "v1", replicas) + "," + controller, controller + "," + entry("transom", "Apply", "v1", replicas)},
		"of kubectl expose":       {entry("kubectl-expose", "Update", "v1", replicas), entry("transom", "Apply", "v1", replicas)},
		"of an Apply":             {entry("helm", "Apply", "v1", replicas), entry("transom", "Apply", "v1", replicas)},
		"of an agent":             {entry("kustomize-controller", "Apply", "v1", replicas), entry("transom", "Apply", "v1", replicas)},
		"a prefix is no applier":  {entry("kubectl-edit", "Update", "v1", replicas), ""},
		"of several":              {entry("helm", "Update", "v1", replicas) + "," + entry("kubectl", "Update", "v1", paused), entry("transom", "Apply", "v1", `{"f:spec":{"f:paused":{},"f:replicas":{}}}`)},
		"beside ours":             {entry("helm", "Update", "v1", replicas) + "," + entry("transom", "Apply", "v1", paused), entry("transom", "Apply", "v1", `{"f:spec":{"f:paused":{},"f:replicas":{}}}`)},
		"of another version":      {entry("helm", "Update", "v1beta1", replicas) + "," + entry("transom", "Apply", "v1", paused), entry("transom", "Apply", "v1", paused)},
		"what is left to others":  {entry("helm", "Update", "v1", `{"f:spec":{"f:image":{},"f:replicas":{}}}`), entry("transom", "Apply", "v1", replicas)},
		"all is left to others":   {entry("helm", "Update", "v1", image), entry("transom", "Apply", "v1", `{}`)},
		"status is no file's":     {`{"manager":"helm","operation":"Update","subresource":"status","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{}}`, ""},
		"an update of ours stays": {entry("helm", "Update", "v1", replicas) + "," + entry("transom", "Update", "v1", paused), entry("transom", "Apply", "v1", replicas) + "," + entry("transom", "Update", "v1", paused)},
	} {
		got, err := apply.Inherit("["+c.entries+"]", "spec", "image")
		require.NoError(t, err, name)
		if c.want == "" {
			require.Empty(t, got, name)
			continue
		}
		require.JSONEq(t, "["+c.want+"]", got, name)
	}
}

// TestLabelsOfAgentsAreKnown, also beside paths that no API server writes.
func TestLabelsOfAgentsAreKnown(t *testing.T) {
	marks, err := apply.MarksForAgent(`{"f:metadata":{"f:labels":{"f:argocd.argoproj.io/instance":{}}}}`)
	require.NoError(t, err)
	require.Equal(t, []bool{true}, marks)
	marks, err = apply.MarksForAgent(`{"i:0":{"f:labels":{"f:argocd.argoproj.io/instance":{}}},"f:metadata":{"f:labels":{"f:tier":{}}}}`)
	require.NoError(t, err)
	require.Equal(t, []bool{false, false}, marks)
}

// agentApplies makes or writes an object as an agent does, with a label by which it knows its objects.
func (r *rig) agentApplies(agent, label, manifest string) {
	r.Helper()
	var u unstructured.Unstructured
	require.NoError(r, yaml.Unmarshal([]byte(manifest), &u.Object))
	u.SetLabels(map[string]string{label: "shop"})
	_, err := r.dynamic.Resource(resources[u.GetKind()]).Namespace(r.team).
		Apply(background, u.GetName(), &u, metav1.ApplyOptions{FieldManager: agent, Force: true})
	require.NoError(r, err)
}

// TestWhatAnAgentAppliedIsTakenOverByApproval: the fields and the label by which the agent would prune the object go once a person approved
// exactly these, so that nothing stays with an agent that nobody runs any more, and what a later version drops goes. An agent that was
// not stopped is told, and nobody fights with it, not even where drift is strict.
func TestWhatAnAgentAppliedIsTakenOverByApproval(t *testing.T) {
	for agent, label := range map[string]string{
		"kustomize-controller": "kustomize.toolkit.fluxcd.io/name", "helm-controller": "helm.toolkit.fluxcd.io/name", "argocd-controller": "argocd.argoproj.io/instance",
	} {
		t.Run(agent, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			r.visit(r.instance("first", configMap("first", "1")))
			r.agentApplies(agent, label, shopConfig)
			in := r.adopting("shop", `{apiVersion: v1, kind: ConfigMap, metadata: {name: config, annotations: {transom.dev/drift: strict}}, data: {keep: a}}`)
			waiting := r.visit(in)
			require.NotNil(t, waiting.Adoption, agent)
			require.Equal(t, []apply.Effect{{
				Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "config"}, Agent: agent,
				Fields: []string{"data.legacy", "metadata.labels." + label},
			}}, waiting.Adoption.Effects)
			require.Contains(t, waiting.Message, agent+" applies it: suspend that first")
			in.Approved = []string{waiting.Adoption.Digest}
			require.Empty(t, r.healthy(in).Added)
			configs := r.kube.CoreV1().ConfigMaps(r.team)
			m, err := configs.Get(t.Context(), "config", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"keep": "a"}, m.Data)
			require.NotContains(t, m.Labels, label)
			for _, e := range m.ManagedFields {
				require.Equal(t, "transom", e.Manager)
			}

			r.agentApplies(agent, label, shopConfig) // it was not stopped
			result := r.until(in, func(result apply.Result) bool { return len(result.Added) > 0 })
			require.Equal(t, []string{agent + " data.legacy"}, fieldsOf(result.Added))
			require.True(t, result.Added[0].Agent)
			require.Empty(t, result.Problems)
			r.quiet()
			r.calls.take()
			require.Len(t, r.visit(in).Added, 1)
			require.Empty(t, writes(r.calls.take()), "nobody fights")
		})
	}
}

// TestWhatALaterVersionDropsGoesFromAnAgentToo: of an object that an agent applies as well the field would stay for ever.
func TestWhatALaterVersionDropsGoesFromAnAgentToo(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.agentApplies("kustomize-controller", "kustomize.toolkit.fluxcd.io/name", shopConfig)
	in := r.adopting("shop", shopConfig)
	in.Approved = []string{r.visit(in).Adoption.Digest}
	r.healthy(in)
	in = r.adopting("shop", strings.Replace(shopConfig, ", legacy: b", "", 1))
	r.healthy(in)
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"keep": "a"}, m.Data)
}

// TestFieldsOfAnExternalEnvironmentBecomeOurs once Transom applies them itself, again or for the first time: of an object that the agent owns
// as well, a field that a later version drops would stay for ever. The label by which the agent prunes goes; what else it alone had set
// stays and is told.
func TestFieldsOfAnExternalEnvironmentBecomeOurs(t *testing.T) {
	for name, before := range map[string]bool{"again": true, "for the first time": false} {
		t.Run(name, func(t *testing.T) {
			const agent, label = "kustomize-controller", "kustomize.toolkit.fluxcd.io/name"
			r := newRig(t, &apiOnly)
			r.visit(r.instance("first", configMap("first", "1")))
			in := r.instance("shop", shopConfig)
			if before {
				r.healthy(in)
			}
			in.External = true
			var u unstructured.Unstructured
			require.NoError(t, yaml.Unmarshal(in.Manifests, &u.Object))
			labels := u.GetLabels()
			labels[label], labels["tier"] = "shop", "one"
			u.SetLabels(labels)
			configs := r.dynamic.Resource(resources["ConfigMap"]).Namespace(r.team)
			_, err := configs.Apply(background, "config", &u, metav1.ApplyOptions{FieldManager: agent, Force: true})
			require.NoError(t, err)
			require.Empty(t, r.visit(in).Added)

			in.External = false
			if before { // the watch has told the agent's write
				r.until(in, func(result apply.Result) bool { return len(result.Added) == 1 })
			}
			r.healthy(in)
			in.Manifests = r.instance("shop", strings.Replace(shopConfig, "legacy: b", "new: c", 1)).Manifests
			r.healthy(in)
			result := r.until(in, func(result apply.Result) bool { return len(result.Added) == 1 })
			require.Equal(t, []string{agent + " metadata.labels.tier"}, fieldsOf(result.Added))
			in.Manifests = r.instance("shop", strings.Replace(shopConfig, ", legacy: b", "", 1)).Manifests
			r.healthy(in)
			m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"keep": "a"}, m.Data)
			require.NotContains(t, m.Labels, label)
			require.Equal(t, "one", m.Labels["tier"])
			r.quiet()
			r.calls.take()
			r.visit(in)
			require.Empty(t, writes(r.calls.take()))
		})
	}
}
