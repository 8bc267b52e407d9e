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

// clientSide makes objects as kubectl apply does: an Update that owns every field, defaults too.
func (r *rig) clientSide(manifests string) {
	r.Helper()
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var u unstructured.Unstructured
		require.NoError(r, yaml.Unmarshal([]byte(document), &u.Object))
		u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": document})
		gvk := u.GroupVersionKind()
		resource := strings.ToLower(gvk.Kind) + "s"
		if gvk.Kind == "NetworkPolicy" {
			resource = "networkpolicies"
		}
		_, err := r.dynamic.Resource(schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: resource}).Namespace(r.team).
			Create(background, &u, metav1.CreateOptions{FieldManager: "kubectl-client-side-apply"})
		require.NoError(r, err)
	}
}

const (
	shopConfig     = `{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {keep: a, legacy: b}}`
	shopDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: "nginx:1"}]}`
	shopService = `{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}}`
	shopBudget  = `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: shop}, spec: {minAvailable: 1, selector: {matchLabels: {app: shop}}}}`
)

// asWritten is an instance whose labels are on metadata alone.
func (r *rig) asWritten(request, manifests string) apply.Instance {
	in := r.adopting(request, configMap("none", "1"))
	in.Manifests = []byte(strings.ReplaceAll(string(r.label(in.Owner, r.team, manifests)), "        transom.dev/request: "+request+"\n        transom.dev/team: "+r.team+"\n", ""))
	return in
}

func TestWhatLosesNothingIsAdoptedAtOnce(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	all := documents(shopConfig, shopDeployment, shopService, shopBudget)
	r.clientSide(all)
	deployments := r.kube.AppsV1().Deployments(r.team)
	before, err := deployments.Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	in := r.asWritten("shop", all)
	result := r.visit(in)
	require.Nil(t, result.Adoption)
	require.Empty(t, result.Problems)
	require.Len(t, result.Changes, 4)
	after, err := deployments.Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.UID, after.UID)
	require.Equal(t, before.Spec, after.Spec)
	for _, e := range after.ManagedFields {
		require.Equal(t, "transom", e.Manager)
	}

	// All that was there stays, as it is.
	result = r.until(absent(in), func(result apply.Result) bool { return result.Settled })
	require.Len(t, result.LetGo, 4)
	after, err = deployments.Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.Spec, after.Spec)
	require.Equal(t, before.UID, after.UID)
	require.Empty(t, after.Labels)
	require.Empty(t, after.Annotations)
	require.Empty(t, after.ManagedFields)
}

// A key that a later version drops goes although somebody else's tool had written it first.
func TestWhatAnAppliersFileSaidGoesWithALaterVersion(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.clientSide(shopConfig)
	r.healthy(r.adopting("drop", shopConfig))
	r.healthy(r.adopting("drop", `{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {keep: a}}`))
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"keep": "a"}, m.Data)
}

func TestWhatWouldLoseAFieldWaitsForAnApproval(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	custom := strings.Replace(shopDeployment, "  replicas: 2", "  replicas: 2\n  progressDeadlineSeconds: 77", 1)
	custom = strings.Replace(custom, `image: "nginx:1"`, `image: "nginx:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]`, 1)
	r.clientSide(documents(shopConfig, custom, shopService))
	less := documents(`{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {keep: z}}`,
		strings.Replace(shopDeployment, `image: "nginx:1"`, `image: "nginx:1", env: [{name: A, value: "1"}]`, 1), shopService, configMap("new", "1"))
	in := r.asWritten("shop", less)
	r.calls.take()
	observed, err := r.Rehearse(t.Context(), in)
	require.NoError(t, err)
	result := r.visit(in)
	require.Equal(t, []apply.Effect{
		{Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "config"}, Fields: []string{"data.legacy"}},
		{
			Object: apply.Object{Group: "apps", Kind: "Deployment", Namespace: r.team, Name: "shop"},
			Fields: []string{"spec.progressDeadlineSeconds", `spec.template.spec.containers[name="app"].env[name="B"]`},
		},
	}, result.Adoption.Effects)
	require.Equal(t, result.Adoption, observed.Adoption)
	require.Equal(t, state.Unknown, result.Health, "no deadline runs")
	require.False(t, result.Settled)
	require.Empty(t, result.Problems)
	require.Empty(t, result.Changes)
	require.Contains(t, result.Message, "ConfigMap "+r.team+"/config: it would lose data.legacy; Deployment.apps")
	require.Contains(t, result.Message, "An Approval in decisions/test of {adoption: "+result.Adoption.Digest+"} admits exactly that")
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"keep": "a", "legacy": "b"}, m.Data)
	require.Empty(t, m.Labels)
	require.False(t, r.exists("new"))
	require.Empty(t, r.inventory("shop"))

	r.calls.take()
	require.Equal(t, result.Adoption, r.visit(in).Adoption)
	require.Empty(t, writes(r.calls.take()), "nothing is tried again while nothing changed")
	_, err = r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "config", types.MergePatchType, []byte(`{"data": {"later": "c"}}`), metav1.PatchOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	result = r.visit(in)
	require.Equal(t, []string{"data.later", "data.legacy"}, result.Adoption.Effects[0].Fields, "it is tried again")

	in.Approved = []string{"sha256:another"}
	require.NotNil(t, r.visit(in).Adoption)
	in.Approved = []string{result.Adoption.Digest}
	result = r.visit(in)
	require.Nil(t, result.Adoption)
	require.Equal(t, apply.Adopted, actions(result)["Deployment shop"])
	m, err = r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"keep": "z"}, m.Data)
	d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, int32(600), *d.Spec.ProgressDeadlineSeconds)
	require.Len(t, d.Spec.Template.Spec.Containers[0].Env, 1)
}

