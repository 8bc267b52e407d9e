package preview

import (
	"maps"
	"slices"
	"strings"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Departure is a cluster that requests of an environment leave while they stay on others, or come to others: their last
// step, after all of those are healthy and have soaked.
type Departure struct {
	Cluster  string                `json:"cluster"`
	Now      bool                  `json:"now,omitempty"` // its file says that they do not wait, once that is approved
	Requests []platform.RequestKey `json:"requests"`      // sorted
	After    []string              `json:"after"`         // the clusters that they wait for, sorted
}

// Departures says which clusters requests leave last, sorted by cluster; those that wait for other clusters are apart.
func Departures(p *platform.Platform, before *render.Base, after *render.State) (all []Departure) {
	for _, k := range slices.SortedFunc(maps.Keys(after.Releases), platform.RequestKey.Compare) {
		is, was := after.Releases[k], before.Releases[k]
		if was == nil || was.Absent || is.Absent || len(is.Clusters) == 0 {
			continue
		}
		stays := slices.Sorted(maps.Keys(is.Clusters))
		for _, cluster := range slices.Sorted(maps.Keys(was.Clusters)) {
			c := p.Clusters[cluster]
			if _, there := is.Clusters[cluster]; there || c == nil {
				continue // it stays, or it is let go
			}
			same := func(d Departure) bool { return d.Cluster == cluster && slices.Equal(d.After, stays) }
			at := slices.IndexFunc(all, same)
			if at < 0 {
				at, all = len(all), append(all, Departure{Cluster: cluster, Now: c.Now && c.State == platform.ClusterDraining, After: stays})
			}
			all[at].Requests = append(all[at].Requests, k)
		}
	}
	slices.SortStableFunc(all, func(a, b Departure) int { return strings.Compare(a.Cluster, b.Cluster) })
	return all
}

// AtOnce names the deletions that a person may approve so that nothing of them waits; empty where no cluster is to be left now.
func AtOnce(environment string, departures []Departure) string {
	var now []state.DeletedPlacement
	for _, d := range departures {
		for _, k := range d.Requests {
			if d.Now {
				now = append(now, state.DeletedPlacement{Cluster: d.Cluster, Team: k.Team, Request: k.Name})
			}
		}
	}
	return state.DeletionsDigest(environment, now)
}
