package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"transom.dev/reconciler/status"
)

// shopManifests have whatever the daemon needs rights for: pods of a Deployment and of a DaemonSet, a claim that waits for its
// pod, and a role, which nobody may write without the rights that it gives.
var shopManifests = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "nginx:1"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: app, image: "nginx:1"}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: scratch}
spec: {accessModes: [ReadWriteOnce], storageClassName: kwok-volume-wait, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: [{apiGroups: [""], resources: [endpoints], verbs: [get]}]
---
` + bindingOf("Role", "web")

// bindingOf binds the role of a name to the ServiceAccount of that name.
func bindingOf(kind, name string) string {
	return strings.ReplaceAll(`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: `+kind+`, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME}]
`, "NAME", name)
}

// installedPlatform has an environment on the management cluster, and one on another cluster that follows it.
func installedPlatform() string {
	gear := "apiVersion: acme.example/v1\nkind: Widget\nmetadata: {name: gear}\nspec: {image: one}\n"
	text := published("gear", "1.0.0", ", kinds: [{group: acme.example, kind: Widget, scope: Namespaced}]"+
		", health: [{group: acme.example, kind: Widget, healthy: 'has(spec.image)'}]", gear)
	for number, image := range map[string]string{"1.0.0": "nginx:1", "1.0.1": "nginx:broken", "1.0.2": "nginx:2"} {
		text += published("shop", number, "", strings.ReplaceAll(shopManifests, "nginx:1", image))
	}
	text += published("note", "1.0.0", "", noteManifests)
	for _, offering := range []string{"shop", "gear", "note"} {
		text += "-- offerings/" + offering + "/offering.yaml --\n" + document("Offering", offering, "title: T, description: D, owner: platform")
	}
	for cluster, environment := range map[string]string{"hub": "dev", "spoke": "prod"} {
		text += "-- clusters/" + cluster + ".yaml --\napiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: " + cluster +
			", labels: {stage: " + environment + "}}\nspec: {inCluster: " + strconv.FormatBool(cluster == "hub") + "}\n"
		more := ""
		if environment == "prod" {
			more = ", promotesFrom: [dev], gates: {soak: 1s}"
		}
		text += "-- environments/" + environment + ".yaml --\n" + document("Environment", environment,
			"state: {url: ../state-"+environment+".git, branch: main}, clusters: {matchLabels: {stage: "+environment+"}}"+more)
	}
	text += "-- environments/shared.yaml --\n" + document("Environment", "shared", "state: {url: ../state-shared.git, branch: main}, "+
		`clusters: {matchLabels: {stage: prod}}, impersonate: {serviceAccount: 'request.team == "ledger" ? "keeper" : "deployer"'}, namespace: {components: [accounts]}`)
	text += "-- environments/shared/accounts/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [accounts.yaml]\n" +
		"-- environments/shared/accounts/accounts.yaml --\n" + accountsManifests
	return text + "-- requests/payments/shop.yaml --\n" + shopOf("1.0.0") +
		"-- requests/payments/gear.yaml --\n" + document("Request", "gear", `offering: gear, version: "1", environments: {dev: {}}`)
}

// noteManifests are of a kind that each team may write, and of one that only ledger may.
const noteManifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: note}
---
apiVersion: v1
kind: Service
metadata: {name: note}
spec: {ports: [{port: 80}]}
`

// accountsManifests are the accounts of the teams in the shared environment, with the roles that the cluster's administrator keeps.
var accountsManifests = `apiVersion: v1
kind: ServiceAccount
metadata: {name: keeper}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer}
---
` + bindingOf("ClusterRole", "keeper") + "---\n" + bindingOf("ClusterRole", "deployer")

func shopOf(version string) string {
	return document("Request", "shop", `offering: shop, version: "`+version+`", environments: {dev: {}, prod: {}}`)
}

