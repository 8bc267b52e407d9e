package apply_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func (r *rig) exists(configMap string) bool {
	r.Helper()
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, configMap, metav1.GetOptions{})
	if err != nil {
		require.True(r, apierrors.IsNotFound(err), err)
	}
	return err == nil
}

// absent is an instance once its request is gone.
func absent(in apply.Instance) apply.Instance {
	in.Manifests, in.NamespaceManifest, in.Absent = nil, nil, true
	return in
}

func TestWhatIsNotDesiredAnyMoreIsPruned(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))))
	result := r.healthy(r.instance("web", configMap("web-a", "1")))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Pruned}, actions(result))
	require.False(t, r.exists("web-b"))
	require.Equal(t, "ConfigMap/"+r.team+"/web-a\n", r.inventory("web"))
}

func TestRemovedInstanceLeavesNothingButItsNamespace(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), deployment("web", "nginx:1"), service("web")))
	r.visit(in)
	result := r.healthy(absent(in))
	require.Len(t, result.Changes, 3)
	require.False(t, r.exists("web-a"))
	require.Empty(t, r.inventory("web"))
	owners, err := r.Owners(t.Context(), "test")
	require.NoError(t, err)
	require.NotContains(t, owners, in.Owner)
	_, err = r.kube.CoreV1().Namespaces().Get(t.Context(), r.team, metav1.GetOptions{})
	require.NoError(t, err)

	r.calls.take()
	require.True(t, r.visit(absent(in)).Settled)
	require.Empty(t, r.calls.take())
}

func TestPruneWaitsForTheHealthOfWhatReplaces(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web-a", "1")))
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	r.quiet()
	require.Equal(t, state.Progressing, r.visit(in).Health)
	require.True(t, r.exists("web-a"))
	r.available("web")
	r.until(in, func(result apply.Result) bool { return actions(result)["ConfigMap web-a"] == apply.Pruned })
	require.False(t, r.exists("web-a"))
}

func TestPruneSparesWhatIsNotOurs(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"), configMap("web-c", "1"))))
	r.healthy(r.instance("other", configMap("other", "1")))
	// Somebody makes web-b their own, and writes an object of another instance into the inventory.
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web-b", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"transom.dev/request":"mine"}}}`), metav1.PatchOptions{FieldManager: "kubectl-label"})
	require.NoError(t, err)
	inventory, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(t.Context(), "test."+r.team+".web", metav1.GetOptions{})
	require.NoError(t, err)
	inventory.Data["objects"] += "ConfigMap/" + r.team + "/other\n"
	_, err = r.kube.CoreV1().ConfigMaps("transom-system").Update(t.Context(), inventory, metav1.UpdateOptions{})
	require.NoError(t, err)
	r.quiet()

	result := r.healthy(r.instance("web", configMap("web-a", "1")))
	require.Equal(t, map[string]apply.Action{
		"ConfigMap web-b": apply.Kept, "ConfigMap web-c": apply.Pruned, "ConfigMap other": apply.Kept,
	}, actions(result))
	require.True(t, r.exists("web-b"))
	require.True(t, r.exists("other"))
	require.Equal(t, "ConfigMap/"+r.team+"/web-a\n", r.inventory("web"))
}

func TestPruneSparesWhatCannotBeMadeAgain(t *testing.T) {
	precious := documents(claim("data", ""), secret("login", ""), claim("scratch", prunable), secret("token", prunable), configMap("plain", "1"))
	for name, c := range map[string]struct {
		deletion platform.Deletion
		kept     []string
		pruned   []string
	}{
		"delete":  {platform.DeletionDelete, []string{"data", "login"}, []string{"scratch", "token", "plain"}},
		"confirm": {platform.DeletionConfirm, []string{"data", "login", "scratch", "token"}, []string{"plain"}},
		"retain":  {platform.DeletionRetain, []string{"data", "login", "scratch", "token", "plain"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			in := r.instance("db", precious)
			in.Deletion = c.deletion
			r.visit(in)
			byAction := map[apply.Action][]string{}
			result := r.until(absent(in), func(result apply.Result) bool {
				for _, change := range result.Changes {
					byAction[change.Action] = append(byAction[change.Action], change.Object.Name)
				}
				if !result.Settled { // the controller that would let go of claims is not here
					r.unprotect()
				}
				return result.Settled
			})
			require.Equal(t, state.Healthy, result.Health)
			require.ElementsMatch(t, c.kept, byAction[apply.Kept])
			require.ElementsMatch(t, c.pruned, byAction[apply.Pruned])
			require.Empty(t, r.inventory("db"))
		})
	}
}

