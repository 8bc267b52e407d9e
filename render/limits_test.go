package render_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render"
)

const noteComponent = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"

// amplified are ways to make very much of little: a version, a request for it, and the Problem that says so.
var amplified = []struct {
	name       string
	files      func() map[string]string // of the version
	parameters string
	says       []string
}{
	{
		"components of components",
		func() map[string]string {
			files := map[string]string{"kustomization.yaml": noteComponent + "resources: [map.yaml]\ncomponents: [c0]\n"}
			for n := range 20 {
				files[fmt.Sprintf("c%d/kustomization.yaml", n)] = fmt.Sprintf("%scomponents: [../c%d, ../c%d]\n", noteComponent, n+1, n+1)
			}
			files["c20/kustomization.yaml"] = noteComponent + "namePrefix: x\n"
			return files
		}, "{}",
		[]string{"offerings/note/2.0.0/kustomization.yaml: expands to 2,097,152 components; at most 10,000"},
	},
	{
		"a list for many objects",
		func() map[string]string { return map[string]string{"map.yaml": configMaps(400)} },
		"{list: [" + strings.Repeat("{k: v},", 2000) + "]}",
		[]string{shopFile + ": writes values of ", "fields and items into objects; at most 500,000"},
	},
	{
		"a text for many objects",
		func() map[string]string { return map[string]string{"map.yaml": configMaps(400)} },
		"{list: [" + strings.Repeat("x", 60_000) + "]}",
		[]string{shopFile + ": writes values of 24,", "bytes into objects; at most 16,777,216"},
	},
	{
		"a map of many keys",
		func() map[string]string { return nil },
		"{list: [{" + manyKeys(20_000) + "}]}",
		[]string{shopFile + ": has a mapping with 20,000 keys; at most 10,000"},
	},
	{
		"a text replaced in itself",
		func() map[string]string {
			return map[string]string{"version.yaml": noteVersion + "  computed: {v: 'parameters.text.replace(\"x\", parameters.text)'}\n"}
		}, "{text: " + strings.Repeat("x", 60_000) + "}",
		[]string{"offerings/note/2.0.0/version.yaml:", "spec.computed.v: comes to 3600000000 bytes of text; at most 1048576"},
	},
	{
		"a default in many items",
		func() map[string]string { return nil },
		"{defaults: [" + strings.Repeat("{},", 50_000) + "]}",
		[]string{shopFile + ":", "spec.parameters: come to more than 4194304 bytes with the defaults of the schema"},
	},
	{
		"a long text", func() map[string]string { return nil },
		"{text: " + strings.Repeat("x", 100<<10) + "}",
		[]string{shopFile + ":", "spec.parameters.text: is 102400 bytes long; at most 65536"},
	},
	{
		"a large object",
		func() map[string]string {
			return map[string]string{"map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {list: [], a: " + strings.Repeat("x", 3<<19) + "}\n"}
		},
		"{}",
		[]string{"offerings/note/2.0.0/kustomization.yaml: renders ConfigMap payments/shop-map of 1573", "bytes as JSON; an object may have 1468006 (1.4 MiB)"},
	},
	{
		"large objects together",
		func() map[string]string {
			files := map[string]string{}
			for n := range 6 {
				files[fmt.Sprintf("map%d.yaml", n)] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map%d}\ndata: {a: %s}\n", n, strings.Repeat("x", 750<<10))
			}
			files["kustomization.yaml"] = noteComponent + "resources: [map0.yaml, map1.yaml, map2.yaml, map3.yaml, map4.yaml, map5.yaml]\n"
			return files
		}, "{}",
		[]string{"offerings/note/2.0.0/kustomization.yaml: renders objects of 46", "bytes as JSON for one cluster; all of a request may have 4194304 (4 MiB)"},
	},
}