// An effect that a person approved is remembered before the first write, so that a daemon that dies goes on.
func TestAnApprovedAdoptionThatWasCutShortGoesOn(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	names := []string{"one", "two"}
	for _, name := range names {
		r.clientSide(strings.Replace(shopConfig, "name: config", "name: "+name, 1))
	}
	in := r.adopting("shop", documents(configMap("one", "1"), configMap("two", "1")))
	in.Approved = []string{r.visit(in).Adoption.Digest}
	require.False(t, r.killedAfter(2+2+1+1, in), "two objects tried, and without what goes, the inventory, and one write")
	r.connect()
	in.Approved = nil
	result := r.healthy(in)
	require.Nil(t, result.Adoption)
	for _, name := range names {
		m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"value": "1"}, m.Data)
	}
}

func TestWhatSelectsOtherPodsWaitsForAnApproval(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	policy := `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shop}, spec: {podSelector: {}}}`
	r.clientSide(documents(shopService, shopBudget, policy))
	own := strings.NewReplacer("{app: shop}", "{app: shop, team: me}", "podSelector: {}", "podSelector: {matchLabels: {app: shop}}")
	result := r.visit(r.adopting("shop", own.Replace(documents(shopService, shopBudget, policy))))
	require.Len(t, result.Adoption.Effects, 3)
	selects := map[string]apply.Selection{}
	for _, e := range result.Adoption.Effects {
		require.Empty(t, e.Fields)
		selects[e.Object.Kind] = *e.Selects
	}
	require.Equal(t, map[string]apply.Selection{
		"Service":             {Before: "app=shop", After: "app=shop,team=me"},
		"PodDisruptionBudget": {Before: "app=shop", After: "app=shop,team=me"},
		"NetworkPolicy":       {Before: "all pods", After: "app=shop"},
	}, selects)
}

// One object that would be refused keeps all of them as they are.
func TestNothingIsAdoptedWhereOneObjectWouldBeRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.clientSide(documents(shopConfig, shopDeployment, shopService))
	other := strings.ReplaceAll(shopDeployment, "{app: shop}", "{app: shop, team: me}")
	in := r.asWritten("shop", documents(shopConfig, other, shopService))
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].String(), "Deployment.apps "+r.team+"/shop: spec.selector cannot be changed once the object exists")
	require.Empty(t, result.Changes)
	m, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "config", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, m.Labels)
	require.Empty(t, r.inventory("shop"))
	require.Equal(t, "kubectl-client-side-apply", m.ManagedFields[0].Manager)
}

// A field that another manager owns too stays, and so does one that the version leaves to others.
func TestWhatOthersOwnIsNoLoss(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.clientSide(shopDeployment)
	scaled := strings.Replace(shopDeployment, "  replicas: 2\n", "", 1)
	in := r.asWritten("shop", scaled)
	require.Equal(t, []string{"spec.replicas"}, r.visit(in).Adoption.Effects[0].Fields)
	in.Ignore = []platform.Ignore{{Group: "apps", Kind: "Deployment", Fields: []string{"spec.replicas"}}}
	require.Equal(t, apply.Adopted, actions(r.visit(in))["Deployment shop"])
	d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "shop", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, int32(2), *d.Spec.Replicas)
}

// A cluster-scoped version reaches everywhere, so that a person says where it may take something over.
func TestAdoptingOutsideTheTeamsNamespaceWaitsForAnApproval(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.clientSide(shopConfig)
	in := r.adopting("shop", shopConfig)
	in.Scope, in.NamespaceManifest = platform.ClusterScoped, nil
	in.Namespace = "elsewhere"
	result := r.visit(in)
	require.Equal(t, []apply.Effect{{Object: apply.Object{Kind: "ConfigMap", Namespace: r.team, Name: "config"}, Outside: true}}, result.Adoption.Effects)
	require.Contains(t, result.Message, "it lies outside the team's namespace")
	in.Approved = []string{result.Adoption.Digest}
	require.Equal(t, apply.Adopted, actions(r.visit(in))["ConfigMap config"])
}

// An object that needs another one of the same instance cannot be tried, and does not stand in its way.
func TestWhatCannotBeTriedIsToldAndAdoptedAllTheSame(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("first", configMap("first", "1")))
	r.clientSide(shopConfig)
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: shop}, spec: {serviceAccountName: shop-account, containers: [{name: app, image: "nginx:1"}]}}`
	account := `{apiVersion: v1, kind: ServiceAccount, metadata: {name: shop-account}}`
	result := r.visit(r.adopting("shop", documents(shopConfig, account, pod)))
	require.Empty(t, result.Problems)
	require.Equal(t, apply.Adopted, actions(result)["ConfigMap config"])
	for _, c := range result.Changes {
		if c.Object.Kind == "Pod" {
			require.Contains(t, c.Reason, "could not be tried before: it needs ServiceAccount "+r.team+"/shop-account, which comes with the instance")
		}
	}
}
