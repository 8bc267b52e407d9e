package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/inquiry"
	"transom.dev/render/state"
)

// A clusterAnswer is the last answer to a check of rollouts about a release on one cluster.
type clusterAnswer struct {
	Checked
	check   *inquiry.Check
	cluster string
}

// answersOf returns the answers about a release on clusters to which its rollout brought it, as far as the release was healthy there
// once at its revision: before that, health decides. Nobody is asked about a rollback, whose bytes were healthy before, nor about a Pin, for which a
// person answers.
func (v waves) answersOf(r *state.Release, on []string) (list []clusterAnswer) {
	checks, cause := v.Environment.Rollout.Checks, causeOf(r)
	if len(checks) == 0 || cause == "" || cause == state.CauseRollback || cause == state.CausePin {
		return nil
	}
	checks = slices.DeleteFunc(slices.Clone(checks), func(c *inquiry.Check) bool { return v.people.overrideOfCheck(c, refOf(r)) != nil })
	for _, cluster := range on {
		placed, there := r.Clusters[cluster]
		if !there || placed.Joining || outdated(placed) || !v.counts(v.Environment, cluster) {
			continue
		}
		said := v.observe(v.Environment, r.Key, cluster, placed)
		wasReady := said.ill() && said.Soaked > 0
		if said.Health != state.Healthy && !wasReady {
			continue
		}
		for _, c := range checks {
			is := v.check(CheckSubject{Check: c, Of: refOf(r), Cluster: cluster, Revision: placed.Observed()})
			list = append(list, clusterAnswer{is, c, cluster})
		}
	}
	return list
}

// failedCheck is the failure of a rollout for which a check has not passed for long enough.
func (s follower) failedCheck() (found failure) {
	for _, t := range s.waves.answersOf(s.base, s.base.Promotion.Rollout.Moved) {
		if t.FailsRollout(t.check) {
			found.failed, found.cluster = true, t.cluster
			found.said = Observation{Health: state.Failed, Message: t.evidence()}
			return found
		}
	}
	return found
}

// evidence says that a check does not pass, for how long that was seen and since when it is so.
func (t clusterAnswer) evidence() string {
	text := fmt.Sprintf("check %s does not pass: %s", t.check.Name, cmp.Or(t.Message, "it gives no reason"))
	return text + fmt.Sprintf(" (for %s, and first at %s)", t.Failed.Round(time.Second), t.Since.UTC().Format(time.RFC3339))
}

// openCheck is the gate of the check that keeps a wave from its end, or nil: the one that says the worst. A party that does not answer
// ends no rollout that stopped.
func (v waves) openCheck(r *state.Release, on []string) *Gate {
	isOpen := func(t clusterAnswer) bool {
		if phaseOf(r) == stopped && t.Verdict != Passes {
			return false
		}
		return t.Suffices(t.check)
	}
	closed := slices.DeleteFunc(v.answersOf(r, on), isOpen)
	if len(closed) == 0 {
		return nil
	}
	rank := []Verdict{Fails, "", Passes}
	slices.SortStableFunc(closed, func(a, b clusterAnswer) int {
		return slices.Index(rank, a.Verdict) - slices.Index(rank, b.Verdict)
	})
	g := closed[0].gate()
	return &g
}

// gate is the gate of a check that keeps a rollout from its end.
func (t clusterAnswer) gate() Gate {
	c := t.check
	next, skip := cmp.Or(t.Opens, "the next answer of "+c.Party()), ", or an Override that skips "+string(gate.CheckNamed(c.Name))
	g := Gate{Name: gate.Check, Since: t.Since, Opens: next + skip}
	progress := func(is, of time.Duration) string { return fmt.Sprintf("%s of %s", is.Round(time.Second), of) }
	switch {
	case t.Verdict == Passes:
		g.Reason = fmt.Sprintf("check %s passes on %s, %s: %s", c.Name, t.cluster, progress(t.Passed, c.For), t.Message)
	case t.Verdict == Fails:
		g.Reason = fmt.Sprintf("check %s does not pass on %s, and fails the rollout, %s: %s", c.Name, t.cluster, progress(t.Failed, c.For), t.Message)
	case t.Message == "":
		g.Reason = fmt.Sprintf("check %s is not answered yet about %s", c.Name, t.cluster)
	case t.Opens != "" || c.Patience == 0:
		g.Reason = fmt.Sprintf("check %s has no answer about %s: %s", c.Name, t.cluster, t.Message)
	default:
		g.Reason = fmt.Sprintf("check %s has no answer about %s, and is not waited for any longer, %s: %s", c.Name, t.cluster, progress(t.Silent, c.Patience), t.Message)
	}
	g.Reason = strings.TrimSuffix(g.Reason, ": ")
	return g
}

// failsCheck reports whether a check says now that the release which is being rolled out is not well.
func (v waves) failsCheck(r *state.Release) bool {
	return slices.ContainsFunc(v.answersOf(r, moved(r)), func(t clusterAnswer) bool { return t.Verdict == Fails })
}

// passedChecks are the gates that a rollout passed with its end, and the figures: of each check the answer that was the same for the shortest
// time, or that nobody answered.
func (s follower) passedChecks() (passed []state.PassedGate) {
	least := map[string]clusterAnswer{}
	for _, t := range s.waves.answersOf(s.base, s.base.Promotion.Rollout.Moved) {
		if before, there := least[t.check.Name]; !there || t.Passed < before.Passed {
			least[t.check.Name] = t
		}
	}
	for _, c := range s.Environment.Rollout.Checks {
		t, asked := least[c.Name]
		if d := s.people.overrideOfCheck(c, refOf(s.base)); d != nil {
			passed = append(passed, s.people.passed(gate.Check, d))
		} else if asked {
			passed = append(passed, state.PassedGate{Gate: gate.Check, Figure: t.figure()})
		}
	}
	return passed
}

// figure is the text by which a record remembers a check of its rollout.
func (t clusterAnswer) figure() string {
	if t.Verdict == Passes && t.Passed >= t.check.For {
		return t.Checked.figure(t.check)
	}
	return fmt.Sprintf("%s: no answer for %s, and not waited for any longer", t.check.Name, t.Silent.Round(time.Second))
}
