package examples_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// metricsServer is an offering around a base that others publish: five files of upstream, unmodified, in base/, and
// two of ours.
var metricsServer = map[string]string{
	"offerings/metrics-server/offering.yaml": `
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: metrics-server}
spec: {title: Metrics Server}
`,
	"offerings/metrics-server/0.7.2/version.yaml": `
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: metrics-server}
spec:
  scope: cluster
  names: verbatim
  parameters:
    type: object
    properties:
      image: {type: string, default: "registry.k8s.io/metrics-server/metrics-server:v0.7.2"}
`,
	"offerings/metrics-server/0.7.2/kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [base]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]
`,
	"requests/demo/metrics.yaml": `
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: metrics}
spec: {offering: metrics-server, version: "0.7", environments: {dev: {}}}
`,
}

func TestPublishedBaseIsAnOfferingUnmodified(t *testing.T) {
	files := fstest.MapFS{}
	add(t, files, "", os.DirFS("minimal"))
	add(t, files, "offerings/metrics-server/0.7.2/base/", module(t, "sigs.k8s.io/metrics-server@v0.7.2", "manifests/base"))
	for name, content := range metricsServer {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}

	var r render.Renderer
	rendered := func() *render.State {
		p, err := platform.Load(files)
		require.NoError(t, err)
		require.Empty(t, p.Problems)
		state, err := r.Render(p, "dev", &render.Base{})
		require.NoError(t, err)
		return state
	}
	state := rendered()
	require.Len(t, state.Problems, 1, "kube-system is closed until the environment opens it")
	_, line, found := strings.Cut(state.Problems[0].Message, "add to spec.reserved of environments/dev.yaml: ")
	require.True(t, found, state.Problems[0])
	environment := strings.Replace(string(files["environments/dev.yaml"].Data), "spec: {", "spec: {reserved: ["+strings.TrimPrefix(line, "- ")+"], ", 1)
	files["environments/dev.yaml"] = &fstest.MapFile{Data: []byte(environment)}
	state = rendered()
	require.Empty(t, state.Problems)

	manifests := string(state.Changes["clusters/dev/demo/metrics.yaml"])
	for _, want := range []string{
		"name: v1beta1.metrics.k8s.io",
		"name: system:aggregated-metrics-reader",
		"name: metrics-server-auth-reader",
		"image: registry.k8s.io/metrics-server/metrics-server:v0.7.2",
		"namespace: kube-system",
		"transom.dev/request: metrics",
	} {
		require.Contains(t, manifests, want)
	}
	require.NotContains(t, manifests, "namespace: demo")
	require.NotContains(t, manifests, "name: metrics-metrics-server")
}

// module is a directory of a published Go module, as the module proxy serves it and the module cache keeps it.
func module(t *testing.T, version, dir string) fs.FS {
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", version).Output()
	require.NoError(t, err, "%s", out)
	var m struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &m))
	sub, err := fs.Sub(os.DirFS(m.Dir), dir)
	require.NoError(t, err)
	return sub
}

// add copies every file of from that is not hidden below prefix.
func add(t *testing.T, to fstest.MapFS, prefix string, from fs.FS) {
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && name[0] == '.':
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		content, err := fs.ReadFile(from, name)
		to[prefix+name] = &fstest.MapFile{Data: content}
		return err
	})
	require.NoError(t, err)
}
