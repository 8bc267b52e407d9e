package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// admitChanges decides about releases that stay while their bytes change: rollouts on their way to further clusters, and
// changes by the environment, its overlays and its clusters.
func (a *admitter) admitChanges(changes []*change, out []*state.Release) {
	a.plan = a.readPlan(changes)
	var renewals []*change
	for _, c := range changes {
		if !c.touches() {
			out[c.at] = a.record(c, admitted{record: c.annotate()})
			continue
		}
		answer, mine := a.proceed(c)
		if out[c.at] = a.record(c, answer); !mine {
			renewals = append(renewals, c)
		}
	}
	slices.SortFunc(renewals, func(a, b *change) int { return a.key.Compare(b.key) })
	wanting := map[string]int{}
	for _, c := range renewals {
		_, group := a.renewedBy(c)
		wanting[group]++
	}
	for _, c := range renewals {
		_, group := a.renewedBy(c)
		answer, grouped := a.renew(c, wanting[group])
		if out[c.at] = a.record(c, answer); grouped {
			wanting[group]--
		}
	}
}

// question is one about the record of a change: what its gates say depends on the clusters that it reaches now.
func (a *admitter) question(c *change, clusters []string, approved bool) *question {
	to := refOf(c.Base)
	var plan *Gate
	if !approved {
		plan = a.plan.gate
	}
	return &question{
		subject: &subject{facts: a.facts, key: c.key, base: c.Base, head: a.Head.Of(c.key)},
		to:      to, keys: c.keys(clusters), readmits: a.plan.readmits(a.people.running(to)), plan: plan, urgent: c.isUrgent(clusters),
	}
}

// proceed lets an open rollout reach the next clusters, and clusters that joined have the release that runs. It reports false
// where the change is another one than that.
func (a *admitter) proceed(c *change) (out admitted, mine bool) {
	underWay := phaseOf(c.Base).underWay()
	joined, holds := a.people.free(c.joining, refOf(c.Next))
	out.wait(holds...)
	anew := a.beginsAnew(c)
	var next []string // the clusters that the rollout is on its way to
	if underWay && !anew {
		next = intersect(c.moving, pending(c.Base))
		if len(c.Base.Clusters) == 0 {
			next = c.moving // its clusters left, and others came
		}
	}
	comes := slices.Concat(joined, next)
	switch {
	case len(comes) == 0 && underWay && !anew:
		out.wait(Gate{Name: gate.Rollout, Reason: "an environment change waits for the rollout under way", Opens: "its end"})
		return a.departLast(c, out), true
	case len(comes) == 0:
		return out, false
	case len(next) > 0 && a.withdrawn(c.Base):
		out.wait(Gate{Name: gate.Rollout, Reason: fmt.Sprintf("%s@%s is withdrawn", c.Base.Offering, c.Base.Version), Opens: "a newer release"})
		return a.departLast(c, out), true
	}
	q := a.question(c, comes, a.plan.covers(c, comes))
	if g := q.first(progress); g != nil {
		out.wait(*g)
		out.record = a.plan.onRecord(c)
		return out, true
	}
	return a.advance(c, q, out, joined, next), true
}

// beginsAnew reports whether an open rollout begins again with the bytes of a change of the environment: the change alters bytes
// that the rollout brought, and further clusters are to get them, which no wave before has had, or they are not healthy, and the
// change may be the mend. A change waits only for bytes that are everywhere and soak, and those of a pinned release stay.
func (a *admitter) beginsAnew(c *change) bool {
	altered := slices.ContainsFunc(without(c.moving, pending(c.Base)), func(cluster string) bool {
		_, there := c.Base.Clusters[cluster]
		return there
	})
	if !altered || !phaseOf(c.Base).underWay() || a.people.freeze(c.Base) != nil {
		return false
	}
	return len(pending(c.Base)) > 0 || a.condition(a.Environment, c.Base, nil).said.ill()
}

// advance moves the clusters whose turn it is, and those that joined, to the release that runs.
func (a *admitter) advance(c *change, q *question, out admitted, joined, next []string) admitted {
	var now []string
	if phaseOf(c.Base).underWay() {
		var gate *Gate
		now, gate = a.waves.reach(refOf(c.Next), c.Base, without(c.Base.Promotion.Rollout.Moved, next), next)
		out.wait(one(gate)...)
	}
	now = slices.Concat(now, joined)
	leaving, gates := a.mayLeaveWith(q, c)
	out.wait(gates...)
	if len(now)+len(leaving) == 0 {
		out.record = a.plan.onRecord(c)
		return out
	}
	to := c.compose(now, leaving)
	to.Readmit(c.enteringOn(now))
	reached(to, now, next)
	if q.urgent {
		to.AddGates(q.passed)
	}
	if len(now) > 0 {
		out.state = Moving
	}
	out.record = a.plan.recordSteps(to, c)
	return out
}

