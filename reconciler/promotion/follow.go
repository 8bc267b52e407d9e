package promotion

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// follow brings a record up to the observations of clusters: which of them joined, how a rollout ended, which release is
// proven. It reports whether that decides the instance for this pass.
func (p *Pass) follow(s *subject) bool {
	if s.base.Absent {
		return p.followRemoval(s)
	}
	p.welcome(s)
	if s.base.Promotion.Rollout != nil {
		p.trim(s)
		if p.followRollout(s) {
			return true
		}
	}
	p.prove(s)
	return false
}

// welcome lets clusters count that joined and are healthy now.
func (p *Pass) welcome(s *subject) {
	for cluster, placed := range s.base.Clusters {
		if placed.Joining && p.view.counts(p.view.Environment, cluster) &&
			p.view.observe(p.view.Environment, s.key, cluster, placed).Health == Healthy {
			placed.Joining = false
			s.edit().Clusters[cluster] = placed
		}
	}
}

// trim forgets clusters that a rollout has not to reach any more: they left, or have the bytes already.
func (p *Pass) trim(s *subject) {
	if len(s.base.Promotion.Rollout.Pending) == 0 {
		return
	}
	i := p.current(s)
	if i == nil {
		return
	}
	keys, problems := p.view.Prospects.Keys(i)
	if len(problems) > 0 {
		return
	}
	left := slices.DeleteFunc(slices.Clone(s.base.Promotion.Rollout.Pending), func(cluster string) bool {
		key, placed := keys[cluster]
		has, there := s.base.Clusters[cluster]
		return !placed || there && has.RenderKey == key
	})
	if len(left) == len(s.base.Promotion.Rollout.Pending) {
		return
	}
	r := s.edit()
	for _, cluster := range r.Promotion.Rollout.Pending {
		if has, there := r.Clusters[cluster]; there && has.RenderKey == keys[cluster] {
			has.Release, has.Version = "", ""
			r.Clusters[cluster] = has
		}
	}
	r.Promotion.Rollout.Pending = left
}

// followRollout finds out whether a rollout failed or is over, and adds otherwise the gate that it waits for.
func (p *Pass) followRollout(s *subject) bool {
	rollout := s.base.Promotion.Rollout
	standing := p.standing(s.key)
	standing.State = Moving
	if rollout.Cause == "rollback" {
		standing.State = RollingBack
	}
	if rollout.Stopped != "" {
		standing.State = Stopped
		p.resume(s)
	} else if cluster, said, failed := p.failing(s); failed {
		if sick := p.sick(s, cluster, said); sick != nil {
			p.wait(s.key, *sick)
			return false
		}
		return p.fail(s, cluster, said)
	}
	if len(s.base.Promotion.Rollout.Pending) > 0 || p.over(s) {
		return false
	}
	if s.base.Promotion.Rollout.Stopped != "" {
		p.wait(s.key, Gate{Name: "rollout", Reason: s.base.Promotion.Rollout.Stopped, Opens: "a newer release, or its health"})
	}
	return false
}

// over ends a rollout that reached all its clusters, once they are healthy and the last wave has soaked.
func (p *Pass) over(s *subject) bool {
	e, rollout := p.view.Environment, s.base.Promotion.Rollout
	moved := p.judges(s)
	if len(s.base.Promotion.Rollout.Pending) > 0 {
		return false
	}
	now := p.view.condition(e, s.base, moved)
	if len(moved) == 0 && len(rollout.Moved) > 0 {
		p.wait(s.key, Gate{Name: "rollout", Reason: "its clusters left before it was healthy anywhere", Opens: "a cluster"})
		return false
	}
	if len(moved) > 0 && now.counting == 0 {
		p.wait(s.key, Gate{Name: "rollout", Reason: "no cluster of " + strings.Join(moved, ", ") + " counts", Opens: "an active cluster"})
		return false
	}
	if _, gate := p.turn(s.base, moved, nil); gate != nil {
		p.wait(s.key, *gate)
		return false
	}
	r := s.edit()
	r.Promotion.Rollout, r.Promotion.Admitted = nil, last(r)
	p.standing(s.key).State = Settled
	return true
}

// judges lists the clusters that a rollout is judged by: those of them that it moved and that are still there. Where none
// is, it is those that have its bytes, and where no cluster has them any more, it goes on to those that it left out.
func (p *Pass) judges(s *subject) []string {
	there := slices.DeleteFunc(slices.Clone(s.base.Promotion.Rollout.Moved), func(c string) bool { _, there := s.base.Clusters[c]; return !there })
	if len(there) > 0 || len(s.base.Promotion.Rollout.Moved) == 0 {
		return there
	}
	var before []string
	for _, cluster := range sortedKeys(s.base.Clusters) {
		switch {
		case s.base.Clusters[cluster].Release == "":
			there = append(there, cluster)
		case p.view.counts(p.view.Environment, cluster):
			before = append(before, cluster)
		}
	}
	if len(there) == 0 && len(before) > 0 {
		s.edit().Promotion.Rollout.Pending = before
	}
	return there
}

// failing returns the first cluster on which the objects that a rollout brought have failed.
func (p *Pass) failing(s *subject) (cluster string, said Observation, failed bool) {
	e := p.view.Environment
	deadline := e.Rollout.ProgressDeadline
	for _, cluster := range s.base.Promotion.Rollout.Moved {
		placed, there := s.base.Clusters[cluster]
		if !there || placed.Joining || !p.view.counts(e, cluster) {
			continue
		}
		said := p.view.observe(e, s.key, cluster, placed)
		switch {
		case said.Health == Failed:
			return cluster, said, true
		case said.Health == Progressing && said.Superseded: // other pods fail; the next observation of them brings a pass
		case said.Health == Progressing && said.Ailing-said.Held >= deadline:
			said.Message = strings.TrimPrefix(fmt.Sprintf("%s; not healthy within %s", said.Message, deadline), "; ")
			return cluster, said, true
		case said.Health == Progressing:
			p.wake(p.view.Now.in(deadline - said.Ailing + said.Held))
		}
	}
	return "", Observation{}, false
}

// resume lets a stopped rollout go on that a person approved since, once the clusters that it moved are healthy.
func (p *Pass) resume(s *subject) {
	r := s.base
	if !p.view.condition(p.view.Environment, r, r.Promotion.Rollout.Moved).all() || r.Request == nil {
		return
	}
	approvals := p.approvalsOf(s, r)
	for _, f := range slices.Backward(r.Promotion.Rejected) {
		if f.Release == r.Digest && readmitted(r, f, approvals) {
			r = s.edit()
			r.Promotion.Rollout.Stopped = ""
			r.Promotion.Rollout.Entered = p.view.Now.stamp()
			r.Promotion.Rejected = slices.DeleteFunc(r.Promotion.Rejected, func(f platform.ReleaseFailure) bool { return f.Release == r.Digest })
			return
		}
	}
}

// approvalsOf returns the Approvals that admit a release that runs: of exactly it, or of its version.
func (p *Pass) approvalsOf(s *subject, r *platform.Release) (list []*platform.Decision) {
	for _, d := range p.decisions.approvals {
		if exactly(d, s.key, r.Digest) || d.Offering == r.Offering && d.Version == r.Version {
			list = append(list, d)
		}
	}
	return list
}
