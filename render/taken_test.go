package render_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// rewriting is a platform with a version whose text so many patches rewrite, and a request that gives another text.
func rewriting(patches int, parameters string) fstest.MapFS {
	const patch = "- {target: {kind: ConfigMap, name: long}, patch: '- {op: add, path: /data/k, value: v}'}\n"
	return amplifying(map[string]string{
		"kustomization.yaml": noteComponent + "resources: [map.yaml, long.yaml]\npatches:\n" + strings.Repeat(patch, patches) + "replacements:\n" +
			"- {source: {kind: Inputs, fieldPath: parameters.text}, targets: [{select: {kind: ConfigMap, name: map}, fieldPaths: [data.text]}]}\n",
		"map.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {text: none}\n",
		"long.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: long}\ndata: {a: " + strings.Repeat("x", 200_000) + "}\n",
	}, parameters)
}

// shopKey returns the instance payments/shop in dev, with its render key on the one cluster.
func shopKey(t *testing.T, p *platform.Platform) (*platform.Instance, string) {
	n := slices.IndexFunc(p.Instances("dev"), func(i *platform.Instance) bool { return i.Request.Key.Name == "shop" })
	i := p.Instances("dev")[n]
	keys, problems := new(render.Renderer).Keys(p, "dev", nil, i)
	require.Empty(t, problems)
	require.Len(t, keys, 1)
	return i, slices.Collect(maps.Values(keys))[0]
}

// TestAVersionThatRunsMayComeToMoreThanALimit: where an environment took a version before there was a limit, its bytes stay, its requests
// can change, and a Warning says so. Nobody else may begin with it.
func TestAVersionThatRunsMayComeToMoreThanALimit(t *testing.T) {
	const counted = "has patches and replacements that read and write 33,"
	few, many := load(t, rewriting(1, "{}")), load(t, rewriting(100, "{}"))
	first := renderAll(t, few, "dev", nil)
	require.Empty(t, first.Problems)
	anew := renderAll(t, many, "dev", nil)
	require.NotContains(t, anew.Changes, "releases/payments/shop.yaml")
	require.Contains(t, strings.Join(problemsOf(anew.Problems), "\n"), "[dev payments/shop] offerings/note/2.0.0/kustomization.yaml: "+counted)

	// What an environment has that took the version before: its bytes are the same, for all patches do the same.
	was, wasKey := shopKey(t, few)
	is, isKey := shopKey(t, many)
	record := string(first.Changes["releases/payments/shop.yaml"])
	for before, after := range map[string]string{was.Version.Digest: is.Version.Digest, was.Release: is.Release, wasKey: isKey} {
		require.Contains(t, record, before)
		record = strings.ReplaceAll(record, before, after)
	}
	first.Changes["releases/payments/shop.yaml"] = []byte(record)
	files := commit(nil, first.Changes)

	base, err := render.ReadBase(files)
	require.NoError(t, err)
	again, err := new(render.Renderer).Again(many, "dev", many.Instances("dev"), base.Releases, is.Request.Key, is.Clusters[0].Name)
	require.NoError(t, err, "the bytes can be proven")
	require.Equal(t, string(first.Changes["clusters/dev/payments/shop.yaml"]), string(again.Manifest))
	_, err = new(render.Renderer).Again(many, "dev", many.Instances("dev"), nil, is.Request.Key, is.Clusters[0].Name)
	require.ErrorContains(t, err, counted)

	for parameters, changed := range map[string]bool{"{}": false, "{text: other}": true} {
		base, err := render.ReadBase(files)
		require.NoError(t, err)
		state := renderAll(t, load(t, rewriting(100, parameters)), "dev", base)
		require.Len(t, state.Problems, 1, problemsOf(state.Problems))
		require.True(t, state.Problems[0].Warning)
		require.Contains(t, state.Problems[0].String(), counted)
		require.Contains(t, state.Problems[0].Message, "; it runs already, so it is built all the same, within the limits of a worker")
		require.Equal(t, changed, len(state.Changes) > 0, keysOf(state.Changes))
		if changed {
			require.Contains(t, string(state.Changes["clusters/dev/payments/shop.yaml"]), "text: other")
		}
	}
}
