package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/platform"
)

// maxRejected bounds the releases whose failures a record keeps. It is more than there are candidates, so that none of
// them is forgotten to have failed.
const maxRejected = 32

// sick returns why a failure is the cluster's and not the release's, or nil: at least half of the neighbours there that have
// not changed are not well either. Those that have been ill for much longer say nothing about it.
func (p *Pass) sick(s *subject, cluster string, ours Observation) *Gate {
	e := p.view.Environment
	before := ours.Ailing + e.Rollout.ProgressDeadline
	neighbours, failing := 0, 0
	for k, r := range p.view.Releases {
		if k == s.key || r.Absent || r.Promotion.Rollout != nil {
			continue
		}
		placed, there := r.Clusters[cluster]
		if !there || placed.Joining {
			continue
		}
		said := p.view.observe(e, k, cluster, placed)
		ill := said.Health == Failed || said.Health == Progressing
		if said.known() && !(ill && said.Ailing > before) {
			neighbours++
			if ill {
				failing++
			}
		}
	}
	if neighbours == 0 || 2*failing < neighbours {
		return nil
	}
	return &Gate{
		Name: "health", Reason: fmt.Sprintf("%s is not well: %d of %d neighbours that did not change are not healthy there", cluster, failing, neighbours),
		Opens: "the health of " + cluster,
	}
}

// fail ends a rollout that failed on a cluster: its render keys are rejected, and the release that ran before comes back
// where it can. It reports whether the instance goes back.
func (p *Pass) fail(s *subject, cluster string, said Observation) bool {
	rollback := s.base.Promotion.Rollout.Cause == "rollback"
	r := s.edit()
	if !rollback {
		p.reject(s, cluster, said)
	}
	why := fmt.Sprintf("failed on %s: %s", cluster, said.evidence())
	if rollback {
		why = "the rollback failed too, on " + cluster + ": " + said.evidence()
	}
	reason, target, state := p.back(s)
	if reason == "" {
		if p.restore(s, target, state, r.Promotion.Rollout.Moved, platform.ReleaseRollout{Cause: "rollback"}) {
			return true
		}
		reason = "nothing ran there before"
	}
	r.Promotion.Rollout.Stopped = why
	if !rollback {
		r.Promotion.Rollout.Stopped += "; " + reason
	}
	p.standing(s.key).State = Stopped
	p.wait(s.key, Gate{Name: "rollout", Reason: r.Promotion.Rollout.Stopped, Opens: "a newer release, or an Approval merged after the failure"})
	return false
}

// overtake notes that the release of an instance of a group could not start, before something newer takes its place: else
// the others of the group would not know.
func (p *Pass) overtake(s *subject) {
	if !runs(s.base) || s.base.Promotion.Rollout == nil || s.base.Promotion.Rollout.Group == "" || s.base.Promotion.Rollout.Stopped != "" {
		return
	}
	now := p.view.condition(p.view.Environment, s.base, s.base.Promotion.Rollout.Moved)
	if now.said.hopeless() && p.sick(s, now.worst, now.said) == nil {
		s.edit()
		p.reject(s, now.worst, now.said)
	}
}

// reject records the render keys that are not taken again: those that ran, and those that were to come.
func (p *Pass) reject(s *subject, cluster string, said Observation) {
	r := s.base
	keys := map[string]string{}
	if i := p.current(s); i != nil && len(r.Promotion.Rollout.Pending) > 0 {
		all, _ := p.view.Prospects.Keys(i)
		for _, c := range r.Promotion.Rollout.Pending {
			keys[c] = all[c]
		}
	}
	for _, c := range r.Promotion.Rollout.Moved {
		keys[c] = r.Clusters[c].RenderKey
	}
	var admitted []string
	for _, d := range p.approvalsOf(s, r) {
		admitted = append(admitted, d.Digest)
	}
	for _, d := range p.decisions.approvals {
		if d.Plan != "" {
			admitted = append(admitted, d.Digest)
		}
	}
	for _, d := range p.decisions.pins {
		admitted = append(admitted, d.Digest)
	}
	for _, c := range sortedKeys(keys) {
		if keys[c] == "" {
			continue
		}
		failure := platform.ReleaseFailure{
			Cluster: c, RenderKey: keys[c], Release: r.Digest, Version: r.Version, Group: r.Promotion.Rollout.Group,
			Object: said.Object, Message: fmt.Sprintf("%s: %s", cluster, said.evidence()), At: p.view.Now.stamp(), Approvals: admitted,
		}
		if slices.Contains(r.Promotion.Rollout.Moved, c) {
			failure.State = p.view.State
		}
		r.Promotion.Rejected = append(r.Promotion.Rejected, failure)
	}
	r.Promotion.Rejected = latest(r.Promotion.Rejected)
}

// latest drops the oldest failures beyond the bound.
func latest(failures []platform.ReleaseFailure) []platform.ReleaseFailure {
	seen := map[string]bool{}
	for i, f := range slices.Backward(failures) {
		seen[f.Release+f.Group] = true
		if len(seen) > maxRejected {
			return failures[i+1:]
		}
	}
	return failures
}

