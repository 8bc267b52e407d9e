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

	bytes, last := render.RememberedBytes(1000, 10_000, 30)
	require.LessOrEqual(t, bytes, 2000)
	require.Greater(t, bytes, 900)
	require.True(t, last)
	bytes, last = render.RememberedBytes(1000, 10, 5000)
	require.LessOrEqual(t, bytes, 10_000, "one that is larger than the bound")
	require.True(t, last)

	repo := &repository{}
	repo.render(t, with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")}), "dev")
	skeletons, bound := repo.renderer.SkeletonsKept()
	require.Equal(t, 1, skeletons)
	require.LessOrEqual(t, bound, 1<<12)
	require.Positive(t, bound)
}
