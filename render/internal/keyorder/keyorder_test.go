package keyorder_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/keyorder"
)

// TestKeysHaveOneOrder where the library's comparison goes in a circle.
func TestKeysHaveOneOrder(t *testing.T) {
	keys := []string{"9", "10a", "1a", "20c", "2b", "3", "b", "a9", "a10", "a1b", "-"}
	want := slices.Clone(keys)
	keyorder.Sort(want)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		keyorder.Sort(keys)
		require.Equal(t, want, keys)
	}
}
