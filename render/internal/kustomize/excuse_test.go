package kustomize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// TestOnlyTheVersionIsExcused: a version that runs may be above a limit, an overlay of the environment not.
func TestOnlyTheVersionIsExcused(t *testing.T) {
	for _, overlay := range []bool{false, true} {
		version := tree(longText("", "patches", 1, addKey))
		heavy := tree(chain("components", 20, component))
		heavy.Dir, heavy.Overlay = "offerings/web/1.0.0/more", false
		if overlay {
			heavy.Dir, heavy.Overlay = "environments/dev/heavy", true
		}
		w := wrapper(nil, version, heavy)
		w.Trees[0], w.Trees[1] = w.Trees[1], w.Trees[0]
		_, err := kustomize.Analyse(w)
		require.ErrorContains(t, err, "components; at most 10,000")
		require.False(t, w.Excuses(err), "nobody runs it")
		w.Taken = true
		require.Equal(t, !overlay, w.Excuses(err))
		require.False(t, w.Excuses(&kustomize.Failure{Dir: version.Dir}), "no number")
	}
}
