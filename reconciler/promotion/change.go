package promotion

import (
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A change is a proposal, taken apart by clusters. The lists are sorted.
type change struct {
	state.Proposal
	key platform.RequestKey
	at  int // among the proposals

	same    []string // keep their bytes
	moving  []string // get others
	joining []string // get their first, where the instance runs on others already and stays there
	gone    []string // lose theirs
}

func newChange(proposal state.Proposal, at int) *change {
	c := &change{Proposal: proposal, key: proposal.Next.Key, at: at}
	was := map[string]state.Placement{}
	if proposal.Base != nil {
		c.key, was = proposal.Base.Key, proposal.Base.Clusters
	}
	for _, cluster := range sortedKeys(proposal.Next.Clusters) {
		before, there := was[cluster]
		switch {
		case there && before.RenderKey == proposal.Next.Clusters[cluster].RenderKey:
			c.same = append(c.same, cluster)
		case joins(proposal, cluster):
			c.joining = append(c.joining, cluster)
		default:
			c.moving = append(c.moving, cluster)
		}
	}
	for _, cluster := range sortedKeys(was) {
		if _, stays := proposal.Next.Clusters[cluster]; !stays {
			c.gone = append(c.gone, cluster)
		}
	}
	return c
}

// joins reports whether a cluster is new to an instance that runs on others and stays there. One that its rollout is on its
// way to is not.
func joins(p state.Proposal, cluster string) bool {
	if !runs(p.Base) || slices.Contains(pending(p.Base), cluster) {
		return false
	}
	if _, there := p.Base.Clusters[cluster]; there {
		return false
	}
	for other := range p.Base.Clusters {
		if _, stays := p.Next.Clusters[other]; stays {
			return true
		}
	}
	return false
}

// compose makes the record of a proposal of which some clusters move now and some lose their bytes: the others keep the
// bytes that the base has there, and name their release.
func (c *change) compose(moving, leaving []string) *state.Release {
	to := c.Next.Clone()
	if c.Base == nil {
		first := map[string]state.Placement{}
		for _, cluster := range moving {
			first[cluster] = to.Clusters[cluster]
		}
		return to.WithClusters(first)
	}
	to.Inherit(c.Base)
	if to.Digest == c.Base.Digest {
		to.MoveTo(c.Base.Commit)
	}
	for _, cluster := range c.same {
		placed := to.Clusters[cluster]
		placed.Joining = c.Base.Clusters[cluster].Joining
		to.Place(cluster, placed)
	}
	for _, cluster := range without(slices.Concat(c.moving, c.joining, c.gone), slices.Concat(moving, leaving)) {
		placed, there := c.Base.Clusters[cluster]
		if !there {
			to.Drop(cluster)
			continue
		}
		if !outdated(placed) && c.Base.Digest != to.Digest {
			placed.Release, placed.Version = c.Base.Digest, c.Base.Version
		}
		to.Place(cluster, placed)
	}
	to.KeepObserved(c.Base)
	return to
}

// touches reports whether any cluster gets or loses bytes.
func (c *change) touches() bool { return len(c.moving)+len(c.joining)+len(c.gone) > 0 }

// annotate is the base with the value keys of bytes that stay. They say how these bytes came about, and change nothing on a cluster.
func (c *change) annotate() *state.Release {
	to := c.Base
	for _, cluster := range c.same {
		placed, next := c.Base.Clusters[cluster], c.Next.Clusters[cluster]
		if placed.ValueKey == next.ValueKey && placed.UrgentKey == next.UrgentKey {
			continue
		}
		if to == c.Base {
			to = c.Base.Clone()
		}
		placed.ValueKey, placed.UrgentKey = next.ValueKey, next.UrgentKey
		to.Place(cluster, placed)
	}
	return to
}

// onlyValues reports whether on these clusters nothing changes but the values of observed outputs.
func (c *change) onlyValues(clusters []string) bool {
	return c.each(clusters, func(is, was state.Placement) bool { return is.OnlyValues(was) })
}

// isUrgent reports whether on these clusters nothing changes but the values of observed outputs that are urgent.
func (c *change) isUrgent(clusters []string) bool {
	return c.each(clusters, func(is, was state.Placement) bool { return is.Hastens(was) })
}

// each reports whether something is so of all of these clusters, of which there is one at least.
func (c *change) each(clusters []string, so func(is, was state.Placement) bool) bool {
	if c.Base == nil || len(clusters) == 0 {
		return false
	}
	return !slices.ContainsFunc(clusters, func(cluster string) bool { return !so(c.Next.Clusters[cluster], c.Base.Clusters[cluster]) })
}

// brought lists the clusters that keep bytes which an open rollout brought: they are of the rollout that replaces it, too.
func (c *change) brought() []string { return intersect(c.same, moved(c.Base)) }

// keys are the render keys that come on some clusters.
func (c *change) keys(clusters []string) map[string]string {
	keys := map[string]string{}
	for _, cluster := range clusters {
		keys[cluster] = c.Next.Clusters[cluster].RenderKey
	}
	return keys
}

// enteringOn selects the failures of the bytes that enter now on some clusters. They are forgotten, since a person let the bytes in
// again: once, also when the file in which that was said is removed later.
func (c *change) enteringOn(clusters []string) func(state.Failure) bool {
	return func(f state.Failure) bool {
		return slices.Contains(clusters, f.Cluster) && c.Next.Clusters[f.Cluster].RenderKey == f.RenderKey
	}
}
