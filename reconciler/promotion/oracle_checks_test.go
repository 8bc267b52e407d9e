package promotion_test

import (
	"slices"

	"transom.dev/render/state"
)

// tried checks a cluster that a rollout leaves behind, on its way to more clusters or to its end, against the true answers about it.
// It checks R106 and R107.
func (o *oracle) tried(s *stage, was *state.Release, cluster string) {
	if was == nil || was.Absent || was.Promotion.Rollout == nil || !slices.Contains(was.Promotion.Rollout.Moved, cluster) {
		return
	}
	cause, p := was.Promotion.Rollout.Cause, was.Clusters[cluster]
	on := s.live[was.Key.Name+"@"+cluster]
	judged := on != nil && on.revision == p.Observed() && !p.Joining && p.Release == "" && o.counts(s.name, cluster) && !o.isBlind(cluster)
	if !judged || cause == state.CauseRollback || cause == state.CausePin {
		return
	}
	if health, _ := o.health(s.name, on); health != state.Healthy {
		return
	}
	for _, c := range o.platform.Environments[s.name].Rollout.Checks {
		skipped := o.skips(s.name, "check", was) || o.skips(s.name, "check/"+c.Name, was)
		silent := on.unsaid >= c.Patience && on.unsound == 0 && was.Promotion.Rollout.Stopped == ""
		if on.sound < c.For && !silent && !skipped {
			o.breaks("%s leaves %s behind on %s, where the check %s has passed for %s, and was not answered for %s", s.name, was.Digest, cluster, c.Name, on.sound, on.unsaid)
		}
	}
}

// condemns checks a rejection for a check against the true answers: silence is no reason, nor is an answer of a moment. It checks R106.
func (o *oracle) condemns(environment string, on *placed, f state.Failure) {
	for _, c := range o.platform.Environments[environment].Rollout.Checks {
		if on.unsound < max(c.For, tick) {
			o.breaks("%s rejects %s on %s, where the check %s has not passed for %s", environment, f.Release, on.cluster, c.Name, on.unsound)
		}
	}
}