// TestInstalledDaemonDoesItsJob applies the manifests of "transom install" to a management cluster and to another one, runs the
// image as the Deployment says, and has it do the main job with the rights that it is given there, and no others. Then
// "transom uninstall" takes all of it away, but for the workloads.
func TestInstalledDaemonDoesItsJob(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	w := newWorld(t, installedPlatform(), []string{"hub", "spoke"}, "--audit")
	forge := newProxy(w, "hub")
	w.install(i, "hub", "--platform", forge.URL+"/git/platform.git", "--image", "transom:test", "--own-cluster", "--kubeconfig-secrets")
	w.install(i, "hub", "--rights", w.clone())
	w.install(i, "spoke", "--target")
	w.install(i, "spoke", "--target", "--rights", w.clone())
	w.admitsOnlyRestricted("hub", "transom-daemon", "transom")
	w.secret("hub", "credentials", map[string]string{
		"git.yaml": fmt.Sprintf("credentials: [{url: %q, token: none, caFile: ca.pem}]\n", forge.URL), "ca.pem": string(forge.certificate()),
	})
	w.keep("hub", "spoke", w.kubeconfigOf("spoke", w.token("spoke", "transom-system", "transom")))

	w.impatient("hub")
	w.runPod("hub", "transom-daemon", "transom", i)
	w.eventually("a kind is waited for", func() error {
		return w.shows("dev", "gear", func(p status.Placement) bool { return strings.Contains(p.Message, "waiting for a CRD") })
	})
	require.NotEmpty(t, w.children(), "workers run Kustomize")
	w.defineWidgets("hub")
	w.eventually("all is live on both clusters", func() error { return w.healthy(w.git(w.clone(), "rev-parse", "HEAD"), 3) })
	w.push("shop: 1.0.1", map[string]string{"requests/payments/shop.yaml": shopOf("1.0.1")})
	w.eventually("a bad version is seen to be bad", func() error {
		return w.shows("dev", "shop", func(p status.Placement) bool { return strings.Contains(p.Message, "ErrImagePull") })
	})
	commit := w.push("shop: 1.0.2", map[string]string{"requests/payments/shop.yaml": shopOf("1.0.2")})
	w.eventually("a new version is live on both", func() error {
		return errors.Join(w.healthy(commit, 3), w.runsShop("hub", "nginx:2"), w.runsShop("spoke", "nginx:2"))
	})
	w.eventually("the inventories have Events", func() error {
		return errors.Join(w.hasEvent("hub", "dev.payments.shop", "Failed"), w.hasEvent("spoke", "prod.payments.shop", "Promoted"))
	})

	standby := &world{t: t, dir: w.dir, bin: w.bin, fleet: w.fleet}
	standby.runPod("hub", "transom-daemon", "transom", i)
	standby.eventually("the second replica is a standby", func() error { return standby.answers("/readyz", "ok: standby\n") })
	require.NoError(t, standby.healthy(commit, 3), "it answers by the leader")

	w.boundsTeamsByTheirRights(i, func() {})
	w.delete("hub", "customresourcedefinition", "", "widgets.acme.example")
	commit = w.push("no gear", map[string]string{
		"requests/payments/gear.yaml": "", "requests/ledger/note.yaml": "", "requests/search/note.yaml": "",
	})
	w.eventually("a removed request is gone", func() error { return errors.Join(w.healthy(commit, 2), w.forgot("hub", "gear")) })
	w.stop()
	standby.eventually("the second replica takes over", func() error { return errors.Join(standby.answers("/readyz", "ok\n"), standby.healthy(commit, 2)) })
	standby.stop()
	entries, err := os.ReadDir(i.root)
	require.NoError(t, err)
	require.Len(t, entries, 6, "nothing was written beside the volumes: %v", entries)

	w.requireRightsAreThoseOfTheTable()
	w.delete("spoke", "clusterrole", "", "transom-platform") // the operator's, of a platform that has changed since
	said, err := w.ask("cluster", "add", "spoke", "--platform", w.clone(), "--kubeconfig", filepath.Join(w.fleet, "kubeconfigs", "spoke.kubeconfig"),
		"--cluster-role", "view", "--out", t.TempDir())
	require.NoError(t, err, said)
	w.uninstall(i)
	require.NoError(t, errors.Join(w.runsShop("hub", "nginx:2"), w.runsShop("spoke", "nginx:2")), "workloads run on")
}

