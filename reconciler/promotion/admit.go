package promotion

import (
	"maps"
	"slices"
	"time"

	"transom.dev/render/platform"
)

// Admit returns the record of every proposal as of now: all of the proposal, the part of it whose turn has come, or its
// Base, which changes nothing. Results are in the order of proposals. Rendering may ask again, with proposals that it
// changed in view of the last answers: every call begins from the decisions of Choose, and the last one counts.
func (p *Pass) Admit(proposals []platform.Proposal) []*platform.Release {
	p.begin()
	out := make([]*platform.Release, len(proposals))
	var changes []*change // of the environment, in releases that stay
	for i, proposal := range proposals {
		c := p.change(proposal)
		switch m := p.moves[c.key]; {
		case proposal.Next.Absent:
			out[i] = p.admitRemoval(c, m)
		case !runs(proposal.Base) || proposal.Base.Digest != proposal.Next.Digest:
			out[i] = p.admitRelease(c, m)
		default:
			changes = append(changes, c)
			c.at = i
		}
	}
	p.admitChanges(changes, out)
	return out
}

// chosen are the decisions of Choose, as far as Admit changes them.
type chosen struct {
	places    map[string]int
	standings map[platform.RequestKey]*Standing
	next      time.Time
	plan      string
}

// begin takes a pass back to its state when Choose returned.
func (p *Pass) begin() {
	if p.chosen == nil {
		p.chosen = &chosen{maps.Clone(p.places), p.standings, p.Next, p.Plan}
	}
	p.places, p.rollouts = maps.Clone(p.chosen.places), nil
	p.Next, p.Plan, p.plan, p.planGate = p.chosen.next, p.chosen.plan, nil, nil
	p.standings = make(map[platform.RequestKey]*Standing, len(p.chosen.standings))
	for k, s := range p.chosen.standings {
		now := *s
		now.Gates = slices.Clone(s.Gates)
		p.standings[k] = &now
	}
}

// A change is a proposal, taken apart by clusters. The lists are sorted.
type change struct {
	platform.Proposal
	key platform.RequestKey
	at  int // among the proposals

	same    []string // keep their bytes
	moving  []string // get others
	joining []string // get their first, where the instance runs on others already and stays there
	gone    []string // lose theirs
}

