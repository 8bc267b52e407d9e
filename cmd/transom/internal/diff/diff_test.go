package diff_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/diff"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// gears is a platform with two versions of the offering gear, and a request for the first if there is a user.
func gears(t *testing.T, user bool) string {
	t.Helper()
	const head = "apiVersion: transom.dev/v1alpha1\n"
	component := "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [map.yaml]\n"
	files := map[string]string{
		"clusters/one.yaml":     head + "kind: Cluster\nmetadata: {name: one}\nspec: {}\n",
		"environments/dev.yaml": head + "kind: Environment\nmetadata: {name: dev}\nspec: {state: {url: ../dev.git}, clusters: {}}\n",

		"offerings/gear/offering.yaml": head + "kind: Offering\nmetadata: {name: gear}\nspec: {}\n",
		"offerings/gear/1.0.0/version.yaml": head + "kind: Version\nmetadata: {name: gear}\nspec:\n" +
			"  parameters: {type: object, properties: {teeth: {type: integer, default: 3}}}\n" +
			"  outputs: [{name: host, value: request.name}]\n",
		"offerings/gear/1.0.0/kustomization.yaml": component,
		"offerings/gear/1.0.0/map.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gear}\ndata: {a: one}\n",
		"offerings/gear/1.0.0/NOTES":              "old",
		"offerings/gear/1.1.0/version.yaml": head + "kind: Version\nmetadata: {name: gear}\nspec:\n" +
			"  parameters: {type: object, properties: {teeth: {type: integer, default: 5}, oil: {type: string}}}\n" +
			"  computed: {double: parameters.teeth * 2}\n  outputs: [{name: host, value: request.name}]\n",
		"offerings/gear/1.1.0/kustomization.yaml": component,
		"offerings/gear/1.1.0/map.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gear}\ndata: {a: two}\n",
		"offerings/gear/1.1.0/TIPS":               "new",
	}
	if user {
		files["requests/demo/my.yaml"] = head + "kind: Request\nmetadata: {name: my}\nspec: {offering: gear, version: \"1\", environments: {dev: {}}}\n"
	}
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, workspace.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(content)))
	}
	return dir
}

func versions(t *testing.T, dir string, running states.States) *diff.Diff {
	t.Helper()
	p, err := workspace.Load(dir)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	o := p.Offerings["gear"]
	d, err := diff.Versions(p, dir, running, o, o.Version("1.0.0"), o.Version("1.1.0"))
	require.NoError(t, err)
	return d
}

func TestADiffOfVersionsIsOfContractFilesAndObjects(t *testing.T) {
	dir := gears(t, true)
	runs := states.States{{Environment: "dev", Looked: true, Base: &render.Base{Releases: map[platform.RequestKey]*state.Release{
		{Team: "demo", Name: "my"}: {Offering: "gear", Version: "1.0.0"},
	}}}}
	d := versions(t, dir, runs)
	require.Equal(t, []catalog.Contract{
		{What: "parameter", Name: "oil", Action: preview.Added, To: "string"},
		{What: "parameter", Name: "teeth", Action: preview.Changed, From: "integer, default 3", To: "integer, default 5"},
		{What: "computed", Name: "double", Action: preview.Added, To: "parameters.teeth * 2"},
	}, d.Contract)
	require.Equal(t, []catalog.File{
		{Path: "NOTES", Action: preview.Removed, Diff: "@@ -1 +0,0 @@\n-old\n"},
		{Path: "TIPS", Action: preview.Added, Diff: "@@ -0,0 +1 @@\n+new\n"},
		{Path: "map.yaml", Action: preview.Changed, Diff: "@@ -1,4 +1,4 @@\n apiVersion: v1\n kind: ConfigMap\n metadata: {name: gear}\n-data: {a: one}\n+data: {a: two}\n"},
	}, d.Files)
	require.False(t, d.Example)
	require.True(t, d.Looked)
	require.Empty(t, d.Problems)
	require.Len(t, d.Objects, 1)
	require.Equal(t, []string{"dev", "one", "demo", "my"}, []string{d.Objects[0].Environment, d.Objects[0].Cluster, d.Objects[0].Team, d.Objects[0].Request})
	require.Contains(t, d.Objects[0].Diff, "-  a: one\n+  a: two\n")
	require.Contains(t, text(d), "gear@1.0.0 → gear@1.1.0\n  + parameter oil: string\n  ~ parameter teeth\n    - integer, default 3\n    + integer, default 5\n")
}

func TestARequestThatNobodyMadeShowsWhatTheObjectsBecome(t *testing.T) {
	dir := gears(t, false)
	d := versions(t, dir, states.States{{Environment: "dev", Why: "--offline"}})
	require.True(t, d.Example)
	require.Len(t, d.Objects, 1)
	require.Equal(t, "my-gear", d.Objects[0].Request)
	require.Contains(t, text(d), "no request resolves to gear@1.0.0: the objects are those of an example\nnot looked at: what dev really runs; --offline\n")
	_, err := os.Stat(filepath.Join(dir, "requests"))
	require.ErrorIs(t, err, os.ErrNotExist, "the request is in memory alone")
}

func text(d *diff.Diff) string {
	var out bytes.Buffer
	d.Text(&out, terminal.Paint{}, false)
	return out.String()
}