// boundsTeamsByTheirRights has two teams with different rights ask for the same: one gets it, the other one the API server's word. The
// function pushed is called after the merge.
func (w *world) boundsTeamsByTheirRights(i image, pushed func()) {
	w.t.Helper()
	for name, resources := range map[string][]string{"keeper": {"configmaps", "services"}, "deployer": {"configmaps"}} {
		_, err := w.client("spoke").RbacV1().ClusterRoles().Create(w.t.Context(), &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: resources, Verbs: []string{"create", "patch", "delete"}}},
		}, metav1.CreateOptions{})
		require.NoError(w.t, err)
	}
	note := document("Request", "note", `offering: note, version: "1", environments: {shared: {}}`)
	w.push("notes", map[string]string{"requests/ledger/note.yaml": note, "requests/search/note.yaml": note})
	pushed()
	w.install(i, "spoke", "--target", "--rights", w.clone()) // which names the accounts of the new teams
	w.eventually("each team has what it may", func() error {
		return errors.Join(w.has("ledger", status.Healthy, ""), w.has("search", status.Committed,
			`"system:serviceaccount:search:deployer" cannot patch resource "services" in API group "" in the namespace "search"`))
	})
}

// has wants the note of a team to be at a stage, with one problem that says some words; empty: without any.
func (w *world) has(team string, stage status.Stage, words string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	for _, in := range s.Instances {
		if in.Request.Team != team || len(in.Placements) != 1 {
			continue
		}
		at := in.Placements[0]
		said := len(at.Problems) == 1 && strings.Contains(at.Problems[0].Message, words)
		if at.Stage == stage && said == (words != "") && len(in.Problems) == 0 {
			return nil
		}
		return fmt.Errorf("%s: %+v", team, at)
	}
	return fmt.Errorf("%s has no instance", team)
}

