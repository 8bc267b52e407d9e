package kustomize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// TestOnlyTheVersionIsExcused: a version that runs may be above a limit, an overlay of the environment not.
func TestOnlyTheVersionIsExcused(t *testing.T) {
	for _, heavy := range []string{"version", "overlay"} {
		version, overlay := tree(longText("", "patches", 1, addKey)), tree(longText("", "patches", 1, addKey))
		of := map[string]*kustomize.Tree{"version": &version, "overlay": &overlay}[heavy]
		*of = tree(chain("components", 20, component))
		overlay.Dir, overlay.Overlay = "environments/dev/heavy", true
		w := wrapper(nil, version, overlay)
		_, err := kustomize.Analyse(w)
		require.ErrorContains(t, err, "components; at most 10,000")
		require.False(t, kustomize.Excused(w.Trees, err), "nobody runs it")
		w.Trees[0].Taken = true
		require.Equal(t, heavy == "version", kustomize.Excused(w.Trees, err))
		require.False(t, kustomize.Excused(w.Trees, &kustomize.Failure{Dir: version.Dir}), "no number")
	}
}
