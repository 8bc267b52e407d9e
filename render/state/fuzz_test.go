package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
	"transom.dev/render/state"
)

// Whatever a Release file says, reading it ends, and a record that was read is written and read again as the same.
func FuzzRelease(f *testing.F) {
	f.Add([]byte("apiVersion: transom.dev/v1alpha1\nkind: Release\nmetadata: {name: shop, team: payments}\nspec:\n" +
		"  digest: sha256:a\n  offering: web\n  version: 1.0.0\n  versionDigest: sha256:b\n  commit: c\n  file: requests/payments/shop.yaml\n" +
		"  clusters: {dev: {revision: sha256:d, renderKey: sha256:e}}\n"))
	for _, text := range []string{"", "{", "a: &a [*a]\n", "kind: Release\n", "apiVersion: transom.dev/v1alpha1\nkind: Release\nmetadata: {name: a, team: b}\nspec: {}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded.Usual.Run(func() {
			release, err := state.DecodeRelease(data)
			if err != nil {
				return
			}
			written := release.Encode()
			again, err := state.DecodeRelease(written)
			require.NoError(t, err)
			require.Equal(t, string(written), string(again.Encode()))
		})
	})
}
