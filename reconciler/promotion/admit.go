package promotion

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// An Admission says which of the rendered bytes of a Choice are committed now, and on which clusters.
type Admission struct {
	// Records has the record of every proposal as of now, in their order: all of the proposal, the part of it whose turn has
	// come, or its Base, which changes nothing.
	Records []*state.Release

	Standings  map[platform.RequestKey]*Standing // of those instances that are not simply at rest
	Next       time.Time                         // when to look again though nothing was heard: the next time something can change by itself; zero: never
	Plan       string                            // the digest of the environment change that waits for an Approval, if one does
	Unrendered []platform.RequestKey             // were to enter a rollout and could not be rendered, sorted: View.Failures tells the next pass of them

	decided *decided
	plan    *planned
}

// admitter makes an Admission, proposal by proposal.
type admitter struct {
	*decided
	standings *standings
	groups    *groups
	slots     map[string]int // that are still free
	proposed  map[platform.RequestKey]bool
	early     []*change // releases of the same bytes that were rendered with outputs which are on no record yet
	plan      *planned
}

// Admit decides about the proposals that rendering made of a choice. Rendering may ask again, with proposals that it changed in
// view of the last answers: every Admission begins from the Choice, and the last one counts.
func (c *Choice) Admit(proposals []state.Proposal) *Admission {
	a := &admitter{
		decided: &c.decided, standings: c.decided.standings.clone(), groups: c.newGroups(),
		slots: maps.Clone(c.decided.slots), proposed: map[platform.RequestKey]bool{},
	}
	out := make([]*state.Release, len(proposals))
	var renewed []*change // of the environment, in releases that stay
	for i, proposal := range proposals {
		p := newChange(proposal, i)
		switch m := a.moves[p.key]; {
		case proposal.Next.Absent:
			out[i] = a.record(p, a.admitRemoval(p, m))
		case !runs(proposal.Base) || proposal.Base.Digest != proposal.Next.Digest:
			out[i] = a.record(p, a.admitRelease(p, m))
		default:
			renewed = append(renewed, p)
		}
	}
	a.admitChanges(renewed, out)
	a.awaitProviders(c.Restore, out)
	unrendered := a.unrendered()
	return &Admission{
		Records: out, Standings: a.standings.byKey, Next: a.standings.next, Plan: a.plan.digest, Unrendered: unrendered,
		decided: a.decided, plan: a.plan,
	}
}

// newGroups counts the groups by the records that the instances have by the Choice.
func (c *Choice) newGroups() *groups {
	return c.decided.newGroups(c.Records, func(k platform.RequestKey) *Restoration {
		if back, ok := c.Restore[k]; ok {
			return &back
		}
		return nil
	})
}

// An admitted is the answer to a proposal.
type admitted struct {
	record *state.Release
	outcome
}

// record takes over the answer to a proposal, and returns its record.
func (a *admitter) record(p *change, answer admitted) *state.Release {
	a.standings.record(p.key, answer.outcome)
	return answer.record
}