// back returns the record to go back to and the state commit that holds its bytes, or why a person has to decide.
func (p *Pass) back(s *subject) (reason string, target *platform.Release, state string) {
	r, e := s.base, p.view.Environment
	switch {
	case r.Promotion.Rollout.Cause == "rollback":
		return "the rollback failed", nil, ""
	case e.Rollout.OnFailure == "stop":
		return e.Name + " stops on failure", nil, ""
	case len(r.Promotion.Ran) == 0:
		return "nothing was healthy here before", nil, ""
	case !p.reversible(s):
		return r.Offering + "@" + r.Version + " is not reversible", nil, ""
	}
	ran := r.Promotion.Ran[len(r.Promotion.Ran)-1]
	if pin := p.pinOf(s); r.Promotion.Rollout.Cause == "pin" || pin != nil && !means(pin, s.key, ran.Digest, r.Offering, ran.Version) {
		return "a pin is not undone", nil, ""
	}
	target, err := p.view.Prospects.Ran(ran.State, s.key)
	if err != nil || target == nil || target.Absent {
		return fmt.Sprintf("what ran before is not to be found in state commit %s", ran.State), nil, ""
	}
	if !p.differs(r, target) {
		return "what ran there before was the same", nil, ""
	}
	return "", target, ran.State
}

// differs reports whether something else ran before on clusters that a rollout moved, or on others than these.
func (p *Pass) differs(r, target *platform.Release) bool {
	elsewhere := func(cluster string) bool {
		_, there := r.Clusters[cluster]
		return there && !slices.Contains(r.Promotion.Rollout.Moved, cluster) || !there && p.returns(cluster)
	}
	return slices.ContainsFunc(r.Promotion.Rollout.Moved, func(cluster string) bool {
		before, ran := target.Clusters[cluster]
		if ran {
			return before.RenderKey != r.Clusters[cluster].RenderKey
		}
		return slices.ContainsFunc(sortedKeys(target.Clusters), elsewhere)
	})
}

// returns reports whether an instance that goes back to an earlier release may come back to a cluster that it left
// meanwhile: the environment still has it, and nobody empties it.
func (p *Pass) returns(cluster string) bool {
	c := p.view.Platform.Clusters[cluster]
	return c != nil && c.State != platform.ClusterDraining && selects(p.view.Environment, c)
}

// reversible reports whether the version that runs may be left by itself. Of one that nobody can read any more that is not
// known.
func (p *Pass) reversible(s *subject) bool {
	i := p.current(s)
	return i != nil && i.Version.Reversible
}

// restore takes an instance back to a record: on the clusters that moved since to its bytes, and to the clusters that it left
// since, which count again once they are healthy. A placement on a cluster that the record does not name stays until these
// are well, and is left then. It reports whether there is anything to go back to.
func (p *Pass) restore(s *subject, target *platform.Release, state string, moved []string, rollout platform.ReleaseRollout) bool {
	r := s.base
	to := clone(target)
	to.Key, to.Promotion, to.Clusters = s.key, clone(r).Promotion, map[string]platform.ReleasePlacement{}
	var back, bytes []string // of the record; and of any
	for _, cluster := range sortedKeys(r.Clusters) {
		placed, before := r.Clusters[cluster], target.Clusters[cluster]
		switch {
		case slices.Contains(moved, cluster) && before.Revision != "":
			placed = before
			placed.Joining = false
			if bytes = append(bytes, cluster); placed.Release == "" {
				back = append(back, cluster)
			}
		case placed.RenderKey == before.RenderKey:
			placed.Release, placed.Version = before.Release, before.Version
		case placed.Release == target.Digest:
			placed.Release, placed.Version = "", ""
		case placed.Release == "":
			placed.Release, placed.Version = r.Digest, r.Version
		}
		to.Clusters[cluster] = placed
	}
	for _, cluster := range sortedKeys(target.Clusters) {
		if _, there := r.Clusters[cluster]; !there && p.returns(cluster) {
			placed := target.Clusters[cluster]
			placed.Joining = true
			bytes, to.Clusters[cluster] = append(bytes, cluster), placed
		}
	}
	if !slices.ContainsFunc(sortedKeys(to.Clusters), func(c string) bool { return to.Clusters[c].RenderKey == target.Clusters[c].RenderKey }) {
		return false
	}
	if to.Digest == r.Digest {
		to.Commit = r.Commit // the head may have yielded it again since
	}
	p.leave(r, to)
	rollout.Entered, rollout.Moved = p.view.Now.stamp(), back
	to.Promotion.Rollout, to.Promotion.Admitted, to.Promotion.Gates = &rollout, nil, nil
	to.Promotion.Origin, to.Promotion.Unproven = target.Promotion.Origin, target.Promotion.Unproven
	s.base, s.edited = to, true
	p.Records[s.key] = r
	if p.view.Releases[s.key] == r {
		delete(p.Records, s.key)
	}
	p.Restore[s.key] = Restoration{Release: to, State: state, Clusters: slices.Sorted(slices.Values(bytes))}
	p.standing(s.key).State = RollingBack
	return true
}
