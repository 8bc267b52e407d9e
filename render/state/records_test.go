package state_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestRecordsStayAsTheyAreWhenOthersAreMadeOfThem checks the difference between two values against the changes that were made.
func TestRecordsStayAsTheyAreWhenOthersAreMadeOfThem(t *testing.T) {
	key := func(team, name string) platform.RequestKey { return platform.RequestKey{Team: team, Name: name} }
	type records = map[platform.RequestKey]*state.Release
	web, db, shop, later := &state.Release{}, &state.Release{}, &state.Release{}, &state.Release{}
	before := state.RecordsOf(records{key("a", "web"): web, key("a", "db"): db, key("b", "shop"): shop})
	after := before.With(records{key("a", "web"): later, key("c", "new"): web, key("b", "shop"): nil, key("d", "never"): nil})

	require.Equal(t, records{key("a", "web"): web, key("a", "db"): db, key("b", "shop"): shop}, maps.Collect(before.All()))
	require.Equal(t, records{key("a", "web"): later, key("a", "db"): db, key("c", "new"): web}, maps.Collect(after.All()))
	require.Same(t, later, after.Of(key("a", "web")))
	require.Nil(t, after.Of(key("b", "shop")))
	require.Nil(t, state.Records{}.Of(key("a", "web")))
	require.Equal(t, []platform.RequestKey{key("c", "new")}, slices.Collect(maps.Keys(maps.Collect(after.OfTeam("c")))))

	changed := []platform.RequestKey{key("a", "web"), key("b", "shop"), key("c", "new")}
	require.Equal(t, changed, slices.SortedFunc(after.Differing(before), platform.RequestKey.Compare))
	require.Equal(t, changed, slices.SortedFunc(before.Differing(after), platform.RequestKey.Compare))
	require.Empty(t, slices.Collect(after.Differing(after)))
	require.Len(t, slices.Collect(after.Differing(state.Records{})), 3)
}
