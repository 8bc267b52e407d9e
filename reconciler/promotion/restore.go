package promotion

import (
	"slices"

	"transom.dev/render/state"
)

// restore takes an instance back to a record: on the clusters that moved since to its bytes, and to the clusters that it left
// since, which count again once they are healthy. A placement on a cluster that the record does not name stays until these
// are well, and is left then. It returns nil where there is nothing to go back to.
func (s *subject) restore(target *state.Release, commit string, moved []string, as state.Return) *Restoration {
	r := s.base
	to := target.WithClusters(map[string]state.Placement{})
	to.Inherit(r)
	var back, bytes []string // of the record; and of any
	for _, cluster := range sortedKeys(r.Clusters) {
		placed, before := r.Clusters[cluster], target.Clusters[cluster]
		if slices.Contains(moved, cluster) && before.Revision != "" {
			placed = before
			placed.Joining = false
			if bytes = append(bytes, cluster); !outdated(placed) {
				back = append(back, cluster)
			}
		} else {
			placed = relabelled(placed, before, r, target)
		}
		to.Place(cluster, placed)
	}
	for _, cluster := range sortedKeys(target.Clusters) {
		if _, there := r.Clusters[cluster]; !there && s.mayReturn(cluster) {
			bytes = append(bytes, cluster)
			to.Place(cluster, target.Clusters[cluster])
			to.Join([]string{cluster})
		}
	}
	if !slices.ContainsFunc(sortedKeys(to.Clusters), func(c string) bool { return to.Clusters[c].RenderKey == target.Clusters[c].RenderKey }) {
		return nil
	}
	if to.Digest == r.Digest {
		to.MoveTo(r.Commit) // the head may have yielded it again since
	}
	to.KeepObserved(r)
	as.Origin, as.Unproven, as.Left = target.Promotion.Origin, target.Promotion.Unproven, s.history.left(r, to, to.Commit)
	as.Rollout.Entered, as.Rollout.Moved = s.Now.stamp(), back
	to.GoBack(as)
	return &Restoration{Release: to, State: commit, Clusters: slices.Sorted(slices.Values(bytes))}
}

// relabelled is a placement that keeps its bytes while its record goes back from a release to another: it names the release of
// its bytes where that is another than the record's.
func relabelled(placed, before state.Placement, from, to *state.Release) state.Placement {
	switch {
	case placed.RenderKey == before.RenderKey:
		placed.Release, placed.Version = before.Release, before.Version
	case placed.Release == to.Digest:
		placed.Release, placed.Version = "", ""
	case placed.Release == "" && from.Digest != to.Digest: // it is no change of the environment that goes back
		placed.Release, placed.Version = from.Digest, from.Version
	}
	return placed
}

// restorePinned brings back a release that was healthy here, because a person pinned it; nil: its bytes are not to be found.
func (s *subject) restorePinned(c *candidate) *Restoration {
	target, err := s.Lookup.Ran(c.restore.State, s.key)
	if err != nil || !runs(target) || !runs(s.base) {
		return nil
	}
	return s.restore(target, c.restore.State, sortedKeys(s.base.Clusters), state.Return{
		Ran: s.history.ran(s.base), Gates: c.passed, Rollout: state.Rollout{Cause: state.CausePin},
	})
}