const noteVersion = "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec:\n" +
	"  parameters: {type: object, properties: {text: {type: string, default: text}, list: {type: array, default: [a], items: {x-kubernetes-preserve-unknown-fields: true}}, " +
	"defaults: {type: array, items: {type: object, properties: {a: {type: string, default: 'a text of a hundred and some more characters, so that many of them come to very much in the end, as they do'}}}}}}\n"

func configMaps(count int) string {
	text := ""
	for n := range count {
		text += fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map%d}\ndata: {list: []}\n---\n", n)
	}
	return text
}

func manyKeys(count int) string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, "k%d: v,", n)
	}
	return all.String()
}

// amplifying is a platform with a version of these files, a request for it, and a neighbour.
func amplifying(version map[string]string, parameters string) fstest.MapFS {
	files := common()
	for name, text := range map[string]string{
		"version.yaml": noteVersion,
		"kustomization.yaml": noteComponent + "resources: [map.yaml]\nreplacements:\n" +
			"- {source: {kind: Inputs, fieldPath: parameters.list}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.list]}]}\n",
		"map.yaml": configMaps(1),
	} {
		put(files, "offerings/note/2.0.0/"+name, []byte(text))
	}
	for name, text := range version {
		put(files, "offerings/note/2.0.0/"+name, []byte(text))
	}
	put(files, "requests/payments/neighbour.yaml", neighbour)
	put(files, shopFile, []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\nspec:\n  offering: note\n  version: 2.0.0\n"+
		"  environments: {dev: {}}\n  parameters: "+parameters+"\n"))
	return files
}

// TestAmplifiersAreRefusedByNumber: each is refused by a Problem that names the file and both numbers, in little memory,
// and the neighbour is rendered.
func TestAmplifiersAreRefusedByNumber(t *testing.T) {
	for _, a := range amplified {
		t.Run(a.name, func(t *testing.T) {
			files := amplifying(a.files(), a.parameters)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p := load(t, files)
			state := renderAll(t, p, "dev", nil)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30))
			require.Contains(t, state.Changes, "clusters/dev/payments/neighbour.yaml")
			require.NotContains(t, state.Changes, "clusters/dev/payments/shop.yaml")
			var said strings.Builder
			for _, problem := range append(p.Problems, state.Problems...) {
				said.WriteString(problem.String() + "\n")
				require.Less(t, len(problem.Message), 1000)
			}
			for _, text := range a.says {
				require.Contains(t, said.String(), text)
			}
		})
	}
}

// TestATakenLongTextGoesOn: of a version that runs, a text is only warned of that a new request may not have.
func TestATakenLongTextGoesOn(t *testing.T) {
	plain := map[string]string{
		"kustomization.yaml": noteComponent + "resources: [map.yaml]\n",
		"map.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n",
	}
	short := amplifying(plain, "{text: short}")
	first := renderAll(t, load(t, short), "dev", nil)
	require.Empty(t, first.Problems)
	base, err := render.ReadBase(commit(nil, first.Changes))
	require.NoError(t, err)
	p := load(t, amplifying(plain, "{list: [b], text: "+strings.Repeat("x", 100<<10)+"}"))
	state := renderAll(t, p, "dev", base)
	require.Contains(t, state.Changes, "releases/payments/shop.yaml", state.Problems)
	require.Len(t, state.Problems, 1)
	require.True(t, state.Problems[0].Warning)
	require.Equal(t, "too-long", state.Problems[0].Rule)
}

// TestSizesAreThoseOfJSON: the length that is counted is that of the object as an API server reads it.
func TestSizesAreThoseOfJSON(t *testing.T) {
	for _, text := range []string{
		"a: b\n", "{}\n", "[]\n", "a: []\nb: {}\nc: [1, true, null, 1.5]\n", "a: \"q\\\"\\n\\t\\u0001é\"\nb: {c: [{d: e}, {}]}\n",
	} {
		compact, err := k8syaml.YAMLToJSON([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(compact), render.JSONSize([]byte(text)), text)
	}
}