// mayLeaveWith is mayLeave along with a change that passed its gates. An urgent one has not passed those of leaving clusters.
func (a *admitter) mayLeaveWith(q *question, c *change) (due []string, gates []Gate) {
	if q.urgent {
		return nil, nil
	}
	return a.mayLeave(c)
}

// reached records the clusters that have a release now: the next ones of its rollout, and those that joined.
func reached(to *state.Release, now, next []string) {
	to.Join(without(now, next))
	if r := to.Promotion.Rollout; r != nil {
		moved := intersect(now, next) // one may have been moved before, left and come back
		to.Reach(slices.Sorted(slices.Values(slices.Concat(without(r.Moved, moved), moved))), without(r.Pending, now))
	}
}

// departLast is the base without the clusters that may lose their bytes.
func (a *admitter) departLast(c *change, out admitted) admitted {
	if out.record = a.plan.onRecord(c); len(c.gone) == 0 {
		return out
	}
	leaving, gates := a.mayLeave(c)
	out.wait(gates...)
	approved := a.plan.covers(c, c.gone) || a.leavesAtOnce(c)
	if g := a.question(c, c.gone, approved).first(departing); g != nil {
		out.wait(*g)
		return out
	}
	if len(leaving) == 0 {
		return out
	}
	to := c.compose(nil, leaving)
	to.Desert(a.history.ran(c.Base))
	out.record = withoutSteps(a.plan.recordSteps(to, c), c.Base, leaving)
	return out
}

// leavesAtOnce reports whether a person approved that an instance leaves exactly these clusters at once.
func (a *admitter) leavesAtOnce(c *change) bool {
	return slices.Contains(c.Base.Promotion.Admitted, deletionsAdmitted) && !slices.ContainsFunc(c.gone, func(cluster string) bool {
		return !a.leavesNow(cluster)
	})
}

// renew rolls out a change that the environment makes to a release that stays, of so many that want to. It reports whether the
// change takes a slot of the environment's group.
func (a *admitter) renew(c *change, wanting int) (out admitted, grouped bool) {
	if len(c.moving) == 0 {
		return a.departLast(c, out), false
	}
	q := a.question(c, c.moving, a.plan.covers(c, c.moving))
	gate := q.first(renewal)
	var now []string
	if gate == nil {
		moving := c.moving
		if a.withdrawn(c.Base) { // it goes to no further cluster
			moving = without(moving, pending(c.Base))
		}
		now, gate = a.waves.reach(refOf(c.Next), c.Base, c.brought(), moving)
	}
	if len(now) > 0 {
		cause, group := a.renewedBy(c)
		within := phaseOf(c.Base).underWay() && groupOf(c.Base) == group
		joins := cause == state.CauseEnvironment && !within
		if gate = nil; joins {
			gate = a.groups.enter(group, wanting)
		}
		if gate == nil {
			return a.renewed(c, q, cause, group, now), joins
		}
	}
	out.wait(one(gate)...)
	return a.departLast(c, out), false
}

// renewedBy is the cause of a change of bytes in a release that stays, and the group that it is rolled out with.
func (a *admitter) renewedBy(c *change) (cause state.Cause, group string) {
	switch {
	case causeOf(c.Base) == state.CauseVersion: // it is the same rollout still, with other bytes
		return state.CauseVersion, groupOf(c.Base)
	case c.Instance != nil && c.onlyValues(c.moving):
		return state.CauseEnvironment, a.valueGroup(c)
	case a.rebound(c):
		return state.CauseBinding, ""
	}
	return state.CauseEnvironment, a.ownGroup()
}

func (a *admitter) renewed(c *change, q *question, cause state.Cause, group string, now []string) (out admitted) {
	leaving, gates := a.mayLeaveWith(q, c)
	out.wait(gates...)
	to := c.compose(now, leaving)
	passed := groupsWith(c.Base, to, group)
	if a.plan.approval != nil {
		passed = append(passed, a.people.passed(gate.Approval, a.plan.approval))
	}
	if q.urgent {
		passed = append(passed, q.passed...)
	}
	to.Readmit(c.enteringOn(c.moving))
	to.Renew(a.history.ran(c.Base), passed, a.rollout(c, cause, group, now))
	out.state, out.record = Moving, a.plan.recordSteps(to, c)
	return out
}

// rebound reports whether a change comes from a request that an instance is bound to.
func (a *admitter) rebound(c *change) bool {
	if c.Instance == nil {
		return false
	}
	for _, provider := range c.Instance.Bindings {
		if a.moves[provider] != nil || phaseOf(a.Releases.Of(provider)).open() {
			return true
		}
	}
	return false
}
