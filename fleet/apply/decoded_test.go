package apply_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

// Clusters that have the same instance at the same time decode its manifests once.
func TestManifestsAreDecodedOnceForManyClusters(t *testing.T) {
	var shared apply.Shared
	text := []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: key}}\n")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			decoded, err := shared.Decode(text)
			if err != nil || len(decoded) != 2 || &decoded[0] != &shared.Remembered(text)[0] {
				t.Error("it was decoded anew", err)
			}
		})
	}
	all.Wait()
	require.True(t, shared.Unaltered(text))
}

// Manifests that cannot be decoded are refused each time, and many texts are not remembered for ever.
func TestDecodedManifestsAreBounded(t *testing.T) {
	var shared apply.Shared
	for range 2 {
		_, err := shared.Decode([]byte("{apiVersion: v1, kind: ConfigMap}"))
		require.ErrorContains(t, err, "ConfigMap without a name")
	}
	text := func(i int) []byte {
		return fmt.Appendf(nil, "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-%d}, data: {a: %s}}", i, strings.Repeat("x", 1<<20))
	}
	remembered := 0
	for i := range 12 {
		_, err := shared.Decode(text(i))
		require.NoError(t, err)
	}
	for i := range 12 {
		remembered += len(shared.Remembered(text(i)))
	}
	require.Positive(t, remembered)
	require.LessOrEqual(t, remembered, 4)

	small := func(i int) []byte {
		return fmt.Appendf(nil, "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-%d}, data: {a: %s}}", i, strings.Repeat("x", 1<<10))
	}
	next := 0
	rememberedOf := func(s *apply.Shared) (remembered int) {
		next += 1_000
		for i := range 1_000 {
			_, err := s.Decode(small(next + i))
			require.NoError(t, err)
		}
		for i := range 1_000 {
			remembered += len(s.Remembered(small(next + i)))
		}
		return remembered
	}
	require.Less(t, rememberedOf(&shared), 600, "nobody shares")
	var used apply.Shared
	leave := used.Join()
	require.Less(t, rememberedOf(&used), 600, "one cluster alone")
	defer used.Join()()
	require.Equal(t, 1_000, rememberedOf(&used), "two clusters")
	leave()
	leave()
	require.Less(t, rememberedOf(&used), 600, "one cluster is left")

	huge := fmt.Appendf(nil, "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: %s}}", strings.Repeat("x", 3<<20))
	_, err := shared.Decode(huge)
	require.NoError(t, err)
	require.Nil(t, shared.Remembered(huge))

	var none *apply.Shared
	decoded, err := none.Decode(text(0))
	require.NoError(t, err)
	require.Len(t, decoded, 1)
}

// A text that is used again and again is decoded once, however many others come.
func TestManifestsInUseStayDecoded(t *testing.T) {
	var shared apply.Shared
	text := func(i int) []byte {
		return fmt.Appendf(nil, "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-%d}, data: {a: %s}}", i, strings.Repeat("x", 1<<10))
	}
	used, err := shared.Decode(text(0))
	require.NoError(t, err)
	for i := range 1_000 {
		_, err := shared.Decode(text(1 + i))
		require.NoError(t, err)
		again, err := shared.Decode(text(0))
		require.NoError(t, err)
		require.Same(t, &used[0], &again[0])
	}
	require.Nil(t, shared.Remembered(text(1)))
}
