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
	s := Status{Platform: b.platform, Environments: []Environment{}, Instances: []Instance{}}
	s.Platform.Branch = b.Branch
	order := map[string]int{}
	for name := range b.environments {
		order[name] = b.order(name, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(b.environments)) {
		e := b.seen(*b.environments[name])
		e.Order = order[name]
		s.Environments = append(s.Environments, e)
	}
	slices.SortStableFunc(s.Environments, func(x, y Environment) int { return cmp.Compare(x.Order, y.Order) })
	for _, in := range b.instances {
		s.Instances = append(s.Instances, b.known(in))
	}
	slices.SortFunc(s.Instances, func(x, y Instance) int {
		return cmp.Or(x.Request.Compare(y.Request), cmp.Compare(order[x.Environment], order[y.Environment]),
			strings.Compare(x.Environment, y.Environment))
	})
	return s
}

// order is how many environments a release passes at most before it may enter this one.
func (b *Board) order(name string, above []string) int {
	e := b.environments[name]
	if e == nil || slices.Contains(above, name) {
		return 0
	}
	n := 0
	for _, from := range e.PromotesFrom {
		n = max(n, b.order(from, append(above, name))+1)
	}
	return n
}

// seen adds to an environment's clusters the facts that the fleet knows of them.
func (b *Board) seen(e Environment) Environment {
	clusters := slices.Clone(e.Clusters)
	for i, c := range clusters {
		if fact, ok := b.clusters[c.Name]; ok {
			fact.State, fact.Reason, fact.Wave = c.State, c.Reason, c.Wave
			clusters[i] = fact
		}
		if why := b.held[membership{e.Name, c.Name}]; why != "" {
			clusters[i].Problem = why
			clusters[i].Message = cmp.Or(clusters[i].Message, why)
		}
	}
	e.Clusters = clusters
	return e
}

// known copies an instance. A report that a cluster gave before it went away is no longer known to be true.
func (b *Board) known(in *instance) Instance {
	c := in.Instance
	for _, name := range slices.Sorted(maps.Keys(in.placements)) {
		p := *in.placements[name]
		if cluster, heard := b.clusters[name]; heard && !cluster.Reachable {
			p.Health, p.Message = "Unknown", "cluster "+name+" is "+reachability(cluster)
		}
		c.Placements = append(c.Placements, p)
	}
	return c
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