const prunable = "transom.dev/prune: \"true\""

func claim(name, annotation string) string {
	return "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: " + name + ", annotations: {" + annotation + "}}, " +
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"
}

// unprotect plays the controller for the protection of claims, once no pod uses a claim.
func (r *rig) unprotect() {
	claims, err := r.kube.CoreV1().PersistentVolumeClaims(r.team).List(background, metav1.ListOptions{})
	require.NoError(r, err)
	for i := range claims.Items {
		if c := &claims.Items[i]; c.DeletionTimestamp != nil {
			c.Finalizers = nil
			_, err := r.kube.CoreV1().PersistentVolumeClaims(r.team).Update(background, c, metav1.UpdateOptions{})
			require.NoError(r, err)
		}
	}
}

func TestNothingIsDeletedWhenAReadFails(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(in)
	r.calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/web-b") {
			return errors.New("connection reset")
		}
		return nil
	})
	r.calls.take()
	_, err := r.Apply(t.Context(), r.instance("web", configMap("web-a", "1")))
	require.ErrorContains(t, err, "connection reset")
	require.Empty(t, writes(r.calls.take()))
	require.True(t, r.exists("web-b"))
	require.Contains(t, r.inventory("web"), "web-b")
}

func TestAnInventoryThatCannotBeReadPrunesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	r.healthy(in)
	_, err := r.kube.CoreV1().ConfigMaps("transom-system").Patch(t.Context(), "test."+r.team+".web", types.MergePatchType,
		[]byte(`{"data":{"objects":"ConfigMap web-a\n"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the watch saw it
		result, err := r.Observe(background, absent(in))
		return err == nil && len(result.Problems) > 0
	}, patience, 10*time.Millisecond)
	result := r.visit(absent(in))
	require.Contains(t, result.Problems[0].String(), `has the line "ConfigMap web-a"`)
	require.True(t, r.exists("web-a"))
}

func TestEmptyRenderPrunesNothing(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	r.healthy(in)
	in.Manifests = nil
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.True(t, r.exists("web-a"))
}

func TestObjectThatChangedAfterItWasReadIsNotDeleted(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1")))
	r.healthy(in)
	var once bool
	r.calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodDelete && !once {
			once = true
			_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(background, "web-b", types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"transom.dev/request":"mine"}}}`), metav1.PatchOptions{})
			return err
		}
		return nil
	})
	result := r.visit(r.instance("web", configMap("web-a", "1")))
	require.True(t, once)
	require.False(t, result.Settled)
	require.Empty(t, result.Changes)
	require.True(t, r.exists("web-b"))
	result = r.healthy(r.instance("web", configMap("web-a", "1")))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-b": apply.Kept}, actions(result))
}

func TestPruningIsConfirmedBeforeItIsForgotten(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-a, finalizers: [example.com/hold]}}")
	r.healthy(in)
	result := r.visit(absent(in))
	require.False(t, result.Settled)
	require.Equal(t, state.Progressing, result.Health)
	require.Contains(t, r.inventory("web"), "web-a")
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web-a", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	result = r.healthy(absent(in))
	require.Equal(t, map[string]apply.Action{"ConfigMap web-a": apply.Pruned}, actions(result))
	require.Empty(t, r.inventory("web"))
}

func TestARemovalThatIsOnlyObservedIsNotSettledWhileSomethingIsLeft(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web-a", "1"))
	r.healthy(in)
	result, err := r.Observe(t.Context(), absent(in))
	require.NoError(t, err)
	require.False(t, result.Settled)
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "ConfigMap "+r.team+"/web-a: waiting for its end", result.Message)
	r.healthy(absent(in))
	result, err = r.Observe(t.Context(), absent(in))
	require.NoError(t, err)
	require.True(t, result.Settled)
}

func TestPruneOrderFirstGoesBeforeWhatReplacesIt(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", "{apiVersion: v1, kind: ConfigMap, metadata: {name: old, finalizers: [example.com/hold], annotations: {transom.dev/prune-order: first}}}"))
	in := r.instance("web", configMap("new", "1"))
	result := r.visit(in)
	require.Empty(t, result.Changes)
	require.False(t, r.exists("new"))
	require.Equal(t, state.Progressing, result.Health)
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "old", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	r.healthy(in)
	require.False(t, r.exists("old"))
	require.True(t, r.exists("new"))
}

