package render

import (
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// An index finds, among the releases of a base, those that a pass over a few requests has to know about. Of tombstones it
// has only where something remains of them.
type index struct {
	environment string
	versions    map[string]map[string]int // OFFERING@VERSION to its digests, to how many releases name them
	consumers   groups[platform.RequestKey]
	users       groups[use]
	placed      groups[location]
}

// A location is a namespace of a cluster; a cluster-scoped object is in the empty one.
type location struct{ cluster, namespace string }

// A use is an offering that a team has requested.
type use struct{ team, offering string }

// groups are requests by a key that they have in common.
type groups[K comparable] map[K]map[platform.RequestKey]struct{}

func (g groups[K]) add(in K, k platform.RequestKey) {
	if g[in] == nil {
		g[in] = map[platform.RequestKey]struct{}{}
	}
	g[in][k] = struct{}{}
}

func (g groups[K]) remove(in K, k platform.RequestKey) {
	if delete(g[in], k); len(g[in]) == 0 {
		delete(g, in)
	}
}

// indexed returns the base's index, which Advance keeps true.
func (b *Base) indexed(environment string) *index {
	if b.index == nil || b.index.environment != environment {
		b.index = &index{
			environment: environment,
			versions:    map[string]map[string]int{},
			consumers:   groups[platform.RequestKey]{},
			users:       groups[use]{},
			placed:      groups[location]{},
		}
		for _, release := range b.Releases {
			b.index.add(release)
		}
	}
	return b.index
}

func (x *index) add(r *state.Release) {
	for cluster, placed := range r.Clusters {
		x.placed.add(location{cluster, placed.Namespace}, r.Key)
	}
	if r.Absent {
		return
	}
	name := r.Offering + "@" + r.Version
	if x.versions[name] == nil {
		x.versions[name] = map[string]int{}
	}
	x.versions[name][r.VersionDigest]++
	for _, provider := range r.Bindings(x.environment) {
		x.consumers.add(provider, r.Key)
	}
	x.users.add(use{r.Key.Team, r.Offering}, r.Key)
}

func (x *index) remove(r *state.Release) {
	if r == nil {
		return
	}
	for cluster, placed := range r.Clusters {
		x.placed.remove(location{cluster, placed.Namespace}, r.Key)
	}
	if r.Absent {
		return
	}
	name := r.Offering + "@" + r.Version
	if x.versions[name][r.VersionDigest]--; x.versions[name][r.VersionDigest] == 0 {
		delete(x.versions[name], r.VersionDigest)
	}
	for _, provider := range r.Bindings(x.environment) {
		x.consumers.remove(provider, r.Key)
	}
	x.users.remove(use{r.Key.Team, r.Offering}, r.Key)
}

// team returns the team that has a location, the first of several; empty where nobody has it.
func (x *index) team(at location) (team string) {
	for k := range x.placed[at] {
		if team == "" || k.Team < team {
			team = k.Team
		}
	}
	return team
}
