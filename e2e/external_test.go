package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// sync does the work of another GitOps agent: it applies a cluster's directory of the state as it is, with a field manager
// of its own, and knows nothing of Transom.
func (w *world) sync(environment, cluster string) {
	w.t.Helper()
	checkout := filepath.Join(w.t.TempDir(), environment)
	w.git(w.dir, "clone", "-q", filepath.Join(w.dir, "state-"+environment+".git"), checkout)
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(w.t, err)
	for _, resource := range []string{"namespaces", "configmaps"} {
		w.eachObject(os.DirFS(filepath.Join(checkout, "clusters", cluster)), func(u *unstructured.Unstructured) {
			if strings.ToLower(u.GetKind())+"s" != resource {
				return
			}
			_, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace(u.GetNamespace()).
				Apply(w.t.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "another-agent", Force: true})
			require.NoError(w.t, err)
		})
	}
}

func (w *world) eachObject(files fs.FS, do func(*unstructured.Unstructured)) {
	w.t.Helper()
	require.NoError(w.t, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			var u unstructured.Unstructured
			require.NoError(w.t, yaml.Unmarshal([]byte(document), &u.Object))
			do(&u)
		}
		return err
	}))
}

// TestAnotherAgentAppliesWhatIsPromoted has another agent apply dev, which prod promotes from: nothing of an instance is
// written to dev's cluster, and prod follows once the agent applied it and it is healthy. A removal goes the same way.
func TestAnotherAgentAppliesWhatIsPromoted(t *testing.T) {
	t.Parallel()
	environment := func(name, rest string) map[string]string {
		return map[string]string{"environments/" + name + ".yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: %[1]s}
spec:
  state: {url: ../state-%[1]s.git, branch: main}
  clusters: {matchLabels: {environment: %[1]s}}
%[2]s`, name, rest)}
	}
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.push("another agent applies dev", environment("dev", "  apply: external\n"))
	w.push("prod follows", environment("prod", "  promotesFrom: [dev]\n  gates: {soak: 1s}\n"))
	w.start()
	waits := func(text string) {
		t.Helper()
		w.eventually("status says "+text, func() error {
			said, err := w.ask("status", "payments/shop") // it fails as long as the daemon reads the repositories
			if err == nil && !strings.Contains(said, text) {
				err = errors.New("it says something else")
			}
			if err != nil {
				return fmt.Errorf("%w: %s", err, said)
			}
			return nil
		})
	}
	waits("has not applied it yet")
	require.Error(t, w.color("one", "payments", "shop", "green"))
	require.Error(t, w.color("two", "payments", "shop", "green"))

	w.sync("dev", "one")
	w.live("shop", "green")
	commit := w.push("shop: blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.eventually("the change is committed for dev", func() error {
		s, err := w.status()
		return cmp.Or(err, follows(s, commit))
	})
	require.NoError(t, w.color("one", "payments", "shop", "green"), "it is the agent's to apply")
	require.NoError(t, w.color("two", "payments", "shop", "green"))
	w.sync("dev", "one")
	w.live("shop", "blue")
	w.eventually("status says so", func() error { return w.healthy(commit, 2) })

	w.push("no shop", map[string]string{"requests/payments/shop.yaml": ""})
	waits("waiting for its end")
	require.NoError(t, w.color("two", "payments", "shop", "blue"), "prod waits for dev")
	require.NoError(t, w.client("one").CoreV1().ConfigMaps("payments").Delete(t.Context(), "shop-settings", metav1.DeleteOptions{}))
	w.live("shop", "")
	w.stop()
}