// unrendered lists the instances that were to enter a group and were not proposed. Where none of a group was, the others are to be
// rendered at once.
func (a *admitter) unrendered() (keys []platform.RequestKey) {
	came := map[string]bool{}
	for k, m := range a.moves {
		switch {
		case m.queued && a.proposed[k]:
			came[m.group] = true
		case m.queued:
			keys = append(keys, k)
		}
	}
	for name := range a.untried {
		if !came[name] {
			a.standings.wake(a.Now.Wall)
		}
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	return keys
}

// admitRemoval records that an instance is gone: pruning is still to be confirmed on every cluster that it was on.
func (a *admitter) admitRemoval(c *change, m *move) admitted {
	if m == nil || !m.removal {
		return admitted{record: c.Base}
	}
	to := c.Next.Clone()
	to.EnterRemoval(c.Base, state.Entry{
		Commit: to.Commit, PromotedFrom: m.from, Gates: m.passed, Ran: a.history.ran(c.Base),
		Left: a.history.left(c.Base, to, to.Commit), Rollout: &state.Rollout{Cause: m.cause, Entered: a.Now.stamp(), Pending: c.gone},
	})
	return admitted{record: to, outcome: outcome{state: Removing}}
}

// admitRelease lets a release enter, on the clusters whose turn it is.
func (a *admitter) admitRelease(c *change, m *move) (out admitted) {
	out.record = c.Base
	if m == nil || m.removal {
		return out
	}
	a.proposed[c.key] = true
	if m.same && len(c.moving) > 0 { // it was rendered with outputs of a provider that has a change, which may wait, and passed no gate
		a.early = append(a.early, c)
		return out
	}
	hasSlot := !m.queued || a.slots[m.group] > 0
	joined, holds := a.people.free(c.joining, refOf(c.Next))
	out.wait(holds...)
	var leaving []string
	if len(c.moving) == 0 || hasSlot {
		var gates []Gate
		leaving, gates = a.mayLeave(c)
		out.wait(gates...)
	}
	leavesAll := len(c.gone) > 0 && len(c.Next.Clusters) == 0
	if len(c.moving)+len(leaving) == 0 && !leavesAll {
		out.record, out.state = a.takeUnchanged(c, m, joined), Settled
		return out
	}
	now, gate := a.waves.reach(refOf(c.Next), c.Base, c.brought(), c.moving)
	if !hasSlot {
		full := a.groups.queued(m.group)
		now, leaving, gate = nil, nil, &full
	}
	leavesOnly := len(c.moving) == 0 && len(leaving) > 0
	if len(now) == 0 && !leavesOnly {
		if gate != nil {
			out.wait(*gate)
			out.state, out.candidate = Waiting, &m.content
		}
		return out
	}
	if m.queued {
		a.slots[m.group]--
	}
	out.record = a.take(c, m, now, joined, leaving)
	return out
}

// awaitProviders decides about the early releases, in view of all answers. Where a provider has other outputs from this pass on, the next
// pass asks the gates. Where none has, the change of a provider waits: rendering asks again with the outputs that the provider keeps, and
// where it does not any more, the release waits for that change and for no time.
func (a *admitter) awaitProviders(restored map[platform.RequestKey]Restoration, out []*state.Release) {
	if len(a.early) == 0 {
		return
	}
	after := maps.Clone(a.records)
	for k, back := range restored {
		after[k] = back.Release
	}
	for _, r := range out {
		if r != nil {
			after[r.Key] = r
		}
	}
	for _, c := range a.early {
		var o outcome
		m := a.moves[c.key]
		providers := slices.SortedFunc(maps.Values(m.instance.Bindings), platform.RequestKey.Compare)
		if slices.ContainsFunc(providers, func(k platform.RequestKey) bool { return givesOthers(a.Releases.Of(k), after[k]) }) {
			o.wake(a.Now.Wall)
		} else {
			o.state, o.candidate = Waiting, &m.content
			o.wait(Gate{Name: gate.Binding, Reason: fmt.Sprintf("a change of %s comes first, and waits", oneOf(providers)), Opens: "that change"})
		}
		a.standings.record(c.key, o)
	}
}

// givesOthers reports whether a request that runs has other outputs after a pass; nil: its record stays.
func givesOthers(before, after *state.Release) bool {
	if !runs(before) || !runs(after) {
		return false
	}
	same := reflect.DeepEqual(before.Outputs, after.Outputs) && reflect.DeepEqual(before.Observes, after.Observes)
	return !same || !reflect.DeepEqual(before.Observed, after.Observed)
}

// oneOf names requests of which it may be any.
func oneOf(keys []platform.RequestKey) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.String())
	}
	return strings.Join(names, " or ")
}

