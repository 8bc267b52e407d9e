package platform_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestSetsOfInstancesDifferByWhatWasChanged makes sets of each other by random changes, and compares each with a map.
func TestSetsOfInstancesDifferByWhatWasChanged(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := map[platform.RequestKey]*platform.Instance{}
	sorted := func(all map[platform.RequestKey]*platform.Instance) (list []*platform.Instance) {
		for _, k := range slices.SortedFunc(maps.Keys(all), platform.RequestKey.Compare) {
			list = append(list, all[k])
		}
		return list
	}
	var set *platform.InstanceSet
	for range 300 {
		changes, after := map[platform.RequestKey]*platform.Instance{}, maps.Clone(all)
		for range random.IntN(4) {
			k := platform.RequestKey{Team: fmt.Sprint("team", random.IntN(3)), Name: fmt.Sprint("r", random.IntN(4))}
			i := &platform.Instance{Request: &platform.Request{Key: k}, Clusters: make([]*platform.Cluster, random.IntN(3))}
			switch random.IntN(3) {
			case 0:
				i = nil
			case 1:
				i = all[k] // the very same, or none
			}
			changes[k] = i
			if after[k] = i; i == nil {
				delete(after, k)
			}
		}
		next := set.With(changes)

		var differing []platform.RequestKey
		for k := range changes {
			if all[k] != after[k] {
				differing = append(differing, k)
			}
		}
		slices.SortFunc(differing, platform.RequestKey.Compare)
		require.Equal(t, differing, slices.Collect(next.Differing(set)))
		require.Equal(t, differing, slices.Collect(set.Differing(next)))
		if len(differing) == 0 {
			require.Same(t, set, next)
		}
		list := sorted(after)
		require.Equal(t, len(list), next.Len())
		require.Equal(t, list, slices.Collect(next.All()))
		require.Equal(t, list, slices.Collect(platform.NewInstanceSet(list).All()))
		placements := 0
		for k, i := range after {
			require.Same(t, i, next.Of(k))
			placements += len(i.Clusters)
		}
		require.Equal(t, placements, next.Placements())
		require.Equal(t, sorted(all), slices.Collect(set.All()), "the set before stays as it was")
		all, set = after, next
	}
}