// install applies what "transom install" prints, as kubectl does: by server-side apply, and without any unknown field.
func (w *world) install(i image, cluster string, args ...string) {
	w.t.Helper()
	cmd := exec.Command(filepath.Join(i.root, "transom"), append([]string{"install"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(w.t, err)
	w.apply(cluster, string(out))
}

// apply does as "kubectl apply" does.
func (w *world) apply(cluster, manifests string) {
	w.t.Helper()
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var u unstructured.Unstructured
		require.NoError(w.t, yaml.Unmarshal([]byte(document), &u.Object))
		body, err := json.Marshal(u.Object)
		require.NoError(w.t, err)
		_, err = w.objects(cluster, u.GroupVersionKind().GroupKind(), u.GetNamespace()).Patch(w.t.Context(), u.GetName(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: "operator", FieldValidation: metav1.FieldValidationStrict})
		require.NoError(w.t, err, "%s %s", u.GetKind(), u.GetName())
	}
}

// hasEvent wants a Kubernetes Event about an inventory.
func (w *world) hasEvent(cluster, inventory, reason string) error {
	found, err := w.client(cluster).CoreV1().Events("transom-system").List(w.t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=ConfigMap,involvedObject.name=" + inventory + ",reason=" + reason,
	})
	if err == nil && len(found.Items) == 0 {
		err = fmt.Errorf("%s has no Event %s about %s", cluster, reason, inventory)
	}
	return err
}

// impatient adds a flag to the Deployment as an overlay does: to look at the repositories every second.
func (w *world) impatient(cluster string) {
	w.t.Helper()
	patch := `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--interval=1s"}]`
	_, err := w.client(cluster).AppsV1().Deployments("transom-daemon").Patch(w.t.Context(), "transom", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(w.t, err)
}

// objects is the client of an administrator for the objects of a kind.
func (w *world) objects(cluster string, gk schema.GroupKind, namespace string) dynamic.ResourceInterface {
	w.t.Helper()
	groups, err := restmapper.GetAPIGroupResources(w.client(cluster).Discovery())
	require.NoError(w.t, err)
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(gk)
	require.NoError(w.t, err)
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(w.t, err)
	if namespace == "" {
		return client.Resource(mapping.Resource)
	}
	return client.Resource(mapping.Resource).Namespace(namespace)
}

// admitsOnlyRestricted requires that the namespace admits the pod of a Deployment, and would not admit it without its limits.
func (w *world) admitsOnlyRestricted(cluster, namespace, deployment string) {
	w.t.Helper()
	d, err := w.client(cluster).AppsV1().Deployments(namespace).Get(w.t.Context(), deployment, metav1.GetOptions{})
	require.NoError(w.t, err)
	pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
	pod.Name = "trial"
	try := func() error {
		_, err := w.client(cluster).CoreV1().Pods(namespace).Create(w.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	w.eventually("the pod is admitted", try) // once its ServiceAccount is known everywhere
	pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
	require.ErrorContains(w.t, try(), `violates PodSecurity "restricted`)
}

func (w *world) secret(cluster, name string, content map[string]string) {
	w.t.Helper()
	_, err := w.client(cluster).CoreV1().Secrets("transom-daemon").Create(w.t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: content}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

// keep has the daemon find the kubeconfig of a cluster in a Secret, as "transom cluster add --secret" writes it.
func (w *world) keep(on, cluster, kubeconfig string) {
	w.t.Helper()
	_, err := w.client(on).CoreV1().Secrets("transom-kubeconfigs").Create(w.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: cluster + "-kubeconfig", Labels: map[string]string{"transom.dev/cluster": cluster}},
		StringData: map[string]string{"value": kubeconfig},
	}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) kubeconfigOf(cluster, token string) string {
	config := w.config(cluster)
	return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"+
		"users: [{name: u, user: {token: %s}}]\nclusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]\n",
		token, config.Host, base64Of(config.CAData))
}

// defineWidgets has a cluster serve Widgets, and another kind of their group.
func (w *world) defineWidgets(cluster string) {
	w.t.Helper()
	for _, text := range []string{widgetCRD, strings.NewReplacer("widgets", "gadgets", "Widget", "Gadget").Replace(widgetCRD)} {
		var crd unstructured.Unstructured
		require.NoError(w.t, yaml.Unmarshal([]byte(text), &crd.Object))
		_, err := w.objects(cluster, crd.GroupVersionKind().GroupKind(), "").Create(w.t.Context(), &crd, metav1.CreateOptions{})
		require.NoError(w.t, err)
	}
}

// children are the processes that the daemon started.
func (w *world) children() string {
	w.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.daemon.Process.Pid))
	require.NoError(w.t, err)
	var all string
	for _, file := range files {
		some, _ := os.ReadFile(file) // of a thread that ended there are none
		all += string(some)
	}
	return strings.TrimSpace(all)
}

// runsShop returns an error unless the shop's pods on a cluster run an image.
func (w *world) runsShop(cluster, image string) error {
	pods, err := w.client(cluster).CoreV1().Pods("payments").List(w.t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return p.Spec.Containers[0].Image == image }) {
		return fmt.Errorf("no pod on %s runs %s", cluster, image)
	}
	return nil
}

// forgot returns an error while a cluster has an inventory of a request.
func (w *world) forgot(cluster, request string) error {
	left, err := w.client(cluster).CoreV1().ConfigMaps("transom-system").List(w.t.Context(), metav1.ListOptions{LabelSelector: "transom.dev/request=" + request})
	if err == nil && len(left.Items) > 0 {
		err = fmt.Errorf("%s has the inventory %s", cluster, left.Items[0].Name)
	}
	return err
}

