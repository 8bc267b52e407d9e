package kustomize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

const largePatch = "{target: {kind: ConfigMap}, patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k1: w}}'},"

// merging are trees in which patches or generators are merged into one object again and again, and the number of the Problem.
var merging = []struct {
	name  string
	files map[string]string
	says  string // empty: it is within the limits
}{
	{"generators merged into one", generators(900, "merge", ""), "merges patches and generators into objects of 1,5"},
	{"generators merged into a large file", map[string]string{
		"kustomization.yaml": component + "configMapGenerator: [{name: g, files: [data]}, " + strings.Repeat("{name: g, behavior: merge, literals: [a=b]},", 100) + "]\n",
		"data":               strings.Repeat("x", 4<<20),
	}, "merges patches and generators into objects of 1,5"},
	{"generators merged into an object of many keys", generators(10, "merge", keysNamed("k", 9000)), "merges patches and generators into objects of 1,"},
	{"generators of a component merged into those above", func() map[string]string {
		files := generators(900, "merge", "")
		files["c/kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], "{name: g, literals: [a=b]}, ", "", 1)
		files["kustomization.yaml"] = component + "configMapGenerator: [{name: g, literals: [a=b]}]\ncomponents: [c]\n"
		return files
	}(), "merges patches and generators into objects of 1,5"},
	{"a generator of very many keys", map[string]string{
		"kustomization.yaml": component + "configMapGenerator: [{name: g, envs: [data]}]\n",
		"data":               lines(60_000),
	}, "merges patches and generators into objects of 18,"},
	{"patches merged into an object of many keys", patchesOf(900, keysNamed("k", 9000)), "merges patches and generators into objects of 1,6"},
	{"patches merged into an object of many fields", patchesOf(900, "x: {"+keysNamed("k", 10)+"y: ["+strings.Repeat("{a: {b: c, d: e}},", 1000)+"]}"), "merges patches and generators into objects of 1,5"},
	{"options of generators", func() map[string]string {
		files := generators(0, "", "")
		files["kustomization.yaml"] += "generatorOptions: {annotations: {a: " + strings.Repeat("x", 100_000) + "}}\n"
		for n := range 300 {
			files["kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], ": [{", fmt.Sprintf(": [{name: g%d}, {", n), 1)
		}
		return files
	}(), "comes to objects of 30,"},

	{"generators that replace", generators(900, "replace", ""), ""},
	{"some generators merged", generators(100, "merge", keysNamed("k", 50)), ""},
	{"patches of a large definition", patchesOf(20, "x: ["+strings.Repeat("{a: {b: c, d: e}},", 1500)+"]"), ""},
}

// generators change a ConfigMap so often, which is generated or, with keys, an object of a file.
func generators(count int, behavior, keys string) map[string]string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, "{name: g, behavior: %s, literals: [a%d=b]}, ", behavior, n)
	}
	files := map[string]string{"kustomization.yaml": component + "configMapGenerator: [{name: g, literals: [a=b]}, " + all.String() + "]\n"}
	if keys != "" {
		files["o.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: g}\ndata: {" + keys + "}\n"
		files["kustomization.yaml"] = strings.Replace(files["kustomization.yaml"], "{name: g, literals: [a=b]}, ", "", 1) + "resources: [o.yaml]\n"
	}
	return files
}

// patchesOf are so many patches of one object.
func patchesOf(count int, data string) map[string]string {
	files := with("o.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {"+data+"}\n")
	files["kustomization.yaml"] += "patches: [" + strings.Repeat(largePatch, count) + "]\n"
	return files
}

func lines(count int) string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, "k%d=v\n", n)
	}
	return all.String()
}

// TestMergingIsCountedBeforeItIsDone: the work of a merge grows with the object that is there, so a few bytes of text repeat it all.
func TestMergingIsCountedBeforeItIsDone(t *testing.T) {
	for _, c := range merging {
		t.Run(c.name, func(t *testing.T) {
			w := wrapper(nil, tree(c.files))
			var said strings.Builder
			for _, p := range kustomize.Guard(w.Trees[0]) {
				require.True(t, kustomize.IsCount(p), "a version that runs is excused")
				said.WriteString(p.String() + "\n")
			}
			if c.says == "" {
				require.Empty(t, said.String())
				_, err := kustomize.Accumulate(w)
				require.NoError(t, err)
				return
			}
			require.Contains(t, said.String(), c.says)
			require.Contains(t, said.String(), "; at most 1")
			_, err := kustomize.Analyse(w)
			require.ErrorContains(t, err, c.says)
			w.Trees[0].Taken = true
			require.True(t, kustomize.Excused(w.Trees, err))
		})
	}
}
