package pattern_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/pattern"
)

func TestRepetitionsAreWrittenOut(t *testing.T) {
	for text, want := range map[string]int64{"plain": 0, "": 0, "(": 0, "x{1000}": 3003} {
		require.Equal(t, want, pattern.Steps(text), text)
	}
	require.Less(t, pattern.Steps("[a-z]([-a-z0-9]*[a-z0-9])?"), int64(100))
	require.Greater(t, pattern.Steps("((a|b){0,30}.{0,30}){0,30}"), int64(2000))
}
