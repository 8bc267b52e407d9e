package promotion

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// A follower brings the record of an instance up to the observations of clusters.
type follower struct{ *subject }

// A followed record is up to date with the observations of clusters.
type followed struct {
	outcome
	back   *Restoration // it goes back to this
	forget bool         // it is a tombstone that nobody needs any more
	keep   bool         // it is a tombstone that stays as it is
}

// follow brings a record up to the observations of clusters: which of them joined, how a rollout or a removal ended, which
// release is proven.
func (s follower) follow() followed {
	if s.base.Absent {
		return s.followRemoval()
	}
	s.welcome()
	s.nameStaying()
	var f followed
	if phaseOf(s.base).open() {
		if f = s.followRollout(); f.back != nil {
			return f
		}
	}
	f.times = append(f.times, s.prove().times...)
	f.times = append(f.times, s.recordTold().times...)
	return f
}

// welcome lets clusters count that joined and are healthy now.
func (s follower) welcome() {
	for cluster, placed := range s.base.Clusters {
		if placed.Joining && s.counts(s.Environment, cluster) && s.observe(s.Environment, s.key, cluster, placed).Health == state.Healthy {
			placed.Joining = false
			s.edit().Place(cluster, placed)
		}
	}
}

// nameStaying gives the record's release to clusters that have its bytes under the name of the release before. A cluster that was
// to be left when the release came, and stays after all, is one.
func (s follower) nameStaying() {
	if phaseOf(s.base).open() || !partial(s.base) {
		return
	}
	keys := s.currentKeys()
	for cluster, placed := range s.base.Clusters {
		if key, there := keys[cluster]; there && outdated(placed) && placed.RenderKey == key {
			placed.Release, placed.Version = "", ""
			s.edit().Place(cluster, placed)
		}
	}
}

// currentKeys are the render keys of the record's release by cluster, nil where it cannot be resolved or rendered now.
func (s follower) currentKeys() map[string]string {
	i, _ := s.current()
	if i == nil {
		return nil
	}
	keys, problems := s.Lookup.Keys(i)
	if len(problems) > 0 {
		return nil
	}
	return keys
}

// followRollout finds out whether a rollout failed or is over, and otherwise the gates that it waits for.
func (s follower) followRollout() (f followed) {
	if len(pending(s.base)) > 0 {
		_, broken := s.current()
		f.wait(broken...)
		s.trim()
	}
	f.state = phaseOf(s.base).state()
	if phaseOf(s.base) == stopped {
		s.resume()
	} else if found := s.failing(); found.failed {
		return s.afterFailure(f, found)
	} else if failed := s.failedCheck(); failed.failed {
		return s.afterFailure(f, failed)
	} else {
		f.times, f.deadline = append(f.times, found.times...), found.deadline
	}
	if len(pending(s.base)) > 0 {
		return f
	}
	gates, over := s.finish()
	if f.wait(gates...); over {
		f.state = Settled
	} else if phaseOf(s.base) == stopped {
		f.wait(Gate{Name: gate.Rollout, Reason: s.base.Promotion.Rollout.Stopped, Opens: "a newer release, or its health"})
	}
	return f
}

// afterFailure waits for the cluster where a failure is the cluster's own, and ends the rollout otherwise.
func (s follower) afterFailure(f followed, found failure) followed {
	f.times = append(f.times, found.times...)
	if sick := s.sick(found.cluster, found.said); sick != nil {
		f.wait(*sick)
		return f
	}
	failed := s.fail(found.cluster, found.said)
	f.wait(failed.gates...)
	f.state, f.back = failed.state, failed.back
	return f
}

// trim forgets clusters that a rollout has not to reach any more: they left, or have the bytes already.
func (s follower) trim() {
	rollout := s.base.Promotion.Rollout
	keys := s.currentKeys()
	if keys == nil {
		return
	}
	remaining := slices.DeleteFunc(slices.Clone(rollout.Pending), func(cluster string) bool {
		key, placed := keys[cluster]
		has, there := s.base.Clusters[cluster]
		arrived := there && has.RenderKey == key
		return !placed || arrived
	})
	if len(remaining) == len(rollout.Pending) {
		return
	}
	r := s.edit()
	for _, cluster := range r.Promotion.Rollout.Pending {
		if has, there := r.Clusters[cluster]; there && has.RenderKey == keys[cluster] {
			has.Release, has.Version = "", ""
			r.Place(cluster, has)
		}
	}
	r.Await(remaining)
}

// finish ends a rollout that reached all its clusters, once they are healthy and the last wave has soaked. Otherwise it returns
// the gate that the end waits for, if there is one.
func (s follower) finish() (gates []Gate, over bool) {
	rollout := s.base.Promotion.Rollout
	moved, next := s.judges()
	if len(next) > 0 {
		s.edit().Await(next)
		return nil, false
	}
	if len(moved) == 0 && len(rollout.Moved) > 0 {
		return []Gate{{Name: gate.Rollout, Reason: "its clusters left before it was healthy anywhere", Opens: "a cluster"}}, false
	}
	if len(moved) > 0 && s.condition(s.Environment, s.base, moved).counting == 0 {
		return []Gate{{Name: gate.Rollout, Reason: "no cluster of " + strings.Join(moved, ", ") + " counts", Opens: "an active cluster"}}, false
	}
	if _, gate := s.waves.turn(s.base, moved, nil); gate != nil {
		return []Gate{*gate}, false
	}
	passed := s.passedChecks()
	r := s.edit()
	r.Settle(admittedDepartures(r), passed)
	return nil, true
}

