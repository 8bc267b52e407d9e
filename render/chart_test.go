package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

// TestVersionsWithTheSameFilesPrintForThemselves: a version that is a copy of the one before it is its own, with its own places.
func TestVersionsWithTheSameFilesPrintForThemselves(t *testing.T) {
	var r render.Renderer
	for environment, number := range map[string]string{"dev": "2.0.0", "prod": "2.1.0"} {
		files := map[string][]byte{shopFile: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\n" +
			"spec: {offering: note, version: " + number + ", environments: {" + environment + ": {}}}\n")}
		for _, n := range []string{"2.0.0", "2.1.0"} {
			dir := "offerings/note/" + n + "/"
			files[dir+"version.yaml"] = []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec: {chart: {path: chart}}\n")
			files[dir+"chart/Chart.yaml"] = []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")
			files[dir+"chart/templates/a.yaml"] = []byte("apiVersion: v1\nkind: ConfigMap\n" +
				"metadata: {name: \"{{ .Release.Name }}\", namespace: \"{{ .Release.Namespace }}\"}\n")
		}
		state, err := r.Render(with(t, files), environment, nil)
		require.NoError(t, err)
		require.Empty(t, problemsOf(state.Problems), number)
	}
	prints, skeletons, bound := r.PrintsKept()
	require.Greater(t, prints, 100)
	require.Greater(t, skeletons, 100)
	require.Positive(t, bound)
	require.LessOrEqual(t, bound, 256<<20)
}
