package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// sick returns the gate of a failure that is the cluster's and not the release's, or nil: at least half of the neighbours there
// that have not changed are not healthy either. Those that have been ill for much longer say nothing about it.
func (s follower) sick(cluster string, ours Observation) *Gate {
	e := s.Environment
	before := ours.Ailing + e.Rollout.ProgressDeadline
	neighbours, failing := 0, 0
	for k, r := range s.Releases.All() {
		if k == s.key || phaseOf(r) != settled {
			continue
		}
		placed, there := r.Clusters[cluster]
		if !there || placed.Joining {
			continue
		}
		said := s.observe(e, k, cluster, placed)
		longIll := said.ill() && said.Ailing > before
		if said.known() && !longIll {
			neighbours++
			if said.ill() {
				failing++
			}
		}
	}
	if neighbours == 0 || 2*failing < neighbours {
		return nil
	}
	return &Gate{
		Name: gate.Health, Reason: fmt.Sprintf("%s is not well: %d of %d neighbours that did not change are not healthy there", cluster, failing, neighbours),
		Opens: "the health of " + cluster,
	}
}

// fail ends a rollout that failed on a cluster: its render keys are rejected, and the release that ran before comes back
// where it can.
func (s follower) fail(cluster string, said Observation) (f followed) {
	rollback := phaseOf(s.base) == rollingBack
	r := s.edit()
	why := fmt.Sprintf("failed on %s: %s", cluster, said.evidence())
	if rollback {
		why = "the rollback failed too, on " + cluster + ": " + said.evidence()
	} else {
		s.reject(cluster, said)
	}
	back := s.back()
	f.wait(back.gates...)
	if back.person == "" {
		if f.back = s.restore(back.target, back.state, r.Promotion.Rollout.Moved, state.Return{Ran: r.Promotion.Ran, Rollout: state.Rollout{Cause: state.CauseRollback}}); f.back != nil {
			f.state = RollingBack
			return f
		}
		back.person = "nothing ran there before"
	}
	if !rollback {
		why += "; " + back.person
	}
	r.Stop(why)
	f.state = Stopped
	f.wait(Gate{Name: gate.Rollout, Reason: why, Opens: "a newer release, or an Approval merged after the failure"})
	return f
}

// overtake rejects the release of an instance of a group that could not start, before something newer takes its turn: else the
// others of the group would not know.
func (s follower) overtake() {
	if !phaseOf(s.base).underWay() || groupOf(s.base) == "" {
		return
	}
	now := s.condition(s.Environment, s.base, s.base.Promotion.Rollout.Moved)
	if now.said.hopeless() && s.sick(now.worst, now.said) == nil {
		s.edit()
		s.reject(now.worst, now.said)
	}
}

// reject records the render keys that are not taken again: those that ran, and those that were to come.
func (s follower) reject(cluster string, said Observation) {
	r := s.base
	rollout := r.Promotion.Rollout
	keys := map[string]string{}
	if len(rollout.Pending) > 0 {
		if i, _ := s.current(); i != nil {
			all, _ := s.Lookup.Keys(i)
			for _, c := range rollout.Pending {
				keys[c] = all[c]
			}
		}
	}
	for _, c := range rollout.Moved {
		keys[c] = r.Clusters[c].RenderKey
	}
	var failures []state.Failure
	admitting := s.people.admitting(refOf(r))
	for _, c := range sortedKeys(keys) {
		if keys[c] == "" {
			continue
		}
		failure := state.Failure{
			Cluster: c, RenderKey: keys[c], Release: r.Digest, Version: r.Version, Group: rollout.Group,
			Object: said.Object, Message: fmt.Sprintf("%s: %s", cluster, said.evidence()), At: s.Now.stamp(), Approvals: admitting,
		}
		if slices.Contains(rollout.Moved, c) {
			failure.State = s.State
		}
		failures = append(failures, failure)
	}
	r.Reject(failures)
}

// A wayBack is the record that a failed rollout goes back to, or the reason why a person has to decide.
type wayBack struct {
	target *state.Release
	state  string // the state commit that has its bytes
	person string // the reason; empty: the rollout goes back by itself
	gates  []Gate // of the release that cannot be resolved any more
}

func (s follower) back() wayBack {
	r, e := s.base, s.Environment
	person := func(why string, args ...any) wayBack { return wayBack{person: fmt.Sprintf(why, args...)} }
	switch {
	case causeOf(r) == state.CauseRollback:
		return person("the rollback failed")
	case e.Rollout.OnFailure == "stop":
		return person("%s stops on failure", e.Name)
	case len(r.Promotion.Ran) == 0:
		return person("nothing was healthy here before")
	}
	// Of a version that nobody can read any more it is not known whether it may be left by itself.
	if i, broken := s.current(); i == nil || !i.Version.Reversible {
		out := person("%s@%s is not reversible", r.Offering, r.Version)
		out.gates = broken
		return out
	}
	ran := r.Promotion.Ran[len(r.Promotion.Ran)-1]
	if s.pinForbids(ran) {
		return person("a pin is not undone")
	}
	target, err := s.Lookup.Ran(ran.State, s.key)
	if err != nil || !runs(target) {
		return person("what ran before is not to be found in state commit %s", ran.State)
	}
	if !s.differs(target) {
		return person("what ran there before was the same")
	}
	return wayBack{target: target, state: ran.State}
}

// pinForbids reports whether a Pin brought the release that runs, or asks for another one than that which was healthy before.
func (s follower) pinForbids(ran state.Ran) bool {
	if causeOf(s.base) == state.CausePin {
		return true
	}
	pin := s.people.pinOf(s.key, s.offering())
	return pin != nil && !means(pin, ReleaseRef{Key: s.key, Digest: ran.Digest, Offering: s.base.Offering, Version: ran.Version})
}

// differs reports whether something else ran before on clusters that a rollout moved, or on others than these.
func (s follower) differs(target *state.Release) bool {
	r := s.base
	moved := r.Promotion.Rollout.Moved
	elsewhere := func(cluster string) bool {
		if _, there := r.Clusters[cluster]; there {
			return !slices.Contains(moved, cluster)
		}
		return s.mayReturn(cluster)
	}
	return slices.ContainsFunc(moved, func(cluster string) bool {
		if before, ran := target.Clusters[cluster]; ran {
			return before.RenderKey != r.Clusters[cluster].RenderKey
		}
		return slices.ContainsFunc(sortedKeys(target.Clusters), elsewhere)
	})
}