func TestOnlyWhatIsAnnotatedGoesFirst(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", documents(annotated(configMap("old-a", "1"), "transom.dev/prune-order: first"), configMap("old-b", "1"))))
	in := r.instance("web", deployment("web", "nginx:1"))
	r.calls.take()
	result := r.visit(in)
	require.Equal(t, map[string]apply.Action{"ConfigMap old-a": apply.Pruned, "Deployment web": apply.Created}, actions(result))
	require.Len(t, result.Changes, 2)
	calls := writes(r.calls.take())
	require.Equal(t, "DELETE /api/v1/namespaces/"+r.team+"/configmaps/old-a", calls[0])
	require.Equal(t, "PATCH /apis/apps/v1/namespaces/"+r.team+"/deployments/web", calls[len(calls)-1])
	require.True(t, r.exists("old-b"))
	r.available("web")
	r.healthy(in)
	require.False(t, r.exists("old-b"))

	r.healthy(r.instance("other", documents(annotated(configMap("old-c", "1"), "transom.dev/prune-order: first"))))
	require.Len(t, r.healthy(r.instance("other", configMap("new-c", "1"))).Changes, 2, "it is told once that it was pruned")
}

func TestAnUnknownPruneOrderIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	result := r.visit(r.instance("web", annotated(configMap("web", "1"), "transom.dev/prune-order: last")))
	require.Equal(t, "ConfigMap "+r.team+`/web: transom.dev/prune-order: "last" is not known; write "first", or remove the annotation`,
		result.Problems[0].String())
	require.Empty(t, writes(r.calls.take()))
}

func TestInventoryIsUntouchedWhenOnlyContentChanges(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web-a", "1")))
	before := r.inventoryVersion("web")
	r.healthy(r.instance("web", configMap("web-a", "2")))
	require.Equal(t, before, r.inventoryVersion("web"))
}

func (r *rig) inventoryVersion(request string) string {
	m, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(background, "test."+r.team+"."+request, metav1.GetOptions{})
	require.NoError(r, err)
	return m.ResourceVersion
}

func TestTwoDaemonsLoseNothingOfAnInventory(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web-a", "1")))
	first := r.Cluster
	r.connect()
	second := r.Cluster
	one, two := r.instance("web", documents(configMap("web-a", "1"), configMap("web-b", "1"))),
		r.instance("web", documents(configMap("web-a", "1"), configMap("web-c", "1")))
	_, err := first.Observe(t.Context(), one) // so that both know the inventory as it is
	require.NoError(t, err)
	done := make(chan error)
	go func() { _, err := first.Apply(background, one); done <- err }()
	_, err = second.Apply(t.Context(), two)
	require.NoError(t, err)
	require.NoError(t, <-done)
	// Either of the two may have pruned the object that it alone did not want; nothing that is there is unlisted.
	all, err := r.kube.CoreV1().ConfigMaps(r.team).List(t.Context(), metav1.ListOptions{LabelSelector: "transom.dev/request=web"})
	require.NoError(t, err)
	for _, m := range all.Items {
		require.Contains(t, r.inventory("web"), "/"+m.Name+"\n")
	}
}

func TestInventoryHoldsNamesOnly(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", configMap("web-a", "a-value")))
	m, err := r.kube.CoreV1().ConfigMaps("transom-system").Get(t.Context(), "test."+r.team+".web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"objects": "ConfigMap/" + r.team + "/web-a\n"}, m.Data)
	require.NotContains(t, m.String(), "a-value")
}

// available writes the status that a Deployment has once all its pods are ready.
func (r *rig) available(name string) {
	r.Helper()
	d, err := r.kube.AppsV1().Deployments(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	r.availableAt(name, d.Generation)
}

// availableAt is available by a controller that has seen a generation.
func (r *rig) availableAt(name string, generation int64) {
	r.Helper()
	r.deploymentStatus(name, appsv1.DeploymentStatus{
		ObservedGeneration: generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: "True"},
			{Type: appsv1.DeploymentProgressing, Status: "True", Reason: "NewReplicaSetAvailable"},
		},
	})
}
