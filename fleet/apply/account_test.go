package apply_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// tenant is an instance of a namespace whose ServiceAccount may write ConfigMaps and Secrets, and nothing else.
func (r *rig) tenant(request, manifests string) apply.Instance {
	in := r.instance(request, manifests)
	in.NamespaceManifest = r.label(apply.Owner{Environment: "test", Team: r.team}, "", strings.ReplaceAll(
		`{apiVersion: v1, kind: Namespace, metadata: {name: TEAM}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: TEAM}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: deployer, namespace: TEAM}
rules: [{apiGroups: [""], resources: [configmaps, secrets], verbs: [create, patch, delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployer, namespace: TEAM}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer}
subjects: [{kind: ServiceAccount, name: deployer, namespace: TEAM}]`, "TEAM", r.team))
	in.Accounts = &apply.Accounts{Name: "deployer"}
	return in
}

// writers records who makes each write from now on, by method and path.
func (r *rig) writers() func() map[string]string {
	var mu sync.Mutex
	all := map[string]string{}
	r.calls.failing(func(request *http.Request) error {
		mu.Lock()
		defer mu.Unlock()
		if request.Method != http.MethodGet {
			all[request.Method+" "+request.URL.Path] = request.Header.Get("Impersonate-User")
		}
		return nil
	})
	return func() map[string]string {
		mu.Lock()
		defer mu.Unlock()
		taken := all
		all = map[string]string{}
		return taken
	}
}

// problem is the message of the one problem that an instance comes to have.
func (r *rig) problem(in apply.Instance) string {
	r.Helper()
	result := r.until(in, func(result apply.Result) bool { return len(result.Problems) > 0 })
	return result.Problems[0].Message
}

const (
	settings = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {size: small}}"
	password = `{apiVersion: v1, kind: Secret, metadata: {name: password, annotations: {transom.dev/generate: password, transom.dev/generate-keys: a, ` +
		`transom.dev/prune: "true"}}}`
)

func TestObjectsAreWrittenAsTheAccountOfTheirTeam(t *testing.T) {
	r := newRig(t, &whole)
	written := r.writers()
	in := r.tenant("shop", settings)
	r.healthy(in)
	user, namespace := "system:serviceaccount:"+r.team+":deployer", "/api/v1/namespaces/"+r.team
	for call, as := range written() {
		want := ""
		if strings.Contains(call, "/configmaps/settings") {
			want = user
		}
		require.Equal(t, want, as, "%s: only the instance's own objects are the account's", call)
	}

	require.NoError(t, r.kube.CoreV1().ConfigMaps(r.team).Delete(t.Context(), "settings", metav1.DeleteOptions{}))
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Create(t.Context(),
		&v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "found"}, Data: map[string]string{"size": "small"}}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	in = r.tenant("shop", strings.Replace(settings, "settings", "found", 1))
	in.Adopt = true
	r.healthy(in)
	require.Equal(t, map[string]string{
		"PATCH " + namespace + "/configmaps/found":                                     user,
		"PUT /api/v1/namespaces/transom-system/configmaps/" + inventoryOf(r, in.Owner): "",
	}, written(), "it is tried, adopted and pruned as the account")

	in.Absent, in.Manifests = true, nil
	r.until(in, func(result apply.Result) bool { return result.Settled })
	require.Equal(t, user, written()["PATCH "+namespace+"/configmaps/found"], "it is let go as the account")
}

// inventoryOf is the name of the ConfigMap that is an instance's inventory.
func inventoryOf(r *rig, o apply.Owner) string {
	r.Helper()
	list, err := r.kube.CoreV1().ConfigMaps("transom-system").List(r.Context(), metav1.ListOptions{
		LabelSelector: state.LabelTeam + "=" + o.Team + "," + state.LabelRequest + "=" + o.Request,
	})
	require.NoError(r, err)
	require.Len(r, list.Items, 1)
	return list.Items[0].Name
}

func TestATeamThatAsksForMoreThanItMayHearsTheClustersWord(t *testing.T) {
	r := newRig(t, &whole)
	neighbour := r.tenant("shop", settings)
	r.healthy(neighbour)
	more := r.tenant("more", settingsNamed("more")+"\n---\n{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: more}, spec: {minAvailable: 1}}")
	message := r.problem(more)
	require.Contains(t, message, `cannot patch resource "poddisruptionbudgets" in API group "policy" in the namespace "`+r.team+`"`)
	require.Contains(t, message, "bind ServiceAccount "+r.team+"/deployer to a role with the verbs create, patch and delete")
	r.quiet()
	r.calls.take()
	r.healthy(neighbour)
	require.Empty(t, r.calls.take(), "its neighbour is as it was")

	_, err := r.kube.RbacV1().Roles(r.team).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "more"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: []string{"create", "patch", "delete"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = r.kube.RbacV1().RoleBindings(r.team).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "more"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "more"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "deployer", Namespace: r.team}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	r.healthy(more)
}

