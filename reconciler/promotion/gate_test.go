package promotion

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
)

// TestEveryRowOfTheTableHasAName that says what opens it, and an Override skips what its name says.
func TestEveryRowOfTheTableHasAName(t *testing.T) {
	skippable := map[gate.Name]bool{}
	for _, g := range gates {
		require.True(t, slices.ContainsFunc(names, func(n named) bool { return n.name == g.name }), g.name)
		skippable[g.name] = skippable[g.name] || g.skip != never
	}
	text, err := os.ReadFile("RULES.md")
	require.NoError(t, err)
	for _, n := range names {
		require.Equal(t, slices.Contains(gate.Skippable(), n.name), skippable[n.name], n.name)
		require.Contains(t, string(text), "`"+string(n.name)+"`", "RULES.md tells of every gate")
	}
}
