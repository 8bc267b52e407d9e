package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

// TestCachesAreBounded and keep the entries in use.
func TestCachesAreBounded(t *testing.T) {
	kept, made := render.Remembered(10, 1000)
	require.LessOrEqual(t, kept, 20)
	require.Greater(t, kept, 10)
	require.Equal(t, 1, made)
	kept, _ = render.Remembered(0, 100_000)
	require.LessOrEqual(t, kept, 1<<16)

	repo := &repository{}
	repo.render(t, with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")}), "dev")
	skeletons, bound := repo.renderer.SkeletonsKept()
	require.Equal(t, 1, skeletons)
	require.LessOrEqual(t, bound, 1<<12)
	require.Positive(t, bound)
}
