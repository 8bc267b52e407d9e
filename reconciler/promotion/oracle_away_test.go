package promotion_test

import (
	"maps"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// rollouts holds the lists of clusters in a record: each has a cluster once, and nothing that enters waits for one whose file
// is gone. It checks R84.
func (o *oracle) rollouts(s *stage, was, is *state.Release) {
	rollout := is.Promotion.Rollout
	if rollout == nil {
		return
	}
	all := slices.Sorted(slices.Values(slices.Concat(rollout.Moved, rollout.Pending)))
	if len(slices.Compact(slices.Clone(all))) < len(all) {
		o.breaks("%s has %s on %v and on its way to %v", s.name, is.Key, rollout.Moved, rollout.Pending)
	}
	if was != nil && was.Digest == is.Digest {
		return
	}
	for _, c := range rollout.Pending {
		if o.away[c] != nil {
			o.breaks("%s waits with %s for %s, whose file is gone", s.name, is.Key, c)
		}
	}
}

// outlived checks the end of a rollout whose clusters all left against the true health on those that remain. It checks R74.
func (o *oracle) outlived(s *stage, was, ends *state.Release) {
	moved := was.Promotion.Rollout.Moved
	if len(moved) == 0 || slices.ContainsFunc(moved, func(c string) bool { _, there := ends.Clusters[c]; return there && o.away[c] == nil }) {
		return
	}
	if _, well := o.least(s.name, ends); !well && !o.asleep(s.name, ends) {
		o.breaks("%s says that %s is healthy in all waves, and nothing that it moved is there", s.name, was.Digest)
	}
}

// joins checks a cluster that comes to an instance that runs on others against the rule of joining: until it was healthy it
// counts nowhere. It checks R83.
func (o *oracle) joins(s *stage, p *pass, was, is *state.Release) {
	if was == nil || was.Absent || was.Promotion.Rollout != nil {
		return // on its way to its first clusters
	}
	stays := false
	for _, c := range o.wanted(p, is) {
		_, had := was.Clusters[c.Name]
		_, there := is.Clusters[c.Name]
		stays = stays || had && there && o.counts(s.name, c.Name)
	}
	for c, placed := range is.Clusters {
		if _, had := was.Clusters[c]; !had && stays && !placed.Joining {
			o.breaks("%s has %s count on %s, which joined", s.name, is.Key, c)
		}
	}
}

// deletes checks deletions that wait for an Approval against the placements that are to go: a placement that is let go is not
// deleted. It checks R51.
func (o *oracle) deletes(s *stage, p *pass) {
	if p.Deletions == "" {
		return
	}
	asked, losing := map[platform.RequestKey][]*platform.Cluster{}, map[platform.RequestKey]bool{}
	for _, i := range o.asked(s.name) {
		asked[i.Request.Key] = i.Clusters
	}
	for k, r := range s.releases {
		for c := range r.Clusters {
			if o.away[c] == nil && !slices.Contains(asked[k], o.platform.Clusters[c]) {
				losing[k] = true
			}
		}
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(o.platform.Clusters)), func(c *platform.Cluster) bool { return c.Now }) {
		return // of these each deletion is approved
	}
	if len(losing) <= o.platform.Environments[s.name].DeletionLimit.Instances {
		o.breaks("%s waits for an Approval of deletions, and %d instances lose something", s.name, len(losing))
	}
}
