package installation_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	rbacv1 "k8s.io/api/rbac/v1"

	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
	"transom.dev/render/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

// granting is a platform whose offering has a component that no request asks for, its own CustomResourceDefinition, roles of each
// sort, and a kind that is defined elsewhere.
const granting = `
-- offerings/operator/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: operator}
spec: {title: Operator, description: D., owner: platform}
-- offerings/operator/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: operator}
spec:
  scope: cluster
  parameters: {type: object, properties: {more: {type: boolean, default: false}}}
  kinds: [{group: elsewhere.example, kind: Policy, scope: Cluster}]
  health: [{group: elsewhere.example, kind: Policy, healthy: 'has(spec.on)'}]
  components: [{path: more, when: parameters.more}]
-- offerings/operator/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/operator/1.0.0/more/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/operator/1.0.0/more/all.yaml --
apiVersion: batch/v1
kind: CronJob
metadata: {name: more, namespace: operator}
spec: {schedule: "0 1 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "c:1"}]}}}}}
-- offerings/operator/1.0.0/all.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: oxen.acme.example}
spec: {group: acme.example, scope: Namespaced, names: {kind: Ox, plural: oxen}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}
---
apiVersion: acme.example/v1
kind: Ox
metadata: {name: ox, namespace: operator}
---
apiVersion: elsewhere.example/v1
kind: Policy
metadata: {name: all}
spec: {on: true}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: oxen}
rules: [{apiGroups: [acme.example], resources: [oxen/status], verbs: [update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all-oxen}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {oxen: all}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: oxen}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: oxen}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: herders}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: herders}]
`

func load(t *testing.T, archive string) *platform.Platform {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	return p
}

func TestRightsAreThoseForAllThatVersionsMayRender(t *testing.T) {
	rights, err := installation.RightsFor(load(t, granting))
	require.NoError(t, err)
	require.Empty(t, rights.Problems)
	require.Equal(t, []string{"Policy.elsewhere.example as policies"}, rights.Guessed)
	all := []string{"get", "list", "watch", "create", "patch", "delete"}
	rbac := rbacv1.GroupName
	require.ElementsMatch(t, []rbacv1.PolicyRule{
		{APIGroups: []string{"acme.example"}, Resources: []string{"oxen"}, Verbs: all},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: all},
		{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: all},
		{APIGroups: []string{"elsewhere.example"}, Resources: []string{"policies"}, Verbs: all},
		{APIGroups: []string{rbac}, Resources: []string{"clusterrolebindings", "clusterroles"}, Verbs: all},
		{APIGroups: []string{"acme.example"}, Resources: []string{"oxen/status"}, Verbs: []string{"update"}},
		{APIGroups: []string{rbac}, Resources: []string{"clusterroles"}, Verbs: []string{"escalate"}},
		{APIGroups: []string{rbac}, Resources: []string{"clusterroles"}, ResourceNames: []string{"view"}, Verbs: []string{"bind"}},
	}, rights.Rules)
}

func TestRightsIncludeOverlaysOfEnvironments(t *testing.T) {
	p, err := platform.Load(os.DirFS("../../../../examples/acme"))
	require.NoError(t, err)
	rights, err := installation.RightsFor(p)
	require.NoError(t, err)
	for _, rule := range rights.Rules {
		if rule.APIGroups[0] == "" {
			require.Contains(t, rule.Resources, "limitranges", "of the namespaces of prod")
			require.NotContains(t, rule.Resources, "namespaces", "which are in the fixed rights")
			return
		}
	}
	require.Fail(t, "no rule for the core group")
}

// tenants is a platform whose environment writes as the ServiceAccounts that its namespaces bring.
const tenants = granting + `
-- environments/prod.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  state: {url: ../state.git}
  clusters: {matchLabels: {stage: prod}}
  impersonate: {serviceAccount: '"deploys-" + request.team', clusterScoped: operators/deployer}
  namespace: {components: [account]}
  logs: true
-- environments/prod/account/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [binding.yaml]
-- environments/prod/account/binding.yaml --
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: deploys-payments}]
-- clusters/prod.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: prod, labels: {stage: prod}}
spec: {}
-- offerings/shop/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: shop}
spec: {title: Shop, description: D., owner: platform}
-- offerings/shop/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: shop}
spec: {}
-- offerings/shop/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/shop/1.0.0/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
-- requests/payments/shop.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: shop}
spec: {offering: shop, version: "1", environments: {prod: {}}}
`