// uninstall does what "transom uninstall" says, and requires that it is all that there is.
func (w *world) uninstall(i image) {
	w.t.Helper()
	out, err := exec.Command(filepath.Join(i.root, "transom"), "uninstall", "-o", "json").Output()
	require.NoError(w.t, err)
	var steps []struct {
		On       string
		Commands []string
		Optional bool
	}
	require.NoError(w.t, json.Unmarshal(out, &steps))
	on := map[string][]string{"the management cluster": {"hub"}, "every cluster of the fleet": {"hub", "spoke"}}
	for _, step := range steps {
		if step.Optional {
			w.requireNoRights()
		}
		for _, command := range step.Commands {
			if piped := deletesBegun.FindStringSubmatch(command); piped != nil {
				for _, cluster := range on[step.On] {
					for _, o := range w.named(cluster, piped[1], "", piped[2]) {
						w.delete(cluster, piped[1], "", o.GetName())
					}
				}
				continue
			}
			rest, ok := strings.CutPrefix(command, "kubectl delete ")
			require.True(w.t, ok, command)
			kind, rest, _ := strings.Cut(strings.Replace(rest, "--ignore-not-found ", "", 1), " ")
			namespace := ""
			if after, ok := strings.CutPrefix(rest, "--namespace "); ok {
				namespace, rest, _ = strings.Cut(after, " ")
			}
			require.NotEmpty(w.t, on[step.On], step.On)
			for _, cluster := range on[step.On] {
				for name := range strings.FieldsSeq(rest) {
					w.delete(cluster, kind, namespace, name)
				}
			}
		}
	}
	for _, cluster := range []string{"hub", "spoke"} {
		for _, kind := range []string{"clusterrole", "clusterrolebinding", "namespace"} {
			for _, o := range w.named(cluster, kind, "", "transom") {
				require.NotNil(w.t, o.GetDeletionTimestamp(), "%s %s is left on %s", kind, o.GetName(), cluster)
			}
		}
	}
}

// requireNoRights requires that the namespace that stays where people may come back has nothing in it that gives the daemon rights.
func (w *world) requireNoRights() {
	w.t.Helper()
	for _, cluster := range []string{"hub", "spoke"} {
		for _, kind := range []string{"role", "rolebinding", "serviceaccount"} {
			require.Empty(w.t, w.named(cluster, kind, "transom-system", "transom"), "%s is left on %s", kind, cluster)
		}
	}
}

// deletesBegun is the command that deletes all objects of a kind whose names begin alike.
var deletesBegun = regexp.MustCompile(`^kubectl get (\w+) --output name \| grep /(\S+) \| xargs -r kubectl delete$`)

// named are the objects of a kind whose names begin so.
func (w *world) named(cluster, kind, namespace, begin string) []unstructured.Unstructured {
	w.t.Helper()
	list, err := w.objects(cluster, kindsOfCommands[kind], namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	return slices.DeleteFunc(list.Items, func(o unstructured.Unstructured) bool { return !strings.HasPrefix(o.GetName(), begin) })
}

// kindsOfCommands are the kinds as kubectl is told them.
var kindsOfCommands = map[string]schema.GroupKind{
	"namespace": {Kind: "Namespace"}, "deployment": {Group: "apps", Kind: "Deployment"}, "serviceaccount": {Kind: "ServiceAccount"},
	"clusterrole": {Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, "role": {Group: "rbac.authorization.k8s.io", Kind: "Role"},
	"clusterrolebinding": {Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}, "rolebinding": {Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"},
	"customresourcedefinition": {Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"},
}

// delete deletes an object, as "kubectl delete --ignore-not-found" does.
func (w *world) delete(cluster, kind, namespace, name string) {
	w.t.Helper()
	gk, ok := kindsOfCommands[kind]
	require.True(w.t, ok, kind)
	objects, background := w.objects(cluster, gk, namespace), metav1.DeletePropagationBackground
	if _, err := objects.Get(w.t.Context(), name, metav1.GetOptions{}); err != nil {
		return
	}
	require.NoError(w.t, objects.Delete(w.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background}))
}