// judges lists the clusters that a rollout is judged by: those of them that it moved and that are still there. Where none
// is, it is those that have its bytes, and where no cluster has them any more, the rollout goes on next to those that it left
// out.
func (s follower) judges() (moved, next []string) {
	r := s.base
	was := r.Promotion.Rollout.Moved
	moved = slices.DeleteFunc(slices.Clone(was), func(c string) bool { _, there := r.Clusters[c]; return !there })
	if len(moved) > 0 || len(was) == 0 {
		return moved, nil
	}
	for _, cluster := range sortedKeys(r.Clusters) {
		switch {
		case !outdated(r.Clusters[cluster]):
			moved = append(moved, cluster)
		case s.counts(s.Environment, cluster):
			next = append(next, cluster)
		}
	}
	if len(moved) > 0 {
		next = nil
	}
	return moved, next
}

// A failure is the first cluster on which a rollout failed, and the times until which others have to be healthy.
type failure struct {
	outcome
	failed  bool // else there is none
	cluster string
	said    Observation
}

// failing finds the first cluster on which the objects that a rollout brought have failed.
func (s follower) failing() (found failure) {
	e := s.Environment
	deadline := e.Rollout.ProgressDeadline
	for _, cluster := range s.base.Promotion.Rollout.Moved {
		placed, there := s.base.Clusters[cluster]
		if !there || placed.Joining || !s.counts(e, cluster) {
			continue
		}
		said := s.observe(e, s.key, cluster, placed)
		own := said.Ailing - said.SupersededFor
		switch {
		case said.Health == state.Failed:
			found.failed, found.cluster, found.said = true, cluster, said
			return found
		case said.Health != state.Progressing, said.Superseded: // other pods fail; the next observation of them brings a pass
		case own >= deadline:
			said.Message = strings.TrimPrefix(fmt.Sprintf("%s; not healthy within %s", said.Message, deadline), "; ")
			found.failed, found.cluster, found.said = true, cluster, said
			return found
		default:
			found.wake(s.Now.in(deadline - own))
			found.deadline = earliest(found.deadline, s.Now.in(deadline-own).Round(time.Second))
		}
	}
	return found
}

// resume lets a stopped rollout go on that a person approved since, once the clusters that it moved are healthy.
func (s follower) resume() {
	r := s.base
	if !s.condition(s.Environment, r, r.Promotion.Rollout.Moved).all() || r.Request == nil {
		return
	}
	approvals := s.people.running(refOf(r))
	for _, f := range slices.Backward(r.Promotion.Rejected) {
		if f.Release == r.Digest && readmitted(r, f, approvals) {
			s.edit().Resume(s.Now.stamp())
			return
		}
	}
}

// followRemoval waits until pruning is confirmed everywhere, and forgets a removal once no other environment of its path
// runs the release that was removed: until then its position in history and its failures keep older releases out.
func (s follower) followRemoval() (f followed) {
	if phaseOf(s.base) == removing {
		f.state = Removing
		f.wait(s.confirm()...)
	}
	if s.head != nil {
		return f
	}
	needed := s.down.mayRun(s.key) || s.up.mayRun(s.key)
	f.forget = phaseOf(s.base) == gone && !needed
	f.keep = !f.forget
	return f
}

// confirm ends a removal once nothing remains on any cluster that counts, and returns the gate that it waits for otherwise.
func (s follower) confirm() []Gate {
	e, need := s.Environment, s.down.soakOfRemoval(s.key)
	var remaining []string
	soaked, counting := need, 0
	var silent []string // are of the environment, and do not count now
	for _, cluster := range pending(s.base) {
		if !s.counts(e, cluster) {
			if s.mayBelong(cluster) {
				silent = append(silent, cluster)
			}
			continue
		}
		counting++
		said := s.Observe(e.Name, s.key, cluster)
		if said.Revision != "" || said.Health != state.Healthy || said.Soaked < need {
			remaining = append(remaining, cluster)
			soaked = min(soaked, said.Soaked)
		}
	}
	if len(remaining) > 0 {
		g := Gate{Name: gate.Health, Reason: "is being removed from " + strings.Join(remaining, ", "), Opens: "pruning, confirmed"}
		if need > 0 && soaked > 0 {
			g.At = s.Now.in(need - soaked)
		}
		return []Gate{g}
	}
	if counting == 0 && len(silent) > 0 {
		return []Gate{{Name: gate.Health, Reason: "was removed from " + strings.Join(silent, ", ") + ", which does not count now", Opens: "an active cluster"}}
	}
	s.edit().EndRemoval()
	if counting > 0 && s.down.mayRun(s.key) {
		s.recordProof(need)
	}
	return nil
}
