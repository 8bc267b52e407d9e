package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/workspace"
)

// widgets is a platform with a kind of its own, of which one field may not change, and a request of version 1.0.0 of the
// offering gear, whose version 1.1.0 changes that field.
func widgets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../examples/minimal")))
	head := func(kind, name string) string {
		return "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n"
	}
	resources := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [resource.yaml]\n"
	gear := func(engine string) string {
		return "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: gear}\nspec: {engine: " + engine + "}\n"
	}
	for name, content := range map[string]string{
		"offerings/operator/offering.yaml":            head("Offering", "operator") + "spec: {}\n",
		"offerings/operator/1.0.0/version.yaml":       head("Version", "operator") + "spec: {scope: cluster}\n",
		"offerings/operator/1.0.0/kustomization.yaml": resources,
		"offerings/operator/1.0.0/resource.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    schema: {openAPIV3Schema: {properties: {spec: {properties: {engine: {x-kubernetes-validations: [{rule: self == oldSelf}]}}}}}}
`,
		"offerings/gear/offering.yaml":            head("Offering", "gear") + "spec: {}\n",
		"offerings/gear/1.0.0/version.yaml":       head("Version", "gear") + "spec: {}\n",
		"offerings/gear/1.0.0/kustomization.yaml": resources,
		"offerings/gear/1.0.0/resource.yaml":      gear("a"),
		"offerings/gear/1.1.0/version.yaml":       head("Version", "gear") + "spec: {}\n",
		"offerings/gear/1.1.0/kustomization.yaml": resources,
		"offerings/gear/1.1.0/resource.yaml":      gear("b"),
		"requests/demo/my.yaml":                   head("Request", "my") + "spec: {offering: gear, version: 1.0.0, environments: {dev: {}}}\n",
	} {
		require.NoError(t, workspace.WriteFile(filepath.Join(dir, name), []byte(content)))
	}
	return dir
}

const widgetReplaced = "± Widget demo/my-gear (spec.engine) on dev\n"

func TestDiffKnowsWhatCustomKindsDoNotLetChange(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"diff", "gear@1.0.0", "gear@1.1.0", "-C", widgets(t)}, nil, &out, io.Discard))
	require.Contains(t, out.String(), widgetReplaced)
}

func TestRenderWatchKnowsWhatCustomKindsDoNotLetChange(t *testing.T) {
	var out bytes.Buffer
	w := watched{options: &renderOptions{}, dir: workspace.Directory{Dir: widgets(t)}, out: &out}
	w.again()
	request := filepath.Join(w.dir.Dir, "requests/demo/my.yaml")
	content, err := os.ReadFile(request)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(request, bytes.Replace(content, []byte("1.0.0"), []byte("1.1.0"), 1), 0o600))
	w.again()
	require.Contains(t, out.String(), widgetReplaced)
}
