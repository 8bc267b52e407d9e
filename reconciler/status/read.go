package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Status returns a copy of all that is known.
func (b *Board) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Platform: b.platform, Environments: []Environment{}, Instances: make([]Instance, 0, len(b.instances))}
	s.Platform.Branch = b.Branch
	order := map[string]int{}
	for name := range b.environments {
		order[name] = b.environments.order(name, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(b.environments)) {
		e := b.environments[name]
		s.Environments = append(s.Environments, e.with(b.clustersOf(e), order[name]))
	}
	slices.SortStableFunc(s.Environments, func(x, y Environment) int { return cmp.Compare(x.Order, y.Order) })
	for _, in := range b.instances {
		s.Instances = append(s.Instances, b.withPlacements(in))
	}
	slices.SortFunc(s.Instances, func(x, y Instance) int {
		return cmp.Or(x.Request.Compare(y.Request), cmp.Compare(order[x.Environment], order[y.Environment]),
			strings.Compare(x.Environment, y.Environment))
	})
	return s
}

// clustersOf are the clusters of an environment with the fleet's last report about each; the caller holds the lock.
func (b *Board) clustersOf(e *Environment) []Cluster {
	clusters := slices.Clone(e.Clusters)
	for i, c := range clusters {
		if report, ok := b.clusters[c.Name]; ok {
			report.State, report.Reason, report.Wave = c.State, c.Reason, c.Wave
			clusters[i] = report
		}
		if why := b.refused[membership{e.Name, c.Name}]; why != "" {
			clusters[i].Problem = why
			clusters[i].Message = cmp.Or(clusters[i].Message, why)
		}
	}
	return clusters
}

// withPlacements copies an instance. A report that a cluster gave before it went away is no longer known to be true. The caller
// holds the lock.
func (b *Board) withPlacements(in *instance) Instance {
	var placements []Placement
	for _, name := range slices.Sorted(maps.Keys(in.placements)) {
		p := *in.placements[name]
		if cluster, heard := b.clusters[name]; heard && !cluster.Reachable {
			p.lose("cluster " + name + " is " + reachability(cluster))
		}
		placements = append(placements, p)
	}
	return in.with(placements)
}

// History returns the latest events, oldest first.
func (b *Board) History() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.history)
}

func reachability(c Cluster) string {
	if c.Reachable {
		return cmp.Or(c.Message, "reachable")
	}
	return "not reachable: " + c.Message
}

// short is how people read a hash.
func short(hash string) string {
	hash = strings.TrimPrefix(hash, "sha256:")
	return hash[:min(len(hash), 7)]
}