func settingsNamed(name string) string { return strings.Replace(settings, "settings", name, 1) }

func TestAnAccountThatIsGoneKeepsWhatItWrote(t *testing.T) {
	r := newRig(t, &whole)
	in := r.tenant("shop", settings+"\n---\n"+password)
	r.healthy(in)
	namespaceFile := in.NamespaceManifest
	require.NoError(t, r.kube.CoreV1().ServiceAccounts(r.team).Delete(t.Context(), "deployer", metav1.DeleteOptions{}))
	require.NoError(t, r.kube.RbacV1().RoleBindings(r.team).Delete(t.Context(), "deployer", metav1.DeleteOptions{}))

	in.Absent, in.Manifests, in.NamespaceManifest = true, nil, nil
	require.Contains(t, r.problem(in), "there is no ServiceAccount "+r.team+"/deployer: create it")
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)

	other := r.tenant("other", settingsNamed("other"))
	other.NamespaceManifest = namespaceFile
	r.healthy(other) // which brings the account back with the namespace file
	r.until(in, func(result apply.Result) bool { return result.Settled && len(result.Problems) == 0 })
	_, err = r.kube.CoreV1().Secrets(r.team).Get(t.Context(), "password", metav1.GetOptions{})
	require.Error(t, err)
}

func TestWithoutAnAccountNothingIsWritten(t *testing.T) {
	r := newRig(t, &whole)
	in := r.tenant("shop", settings)
	in.Accounts = &apply.Accounts{}
	require.Contains(t, r.problem(in), "there is no ServiceAccount to write it as")
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "settings", metav1.GetOptions{})
	require.Error(t, err)

	wide := r.instance("wide", "{apiVersion: v1, kind: ConfigMap, metadata: {name: wide, namespace: "+r.team+"}}")
	wide.Scope, wide.NamespaceManifest, wide.Accounts = platform.ClusterScoped, nil, &apply.Accounts{Name: "deployer"}
	require.Contains(t, r.problem(wide), "names none for cluster-scoped versions; set spec.impersonate.clusterScoped")
	wide.Accounts.ClusterScoped = r.team + "/deployer"
	r.healthy(wide)
}

// What a cluster-scoped version brought is pruned as the account that wrote it, also where the inventory alone still knows of it.
func TestAForgottenVersionIsPrunedAsTheAccountThatWroteIt(t *testing.T) {
	r := newRig(t, &whole)
	r.healthy(r.tenant("shop", settings)) // which brings the account
	wide := r.instance("wide", "{apiVersion: v1, kind: ConfigMap, metadata: {name: wide, namespace: "+r.team+"}}")
	wide.Scope, wide.NamespaceManifest, wide.Namespace = platform.ClusterScoped, nil, ""
	wide.Accounts = &apply.Accounts{Name: "nobody", ClusterScoped: r.team + "/deployer"}
	r.healthy(wide)
	wide.Absent, wide.Manifests, wide.Scope = true, nil, ""
	written := r.writers()
	r.until(wide, func(result apply.Result) bool { return result.Settled && len(result.Problems) == 0 })
	require.Equal(t, "system:serviceaccount:"+r.team+":deployer", written()["DELETE /api/v1/namespaces/"+r.team+"/configmaps/wide"])

	narrow := r.tenant("narrow", settingsNamed("narrow"))
	narrow.Accounts.ClusterScoped = r.team + "/nobody"
	r.healthy(narrow)
	narrow.Absent, narrow.Manifests, narrow.Scope = true, nil, ""
	r.until(narrow, func(result apply.Result) bool { return result.Settled && len(result.Problems) == 0 })
	require.Equal(t, "system:serviceaccount:"+r.team+":deployer", written()["DELETE /api/v1/namespaces/"+r.team+"/configmaps/narrow"])
}

func TestTurningImpersonationOnWritesNothing(t *testing.T) {
	r := newRig(t, &whole)
	in := r.tenant("shop", settings+"\n---\n"+password)
	in.Accounts = nil
	r.healthy(in)
	r.quiet()
	r.calls.take()
	in.Accounts = &apply.Accounts{Name: "nobody"}
	result, err := r.Look(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, state.Healthy, result.Health)
	require.Empty(t, r.calls.take())
}
