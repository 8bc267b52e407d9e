package e2e_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"transom.dev/examples/install"
)

// An auditEntry is one request of the daemon, as an API server's audit log has it.
type auditEntry struct {
	User                     struct{ Username string }
	ImpersonatedUser         *struct{ Username string }
	RequestReceivedTimestamp time.Time
	Verb                     string
	RequestURI               string
	ObjectRef                *struct{ APIGroup, Resource, Subresource, Namespace, Name string }

	ResponseStatus struct{ Code int32 }
	Annotations    map[string]string
}

// mayNotActYet says whether the daemon was refused to act as the account of a team of boundsTeamsByTheirRights, before the rights for
// the platform named that. The API server decides nothing about the request itself then.
func (a auditEntry) mayNotActYet() bool {
	_, decided := a.Annotations["authorization.k8s.io/decision"]
	return !decided && a.ResponseStatus.Code == http.StatusForbidden && a.ObjectRef != nil && slices.Contains([]string{"ledger", "search"}, a.ObjectRef.Namespace)
}

// fixedRights reads the table of rights that do not depend on a platform: cluster-wide, and in namespaces by their names.
func fixedRights(w *world) (everywhere []rbacv1.PolicyRule, in map[string][]rbacv1.PolicyRule) {
	in = map[string][]rbacv1.PolicyRule{}
	for file, namespace := range map[string]string{
		"rights/clusterrole.yaml": "", "rights/role.yaml": "transom-system", "base/role.yaml": "transom-daemon", "keys/role.yaml": "transom-kubeconfigs",
	} {
		content, err := fs.ReadFile(install.Files, file)
		require.NoError(w.t, err)
		first, _, _ := strings.Cut(string(content), "\n---\n")
		var role rbacv1.ClusterRole
		require.NoError(w.t, yaml.UnmarshalStrict([]byte(first), &role))
		if in[namespace] = role.Rules; namespace == "" {
			everywhere = role.Rules
		}
	}
	delete(in, "")
	return everywhere, in
}

// seldom are rights that it takes minutes to need, and the tests that need them.
var seldom = []string{
	"get controllerrevisions", "get pods", "delete pods", // TestAPodOfAFailedRevisionThatNeverStartedIsDeleted
	"update secrets", // TestATokenIsRenewedAtHalfOfItsLife
}

// requireRightsAreThoseOfTheTable requires that each request that the daemon made is one that the table or the rights for the platform
// allow, and that none was refused; and that each right of the table was used.
func (w *world) requireRightsAreThoseOfTheTable() {
	w.t.Helper()
	everywhere, in := fixedRights(w)
	used, acted := map[string]bool{}, map[string]bool{}
	for cluster, user := range map[string]string{"hub": "transom-daemon:transom", "spoke": "transom-system:transom"} {
		platform, err := w.client(cluster).RbacV1().ClusterRoles().Get(w.t.Context(), "transom-platform", metav1.GetOptions{})
		require.NoError(w.t, err)
		requests := 0
		for _, a := range w.auditLog(cluster) {
			if a.User.Username != "system:serviceaccount:"+user {
				continue
			}
			requests++
			if a.ImpersonatedUser != nil { // the API server judges it by that account's rights, and the right to act as it is in the table
				require.True(w.t, a.actsAs(platform.Rules), "%s %s as %s is in no table", a.Verb, a.RequestURI, a.ImpersonatedUser.Username)
				acted[a.ImpersonatedUser.Username] = true
				continue
			}
			if a.mayNotActYet() {
				continue
			}
			require.Equal(w.t, "allow", a.Annotations["authorization.k8s.io/decision"], "%s %s: %+v", a.Verb, a.RequestURI, a)
			require.NotEqual(w.t, int32(http.StatusForbidden), a.ResponseStatus.Code, "%s %s", a.Verb, a.RequestURI)
			if a.ObjectRef == nil { // discovery and the version, which everybody may
				require.True(w.t, strings.HasPrefix(a.RequestURI, "/api") || a.RequestURI == "/version", a.RequestURI)
				continue
			}
			fixed := a.by(everywhere) || a.by(in[a.ObjectRef.Namespace])
			require.True(w.t, fixed || a.by(platform.Rules), "%s %s is in no table", a.Verb, a.RequestURI)
			used[a.Verb+" "+a.ObjectRef.Resource] = true
			if a.Verb == "watch" { // which has begun with a list where the API server is too old to begin it with the objects
				used["list "+a.ObjectRef.Resource] = true
			}
			if a.Verb == "patch" && a.ResponseStatus.Code == http.StatusCreated {
				used["create "+a.ObjectRef.Resource] = true
			}
		}
		require.NotZero(w.t, requests, "the audit log of %s has none of the daemon's", cluster)
	}
	require.Equal(w.t, map[string]bool{"system:serviceaccount:ledger:keeper": true, "system:serviceaccount:search:deployer": true}, acted)
	var unused []string
	for _, rule := range slices.Concat(append(slices.Collect(maps.Values(in)), everywhere)...) {
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				if right := verb + " " + resource; !used[right] {
					unused = append(unused, right)
				}
			}
		}
	}
	require.ElementsMatch(w.t, seldom, unused, "rights of the table that were not used; used were %v", slices.Sorted(maps.Keys(used)))
}

// by says whether one of some rules allows a request.
func (a auditEntry) by(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		named := len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.ObjectRef.Name)
		return a.ObjectRef.Subresource == "" && named &&
			slices.Contains(r.APIGroups, a.ObjectRef.APIGroup) && slices.Contains(r.Resources, a.ObjectRef.Resource) && slices.Contains(r.Verbs, a.Verb)
	})
}

// actsAs says whether one of some rules allows to act as the ServiceAccount that a request was made as.
func (a auditEntry) actsAs(rules []rbacv1.PolicyRule) bool {
	name := a.ImpersonatedUser.Username[strings.LastIndex(a.ImpersonatedUser.Username, ":")+1:]
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, "serviceaccounts") && slices.Contains(r.Verbs, "impersonate") && slices.Contains(r.ResourceNames, name)
	})
}

// auditLog has the requests of ServiceAccounts that a cluster's API server has in its audit log.
func (w *world) auditLog(cluster string) (all []auditEntry) {
	w.t.Helper()
	file, err := os.Open(filepath.Join(w.fleet, "logs", cluster, "audit.log"))
	require.NoError(w.t, err)
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a auditEntry
		require.NoError(w.t, json.Unmarshal(lines.Bytes(), &a), "%.200s", lines.Text())
		all = append(all, a)
	}
	require.NoError(w.t, lines.Err())
	return all
}
