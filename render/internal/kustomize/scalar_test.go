package kustomize_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

// TestTextIsPrintedAsKustomizePrintsIt has a thousand values out of characters that mean something to YAML, a hundred at a
// time.
func TestTextIsPrintedAsKustomizePrintsIt(t *testing.T) {
	version := map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml]\nreplacements:\n" +
			"- source: {kind: Inputs, fieldPath: parameters}\n  targets: [{select: {kind: Note}, fieldPaths: [spec]}]\n",
		"a.yaml": "apiVersion: example.com/v1\nkind: Note\nmetadata: {name: a}\nspec: {}\n",
	}
	of := func(make func(i int) string) kustomize.Wrapper {
		values := map[string]any{}
		for i := range 100 {
			values[fmt.Sprintf("v%02d", i)] = make(i)
		}
		return wrapper(map[string]any{"parameters": values}, tree(version))
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := strings.Split("a b z Z yes no on true null 0 1 7 08 017 1.5 1e3 2026-01-01 1:30 Gi m . - _ / @ + = , ? [ ] { } & * ! | > ' \" % ` ~ << \\ ( ) $ ; ^ : #", " ")
	text := func(int) string {
		out := ""
		for range 1 + random.IntN(5) {
			if out != "" && random.IntN(3) == 0 {
				out += " "
			}
			out += pieces[random.IntN(len(pieces))]
		}
		return out
	}
	p := compiler.Compile(of(func(i int) string { return fmt.Sprint("text", i) }))
	for range 10 {
		w := of(text)
		require.NoError(t, p.Why(w))
		want, err := kustomize.Build(w)
		require.NoError(t, err)
		got, err := p.Build(w)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
}