func TestWhereTeamsWriteTheDaemonReadsAndActsAsThem(t *testing.T) {
	rights, err := installation.RightsFor(load(t, tenants))
	require.NoError(t, err)
	require.Empty(t, rights.Problems)
	read, rbac := []string{"get", "list", "watch"}, rbacv1.GroupName
	require.ElementsMatch(t, []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: read},
		{APIGroups: []string{"acme.example"}, Resources: []string{"oxen"}, Verbs: read},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: read},
		{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: read},
		{APIGroups: []string{"elsewhere.example"}, Resources: []string{"policies"}, Verbs: read},
		{APIGroups: []string{rbac}, Resources: []string{"clusterrolebindings", "clusterroles"}, Verbs: read},
		{APIGroups: []string{rbac}, Resources: []string{"rolebindings"}, Verbs: append(read, "create", "patch", "delete")},
		{APIGroups: []string{rbac}, Resources: []string{"clusterroles"}, ResourceNames: []string{"edit"}, Verbs: []string{"bind"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"deployer", "deploys-payments"}, Verbs: []string{"get", "impersonate"}},
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}},
	}, rights.Rules)
}

// TestTheDaemonMayRunTheJobsOfChecks where the environments before write as the daemon itself, and elsewhere may read them.
func TestTheDaemonMayRunTheJobsOfChecks(t *testing.T) {
	const after = `
-- environments/after.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: after}
spec:
  state: {url: https://git.example.com/state-after.git, branch: main}
  clusters: {matchLabels: {environment: after}}
  promotesFrom: [ENV]
  gates: {checks: [{name: smoke, job: checks/smoke}]}
-- clusters/after.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: after, labels: {environment: after}}
spec: {state: active}
-- offerings/shop/1.0.0/checks/smoke/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
`
	of := func(p *platform.Platform, group, resource string) (all []string) {
		rights, err := installation.RightsFor(p)
		require.NoError(t, err)
		for _, rule := range rights.Rules {
			if slices.Equal(rule.APIGroups, []string{group}) && slices.Contains(rule.Resources, resource) {
				all = append(all, rule.Verbs...)
			}
		}
		return all
	}
	verbs := func(archive, before string) []string {
		return of(load(t, strings.ReplaceAll(archive, "ENV", before)), "batch", "jobs")
	}
	require.Empty(t, verbs(tenants, "prod"))
	require.Equal(t, []string{"get", "list", "watch", "create", "patch", "delete"}, verbs(strings.Replace(tenants, "  impersonate: {serviceAccount: '\"deploys-\" + request.team', clusterScoped: operators/deployer}\n", "", 1)+after, "prod"))
	require.Equal(t, []string{"get", "list", "watch"}, verbs(tenants+after, "prod"))

	p := load(t, strings.ReplaceAll(tenants+after, "ENV", "prod"))
	require.Empty(t, of(p, "", "secrets"))
	p.Environments["prod"].PullSecrets = map[string]*sealed.File{"registry": nil}
	require.Equal(t, []string{"get", "list", "watch"}, of(p, "", "secrets"), "the pods of the Job need them")
}

func TestRightsThatAVersionNeedsBeyondTheKeptOnesAreFound(t *testing.T) {
	lacking := func(archive, kept string) (messages []string) {
		warnings, err := installation.Lacking(load(t, archive), fstest.MapFS{installation.RightsFile: {Data: []byte(kept)}})
		require.NoError(t, err)
		for _, w := range warnings {
			require.True(t, w.Warning)
			messages = append(messages, w.String())
		}
		return messages
	}
	rights, err := installation.RightsFor(load(t, granting))
	require.NoError(t, err)
	kept, err := rights.Manifests(true)
	require.NoError(t, err)
	require.Empty(t, lacking(granting, string(kept)))
	const remedy = `; print it anew with "transom install --rights" and apply it to the clusters before this is merged`
	require.Equal(t, []string{
		"rights.yaml: warning: the daemon may not bind clusterroles.rbac.authorization.k8s.io edit" + remedy,
		"rights.yaml: warning: the daemon may not get, list, watch configmaps, which shop@1.0.0 renders" + remedy,
		"rights.yaml: warning: the daemon may not list events" + remedy,
		"rights.yaml: warning: the daemon may not get pods/log" + remedy,
		"rights.yaml: warning: the daemon may not get, list, watch, create, patch, delete rolebindings.rbac.authorization.k8s.io, which environments/prod renders" + remedy,
		"rights.yaml: warning: the daemon may not get, impersonate serviceaccounts deployer" + remedy,
		"rights.yaml: warning: the daemon may not get, impersonate serviceaccounts deploys-payments" + remedy,
	}, lacking(tenants, string(kept)))
	require.Equal(t, []string{"rights.yaml: warning: cannot be read: there is no ClusterRole with rules in it" + remedy}, lacking(granting, "kind: List\n"))
	require.Empty(t, lacking(tenants, "kind: ClusterRole\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n"))

	none, err := installation.Lacking(load(t, granting), fstest.MapFS{})
	require.NoError(t, err)
	require.Empty(t, none)
}