func (p *Pass) change(proposal platform.Proposal) *change {
	c := &change{Proposal: proposal, key: proposal.Next.Key}
	was := map[string]platform.ReleasePlacement{}
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
func joins(p platform.Proposal, cluster string) bool {
	if !runs(p.Base) {
		return false
	}
	if _, there := p.Base.Clusters[cluster]; there {
		return false
	}
	if rollout := p.Base.Promotion.Rollout; rollout != nil && slices.Contains(rollout.Pending, cluster) {
		return false
	}
	for other := range p.Base.Clusters {
		if _, stays := p.Next.Clusters[other]; stays {
			return true
		}
	}
	return false
}

// admitRemoval records that an instance is gone: pruning is still to be confirmed on every cluster that it was on.
func (p *Pass) admitRemoval(c *change, m *move) *platform.Release {
	if m == nil || !m.removal {
		return c.Base
	}
	to := clone(c.Next)
	to.Promotion = clone(c.Base).Promotion
	to.Promotion.Origin, to.Promotion.Unproven, to.Promotion.Admitted = "", "", nil
	to.Promotion.PromotedFrom, to.Promotion.Gates = m.from, m.gates
	to.Promotion.Ran = p.left(c.Base)
	// An earlier removal of the same release has the same digest, and its proof says nothing about this one.
	to.Promotion.Proven = slices.DeleteFunc(to.Promotion.Proven, func(proof platform.ReleaseProof) bool { return proof.Digest == to.Digest })
	to.Promotion.Rollout = &platform.ReleaseRollout{Cause: m.cause, Entered: p.view.Now.stamp(), Pending: c.gone}
	p.leave(c.Base, to)
	p.standing(c.key).State = Removing
	return to
}

// admitRelease lets a release enter, on the clusters whose turn it is.
func (p *Pass) admitRelease(c *change, m *move) *platform.Release {
	if m == nil || m.removal {
		return c.Base
	}
	m.proposed = true
	joined, leaving := p.mayJoin(c), []string(nil)
	if len(c.moving) == 0 || !m.queued || p.places[m.group] > 0 {
		leaving = p.mayGo(c)
	}
	if len(c.moving)+len(leaving) == 0 && (len(c.gone) == 0 || len(c.Next.Clusters) > 0) {
		return p.adopt(c, m, joined)
	}
	now, gate := p.reach(c.Next, c.Base, nil, c.moving)
	if m.queued && p.places[m.group] == 0 {
		full := p.queued(m.group)
		now, leaving, gate = nil, nil, &full
	}
	if len(now) == 0 && (len(c.moving) > 0 || len(leaving) == 0) {
		if gate != nil {
			standing := p.standing(c.key)
			standing.State, standing.Candidate = Waiting, &m.content
			p.wait(c.key, *gate)
		}
		return c.Base
	}
	if m.queued {
		p.places[m.group]--
	}
	to := p.compose(c, slices.Concat(now, joined), leaving)
	join(to, joined)
	to.Promotion.Origin, to.Promotion.Admitted = "", p.admitted(c, without(c.gone, leaving))
	to.Promotion.PromotedFrom, to.Promotion.Gates = m.from, slices.Concat(m.gates, groupsOf(c.Base, to, m.group))
	readmit(to, c.Next, slices.Concat(c.moving, joined))
	to.Promotion.Unproven = p.weakened(c)
	to.Promotion.Ran = p.left(c.Base)
	to.Promotion.Rollout = p.rollout(m.cause, m.group, now, without(c.moving, now))
	to.Commit = m.content.Commit
	p.leave(c.Base, to)
	return to
}

// adopt takes a release that changes no bytes that run here: the release that brought them stays recorded as their origin.
// Where there is no cluster nothing ran, so that a release which is here in name only is not taken for one that was healthy.
func (p *Pass) adopt(c *change, m *move, joined []string) *platform.Release {
	to := p.compose(c, joined, nil)
	join(to, joined)
	if runs(c.Base) && len(c.Base.Clusters) > 0 {
		to.Promotion.Origin = origin(c.Base.Digest, c.Base.Promotion.Origin)
	} else {
		to.Promotion.Origin, to.Promotion.Rollout = "", nil
	}
	to.Promotion.PromotedFrom = m.from
	if len(c.gone) > 0 {
		to.Promotion.Admitted = p.admitted(c, c.gone)
	}
	to.Commit = m.content.Commit
	p.leave(c.Base, to)
	p.standing(c.key).State = Settled
	return to
}

// rollout is the record of one that enters; none where nothing moved that could fail.
func (p *Pass) rollout(cause, group string, moved, pending []string) *platform.ReleaseRollout {
	if len(moved)+len(pending) == 0 {
		return nil
	}
	return &platform.ReleaseRollout{Cause: cause, Group: group, Entered: p.view.Now.stamp(), Moved: moved, Pending: pending}
}

// left adds the release that runs to those that were healthy here, if it was, when it is left for another one.
func (p *Pass) left(base *platform.Release) []platform.ReleaseRan {
	if base == nil {
		return nil
	}
	ran := slices.Clone(base.Promotion.Ran)
	if base.Absent || base.Promotion.Rollout != nil || len(base.Clusters) == 0 {
		return ran
	}
	if n := len(ran); n > 0 && ran[n-1].Digest == base.Digest {
		ran = ran[:n-1]
	}
	ran = append(ran, platform.ReleaseRan{Digest: base.Digest, Version: base.Version, State: p.view.State})
	return ran[max(len(ran)-maxRan, 0):]
}

// maxRan bounds the releases that a record remembers to have been healthy.
const maxRan = 10

// compose makes the record of a proposal of which some clusters move now and some lose their bytes: the others keep the
// bytes that the base has there, and name their release.
func (p *Pass) compose(c *change, moving, leaving []string) *platform.Release {
	to := clone(c.Next)
	to.Key = c.key
	if c.Base == nil {
		to.Clusters = keep(to.Clusters, moving)
		return to
	}
	to.Promotion = clone(c.Base).Promotion
	if to.Digest == c.Base.Digest {
		to.Commit = c.Base.Commit
	}
	for _, cluster := range c.same {
		placed := to.Clusters[cluster]
		placed.Joining = c.Base.Clusters[cluster].Joining
		to.Clusters[cluster] = placed
	}
	for _, cluster := range without(slices.Concat(c.moving, c.joining, c.gone), slices.Concat(moving, leaving)) {
		placed, there := c.Base.Clusters[cluster]
		if !there {
			delete(to.Clusters, cluster)
			continue
		}
		if placed.Release == "" && c.Base.Digest != to.Digest {
			placed.Release, placed.Version = c.Base.Digest, c.Base.Version
		}
		to.Clusters[cluster] = placed
	}
	return to
}

func keep(placed map[string]platform.ReleasePlacement, clusters []string) map[string]platform.ReleasePlacement {
	out := map[string]platform.ReleasePlacement{}
	for _, c := range clusters {
		out[c] = placed[c]
	}
	return out
}

// reach returns which of the clusters to move to a release it is the turn of, without those that a person holds, and the
// gate that they wait for.
func (p *Pass) reach(to, base *platform.Release, moved, pending []string) (now []string, gate *Gate) {
	now, gate = p.turn(base, moved, pending)
	for _, cluster := range slices.Clone(now) {
		if held := p.holdOf(cluster, to); held != nil {
			now, gate = without(now, []string{cluster}), held
		}
	}
	return now, gate
}

// mayJoin returns the clusters that an instance may come to as one that joined: at once, because they count nowhere.
func (p *Pass) mayJoin(c *change) []string {
	return slices.DeleteFunc(slices.Clone(c.joining), func(cluster string) bool {
		held := p.holdOf(cluster, c.Next)
		if held != nil {
			p.wait(c.key, *held)
		}
		return held != nil
	})
}

// join has clusters count nowhere until they were healthy.
func join(to *platform.Release, clusters []string) {
	for _, cluster := range clusters {
		placed := to.Clusters[cluster]
		placed.Joining = true
		to.Clusters[cluster] = placed
	}
}

// admitted are the render keys that enter with a release where every change needs an approval: the bytes of its later waves
// are compared with them, and which clusters it leaves last.
func (p *Pass) admitted(c *change, last []string) (keys []string) {
	if c.Base != nil && len(last) > 0 && slices.Contains(c.Base.Promotion.Admitted, deletionsAdmitted) {
		keys = append(keys, deletionsAdmitted)
	}
	if p.view.Environment.Gates.Approval != "required" {
		return keys
	}
	for _, cluster := range slices.Concat(c.moving, c.joining) {
		keys = append(keys, c.Next.Clusters[cluster].RenderKey)
	}
	for _, cluster := range last {
		keys = append(keys, mark(platform.PlanStep{Before: c.Base.Clusters[cluster].RenderKey}))
	}
	return keys
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
