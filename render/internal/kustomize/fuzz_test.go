package kustomize_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/e2e/bounded"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// FuzzGuard feeds any text as a kustomization and as a resource. Kustomize must survive every tree that the guard passes: an
// error is fine, a crash or a hang is not.
func FuzzGuard(f *testing.F) {
	for _, dir := range []string{"guard", "build", "analyse"} {
		files, err := filepath.Glob("testdata/" + dir + "/*.txtar")
		require.NoError(f, err)
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			require.NoError(f, err)
			seed := map[string]string{}
			for _, one := range archive.Files {
				seed[one.Name] = string(one.Data)
			}
			f.Add(seed["kustomization.yaml"], seed["a.yaml"])
		}
	}
	f.Add(component+"resources: [a.yaml]\n", "a: &a [*a]\n")
	f.Add(component+"resources: [a.yaml]\n", "kind: List\napiVersion: v1\nitems: [{}, null, 3]\n")
	for _, bomb := range bombs {
		if files := bomb.files(); len(files) == 2 && files["o.yaml"] != "" && len(files["kustomization.yaml"]) < 10_000 {
			f.Add(strings.ReplaceAll(files["kustomization.yaml"], "o.yaml", "a.yaml"), files["o.yaml"])
		}
	}
	f.Add(component+"resources: [a.yaml]\npatches: [{path: a.yaml, target: {name: '(('}}]\n", "- {op: add, path: /a}\n")
	f.Fuzz(func(t *testing.T, kustomization, resource string) {
		version := tree(map[string]string{"kustomization.yaml": kustomization, "a.yaml": resource})
		var problems []platform.Problem
		bounded.Usual.Run(func() { problems = kustomize.Guard(version) })
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
			require.True(t, strings.HasPrefix(p.File, version.Dir), p.File)
		}
		if len(problems) > 0 {
			return
		}
		bounded.Usual.Run(func() {
			w := wrapper(map[string]any{"parameters": map[string]any{"a": "b"}}, version)
			s, err := kustomize.Analyse(w)
			if err != nil {
				return // it was not built either
			}
			_, err = s.Coerced(w.Inputs)
			require.NoError(t, err)
			first, err := kustomize.Build(w)
			if err != nil {
				return
			}
			again, err := kustomize.Build(w)
			require.NoError(t, err)
			require.Equal(t, string(first), string(again))
		})
	})
}