// take is the record of a release that enters on some clusters.
func (a *admitter) take(c *change, m *move, now, joined, leaving []string) *state.Release {
	to := c.compose(slices.Concat(now, joined), leaving)
	to.Join(joined)
	to.Readmit(c.enteringOn(slices.Concat(c.moving, joined)))
	to.Enter(state.Entry{
		Commit: m.content.Commit, PromotedFrom: m.from, Gates: slices.Concat(m.passed, groupsWith(c.Base, to, m.group)),
		Admitted: a.admittedKeys(c, without(c.gone, leaving)), Unproven: a.weakened(c),
		Ran: a.history.ran(c.Base), TakenBack: a.history.takenBack(c.Base, to), Left: a.history.left(c.Base, to, m.content.Commit),
		Rollout: a.rollout(c, m.cause, m.group, now),
	})
	return to
}

// takeUnchanged takes a release that changes no bytes that run here: the release that brought them stays recorded as their origin.
// Where there is no cluster nothing ran, so that a release which is here in name only is not taken for one that was healthy.
func (a *admitter) takeUnchanged(c *change, m *move, joined []string) *state.Release {
	to := c.compose(joined, nil)
	to.Join(joined)
	brought := ""
	if runs(c.Base) && len(c.Base.Clusters) > 0 {
		brought = origin(c.Base.Digest, c.Base.Promotion.Origin)
	}
	admitted := to.Promotion.Admitted
	if len(c.gone) > 0 {
		admitted = a.admittedKeys(c, c.gone)
	}
	to.EnterUnchanged(state.UnchangedEntry{
		Commit: m.content.Commit, Origin: brought, PromotedFrom: m.from, Admitted: admitted, Left: a.history.left(c.Base, to, m.content.Commit),
	})
	return to
}

// rollout is the record of one that enters on some clusters; none where nothing moved that could fail.
func (a *admitter) rollout(c *change, cause state.Cause, group string, now []string) *state.Rollout {
	moved, later := slices.Sorted(slices.Values(slices.Concat(c.brought(), now))), without(c.moving, now)
	if len(moved)+len(later) == 0 {
		return nil
	}
	return &state.Rollout{Cause: cause, Group: group, Entered: a.Now.stamp(), Moved: moved, Pending: later}
}

// admittedKeys are the render keys that enter with a release where every change needs an approval: the bytes of its later waves
// are compared with them, and which clusters it leaves last.
func (d *decided) admittedKeys(c *change, last []string) (keys []string) {
	if c.Base != nil && len(last) > 0 && slices.Contains(c.Base.Promotion.Admitted, deletionsAdmitted) {
		keys = append(keys, deletionsAdmitted)
	}
	if !d.needsApproval() {
		return keys
	}
	for _, cluster := range slices.Concat(c.moving, c.joining) {
		keys = append(keys, c.Next.Clusters[cluster].RenderKey)
	}
	for _, cluster := range last {
		keys = append(keys, mark(state.PlanStep{Before: c.Base.Clusters[cluster].RenderKey}))
	}
	return keys
}

// mayLeave returns the clusters that may lose their bytes now, and the gates that the others wait for.
func (d *decided) mayLeave(c *change) (due []string, gates []Gate) {
	leaves := d.deletions.departures[c.key]
	if leaves == nil || len(c.gone) == 0 {
		return nil, nil
	}
	due = intersect(c.gone, leaves.due)
	counts := func(cluster string) bool { return d.counts(d.Environment, cluster) }
	if leaves.well && !leaves.stands && slices.ContainsFunc(slices.Concat(c.joining, c.moving), counts) {
		due = nil // rendering knows of more to do first than could be seen before
	}
	if last := without(c.gone, due); len(last) > 0 {
		gates = append(gates, leaves.gate(last))
	}
	if d.deletions.gate != nil && !d.deletions.admitted[c.key] {
		if len(due) > 0 {
			gates = append(gates, *d.deletions.gate)
		}
		return nil, gates
	}
	due, holds := d.people.free(due, refOf(c.Next))
	return due, append(gates, holds...)
}
