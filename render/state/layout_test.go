package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestPathsAreReadAsTheyAreWritten(t *testing.T) {
	k := platform.RequestKey{Team: "payments", Name: "orders-db"}

	require.Equal(t, "releases/payments/orders-db.yaml", state.ReleaseFile(k))
	got, ok := state.ParseReleaseFile(state.ReleaseFile(k))
	require.True(t, ok)
	require.Equal(t, k, got)

	require.Equal(t, "clusters/west/payments/orders-db.yaml", state.ManifestFile("west", k))
	cluster, got, ok := state.ParseManifestFile(state.ManifestFile("west", k))
	require.True(t, ok)
	require.Equal(t, "west", cluster)
	require.Equal(t, k, got)

	require.Equal(t, "clusters/west/payments/_namespace.yaml", state.NamespaceFile("west", "payments"))
	cluster, team, ok := state.ParseNamespaceFile(state.NamespaceFile("west", "payments"))
	require.True(t, ok)
	require.Equal(t, "west", cluster)
	require.Equal(t, "payments", team)
}

// TestEachPathHasOneMeaning: no path is read as more than one thing, and other paths as nothing.
func TestEachPathHasOneMeaning(t *testing.T) {
	k := platform.RequestKey{Team: "payments", Name: "shop"}
	meanings := map[string]string{
		state.ReleaseFile(k): "release", state.ManifestFile("west", k): "manifest", state.NamespaceFile("west", "payments"): "namespace",
		"fleet.yaml": "", "releases": "", "releases/payments": "", "releases/shop.yaml": "", "releases/payments/shop": "",
		"releases/payments/more/shop.yaml": "", "releases/payments/_namespace.yaml": "", "clusters/west/payments": "",
		"clusters/west/payments/shop": "", "clusters/payments/shop.yaml": "", "clusters/west/payments/more/shop.yaml": "",
		"clusters/west/payments/_other.yaml": "", "requests/payments/shop.yaml": "", "": "", "/": "", "clusters/": "",
	}
	for file, want := range meanings {
		var found []string
		if _, ok := state.ParseReleaseFile(file); ok {
			found = append(found, "release")
		}
		if _, _, ok := state.ParseManifestFile(file); ok {
			found = append(found, "manifest")
		}
		if _, _, ok := state.ParseNamespaceFile(file); ok {
			found = append(found, "namespace")
		}
		if want == "" {
			require.Empty(t, found, file)
		} else {
			require.Equal(t, []string{want}, found, file)
		}
	}
}

func TestTopIsOwn(t *testing.T) {
	for _, name := range state.Top() {
		require.True(t, state.IsOwn(name), name)
		require.True(t, state.IsOwn(name+"/x"), name)
	}
	for _, name := range []string{"README.md", "fleet.yaml.bak", "requests/a/b.yaml", "", "docs/clusters"} {
		require.False(t, state.IsOwn(name), name)
	}
}
