package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"transom.dev/reconciler/status"
)

// vault is an offering with a generated Secret, added to settings.
var vault = map[string]string{
	"offerings/vault/offering.yaml": `apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: vault}
spec: {title: Vault, description: A password., owner: platform}
`,
	"offerings/vault/1.0.0/version.yaml": `apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: vault}
spec: {parameters: {type: object}}
`,
	"offerings/vault/1.0.0/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [secret.yaml]
`,
	"offerings/vault/1.0.0/secret.yaml": `apiVersion: v1
kind: Secret
metadata:
  name: vault
  annotations: {transom.dev/generate: password, transom.dev/generate-keys: password}
`,
	"requests/payments/keys.yaml": `apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: keys}
spec: {offering: vault, version: "1", environments: {dev: {}, prod: {}}}
`,
}

// transom runs a command of the binary, which succeeds, against this world's daemon and returns its output.
func (w *world) transom(args ...string) string {
	w.t.Helper()
	out, err := w.ask(args...)
	require.NoError(w.t, err, "transom %s: %s", strings.Join(args, " "), out)
	return out
}

// ask runs a command of the binary against this world's daemon and returns its output.
func (w *world) ask(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(w.bin, "transom"), args...)
	cmd.Env = append(os.Environ(), "TRANSOM_SERVER="+w.api, "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestWhatIsAppliedWasCommitted is invariant 2: every object of ours is in the state at the commit that status names,
// field by field, but for the digest annotation and the fields that the API server adds.
func TestWhatIsAppliedWasCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	commit := w.push("a second one", map[string]string{"requests/search/index.yaml": request("index", "red")})
	w.eventually("all is healthy", func() error { return w.healthy(commit, 4) })
	for cluster, environment := range map[string]string{"one": "dev", "two": "prod"} {
		client, err := dynamic.NewForConfig(w.config(cluster))
		require.NoError(t, err)
		list, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).
			List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom,transom.dev/request"})
		require.NoError(t, err)
		checked := 0
		for _, live := range list.Items {
			if live.GetNamespace() == "transom-system" {
				continue
			}
			labels := live.GetLabels()
			file := fmt.Sprintf("main:clusters/%s/%s/%s.yaml", cluster, labels["transom.dev/team"], labels["transom.dev/request"])
			var want unstructured.Unstructured
			require.NoError(t, yaml.Unmarshal([]byte(w.git(filepath.Join(w.dir, "state-"+environment+".git"), "show", file)), &want.Object))
			annotations := live.GetAnnotations()
			require.NotEmpty(t, annotations["transom.dev/digest"])
			require.Equal(t, want.Object["data"], live.Object["data"])
			require.Equal(t, want.GetLabels(), labels)
			require.Len(t, annotations, len(want.GetAnnotations())+1)
			checked++
		}
		require.Equal(t, 2, checked)
	}
	w.stop()
}

// TestNoSecretValueLeavesItsCluster is invariant 11, for a value that Transom made itself and one in a credential.
func TestNoSecretValueLeavesItsCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	commit := w.push("a secret", vault)
	w.eventually("all is healthy", func() error { return w.healthy(commit, 4) })
	secret, err := w.client("one").CoreV1().Secrets("payments").Get(t.Context(), "keys-vault", metav1.GetOptions{})
	require.NoError(t, err)
	value := secret.Data["password"]
	require.Len(t, value, 32)

	state, err := exec.Command("git", "-C", filepath.Join(w.dir, "state-dev.git"), "log", "-p", "--all").Output()
	require.NoError(t, err)
	log, err := os.ReadFile(filepath.Join(w.dir, "daemon.log"))
	require.NoError(t, err)
	said := w.transom("status", "-o", "json") + w.transom("explain", "payments/keys", "--environment", "dev", "-o", "json") +
		w.transom("status", "payments/keys")
	for name, text := range map[string][]byte{"state": state, "log": log, "status": []byte(said)} {
		require.NotEmpty(t, text)
		require.False(t, bytes.Contains(text, value), "the value is in the %s", name)
	}

	// Another pass, and a new daemon with no memory, leave it as it is.
	w.stop()
	w.start()
	w.eventually("all is healthy again", func() error { return w.healthy(commit, 4) })
	again, err := w.client("one").CoreV1().Secrets("payments").Get(t.Context(), "keys-vault", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, value, again.Data["password"])
	w.stop()
}

// TestWhatIsNotOursIsLeftAlone is invariant 7: a foreign object with the name of ours is a Problem and keeps its content,
// a foreign namespace likewise, and nobody else waits for it.
func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	maps := w.client("one").CoreV1().ConfigMaps("payments")
	theirs := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cart-settings"},"data":{"color":"theirs"}}`
	w.create("one", schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "payments", theirs)
	w.create("one", schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"search"}}`)
	w.push("cart, and a team", map[string]string{
		"requests/payments/cart.yaml": request("cart", "blue"), "requests/search/index.yaml": request("index", "blue"),
		"requests/payments/other.yaml": request("other", "blue"),
	})
	w.live("other", "blue")
	for _, name := range []string{"cart", "index"} {
		w.eventually("status names the foreign object of "+name, func() error { return w.hasObjectProblem("dev", name) })
	}
	object, err := maps.Get(t.Context(), "cart-settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"color": "theirs"}, object.Data)
	require.Empty(t, object.Labels)
	list, err := w.client("one").CoreV1().ConfigMaps("search").List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=transom"})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	// Objects that were never ours are not pruned with the request.
	w.push("no cart", map[string]string{"requests/payments/cart.yaml": ""})
	w.live("other", "blue")
	w.eventually("the instance is gone", func() error {
		s, err := w.status()
		for _, in := range s.Instances {
			if in.Request.Name == "cart" {
				return fmt.Errorf("still there: %+v", in)
			}
		}
		return err
	})
	object, err = maps.Get(t.Context(), "cart-settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"color": "theirs"}, object.Data)
	w.stop()
}

func (w *world) create(cluster string, gvr schema.GroupVersionResource, namespace, manifest string) {
	w.t.Helper()
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(w.t, err)
	var object unstructured.Unstructured
	require.NoError(w.t, yaml.Unmarshal([]byte(manifest), &object.Object))
	_, err = client.Resource(gvr).Namespace(namespace).Create(w.t.Context(), &object, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) hasObjectProblem(environment, name string) error {
	return w.shows(environment, name, func(p status.Placement) bool { return len(p.Problems) > 0 })
}

// TestLiveObjectLeadsToItsRequest is invariant 12.
func TestLiveObjectLeadsToItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	commit := w.push("shop: blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.push("something else", map[string]string{"requests/payments/other.yaml": request("other", "red")})
	w.live("shop", "blue")
	w.live("other", "red")
	kubeconfig := filepath.Join(w.fleet, "kubeconfigs", "two.kubeconfig")
	text := w.transom("explain", "configmap", "shop-settings", "-n", "payments", "--kubeconfig", kubeconfig)
	state := w.git(filepath.Join(w.dir, "state-prod.git"), "log", "-1", "--format=%h", "--", "clusters/two/payments/shop.yaml")
	for _, want := range []string{
		"clusters/two/payments/shop.yaml", state, "releases/payments/shop.yaml", "settings 1.0.0",
		commit[:7], "requests/payments/shop.yaml", "shop: blue", "Platform Team <platform@acme.example>",
	} {
		require.Contains(t, text, want)
	}
	found, _, err := w.get("/api/v1/activity?team=payments&request=shop&environment=prod")
	require.NoError(t, err)
	for _, want := range []string{`"environment":"prod"`, `"kind":"release"`, `"name":"payments/shop"`, `"author":"Platform Team"`, "took settings 1.0.0"} {
		require.Contains(t, found, want)
	}
	found, _, err = w.get("/api/v1/activity?kind=request")
	require.NoError(t, err)
	for _, want := range []string{commit, `"subject":"shop: blue"`, `"subject":"something else"`} {
		require.Contains(t, found, want)
	}
	w.stop()
}
