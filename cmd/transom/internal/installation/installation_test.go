package installation_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"transom.dev/cmd/transom/internal/installation"
	"transom.dev/examples/install"
)

const examples = "../../../../examples"

// build is what "kubectl apply -k" would apply.
func build(t *testing.T, dir string) *installation.List {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err)
	manifests, err := built.AsYaml()
	require.NoError(t, err)
	return list(t, manifests)
}

func list(t *testing.T, manifests []byte) *installation.List {
	t.Helper()
	all, err := installation.NewList(manifests)
	require.NoError(t, err)
	require.NotEmpty(t, all.Items)
	return all
}

func TestManifestsAreThoseOfTheKustomizeBases(t *testing.T) {
	base := installation.Daemon{Platform: "https://git.example.com/acme/platform.git", Image: "transom"}
	own := base
	own.OwnCluster, own.Image = true, "registry.example.com/platform/transom:latest"
	for dir, make := range map[string]func() ([]byte, error){"base": base.Manifests, "overlay": own.Manifests, "target": installation.Target} {
		manifests, err := make()
		require.NoError(t, err)
		require.ElementsMatch(t, build(t, filepath.Join(examples, "install", dir)).Items, list(t, manifests).Items, dir)
	}
}

func TestComponentsAddToTheBase(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, install.Files))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay", "kustomization.yaml"),
		[]byte("resources: [../base]\ncomponents: [../monitoring, ../access]\n"), 0o600))
	monitored, err := installation.Daemon{Platform: "https://git.example.com/acme/platform.git", Image: "transom", ServiceMonitor: true}.Manifests()
	require.NoError(t, err)

	names := func(all *installation.List) (names []string) {
		for _, o := range all.Items {
			names = append(names, o["kind"].(string)+" "+o["metadata"].(map[string]any)["name"].(string))
		}
		return names
	}
	built := build(t, filepath.Join(dir, "overlay"))
	require.ElementsMatch(t, append(names(list(t, monitored)), "ClusterRoleBinding transom-access"), names(built))
	for _, o := range built.Items {
		if o["kind"] != "Deployment" {
			continue
		}
		pod := o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		c := pod["containers"].([]any)[0].(map[string]any)
		require.Len(t, c["volumeMounts"], 5)
		require.Contains(t, c["env"], map[string]any{"name": "ANONYMOUS_VIEWERS", "value": "false"})
		require.Equal(t, map[string]any{"path": "/readyz", "port": "console", "scheme": "HTTPS"}, c["readinessProbe"].(map[string]any)["httpGet"])
	}
}

func TestTokensAreRenewedWithTheComponentOfKeys(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, install.Files))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay", "kustomization.yaml"), []byte("resources: [../base]\ncomponents: [../keys]\n"), 0o600))
	printed, err := installation.Daemon{Platform: "https://git.example.com/acme/platform.git", Image: "transom", RenewsTokens: true}.Manifests()
	require.NoError(t, err)
	for _, all := range []*installation.List{build(t, filepath.Join(dir, "overlay")), list(t, printed)} {
		var kept []string
		for _, o := range all.Items {
			metadata := o["metadata"].(map[string]any)
			if metadata["namespace"] == "transom-kubeconfigs" || metadata["name"] == "transom-kubeconfigs" {
				kept = append(kept, o["kind"].(string))
			}
			if o["kind"] == "Deployment" {
				text, err := json.Marshal(o)
				require.NoError(t, err)
				require.Contains(t, string(text), `{"name":"KUBECONFIG_SECRETS","value":"transom-kubeconfigs"}`)
			}
		}
		require.ElementsMatch(t, []string{"Namespace", "Role", "RoleBinding"}, kept)
	}
}
