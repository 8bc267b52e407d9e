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

func problem(problems []platform.Problem) []Gate {
	if len(problems) == 0 {
		return nil
	}
	return []Gate{{Name: gate.Problem, Reason: problems[0].String(), Opens: "whoever mends it"}}
}

// unresolved is closed for a release of which no instance can be made.
func unresolved(q *question) []Gate { return problem(q.problems) }

// ofWithdrawnVersion is closed for a release whose version was withdrawn.
func ofWithdrawnVersion(q *question) []Gate {
	v := q.instance.Version
	if v.Lifecycle != platform.Withdrawn {
		return nil
	}
	return []Gate{{Name: gate.Problem, Reason: fmt.Sprintf("%s is withdrawn", v), Opens: "a newer release"}}
}

// withoutProvider is closed for a release while a request that it is bound to does not run here, or is not healthy before
// something that never ran here is applied for the first time.
func withoutProvider(q *question) []Gate {
	here := q.Environment
	for _, name := range slices.Sorted(maps.Keys(q.instance.Bindings)) {
		provider := q.instance.Bindings[name]
		r := q.Releases.Of(provider)
		if !runs(r) {
			return []Gate{{Name: gate.Binding, Reason: fmt.Sprintf("%s does not run in %s yet", provider, here.Name), Opens: "the release of " + provider.String()}}
		}
		if g := q.untold(name, r); g != nil {
			return []Gate{*g}
		}
		if runs(q.base) {
			continue
		}
		if now := q.condition(here, r, nil); now.counting > 0 && !now.arrived() {
			return []Gate{{Name: gate.Binding, Reason: fmt.Sprintf("%s is not healthy in %s yet: %s", provider, here.Name, now.why()), Opens: "the health of " + provider.String()}}
		}
	}
	return nil
}

// untold is closed while a provider that runs here has no recorded value of an observed output that the release reads, on one of the
// clusters that the release is placed on.
func (q *question) untold(binding string, provider *state.Release) *Gate {
	for _, c := range q.instance.Clusters {
		for _, output := range provider.Observes {
			lacks := slices.Contains(q.instance.Lacks(binding, provider.Outputs), output.Name)
			if _, recorded := provider.Observed[c.Name][output.Name]; lacks && !recorded {
				return &Gate{
					Name: gate.Binding, Reason: fmt.Sprintf("%s has told no %s on %s yet", provider.Key, output.Name, c.Name),
					Opens: "a value that has stood for a while on a healthy cluster",
				}
			}
		}
	}
	return nil
}

// unrenderable is closed for a release that has a Problem when it is rendered. It finds out the render keys of the release.
func unrenderable(q *question) []Gate {
	var problems []platform.Problem
	q.keys, problems = q.Lookup.Keys(q.instance)
	return problem(problems)
}

// unprovenEntry is closed for a release that an upstream has not proven. Where no upstream can prove it, a person has to have
// approved exactly it.
func unprovenEntry(q *question) (closed []Gate) {
	if len(q.Environment.PromotesFrom) == 0 {
		return nil
	}
	soak, unable := q.soak(), "" // why an upstream will not prove it by itself
	for _, up := range q.up.nearest(q.spec) {
		if q.up.changesNothing(up, q.base, q.instance) {
			continue
		}
		figure, g := q.up.proven(up, q.to, soak)
		if g == nil {
			q.from = append(q.from, up)
			q.passed = append(q.passed, state.PassedGate{Gate: gate.Soak, Figure: figure + " in " + up})
		} else if why := q.up.provesNothing(up, q.to); why != "" {
			unable = why
		} else {
			closed = append(closed, *g)
		}
	}
	proven := len(q.from) > 0 && unable == ""
	if proven || len(closed) > 0 || q.Environment.Gates.Unproven == "allow" {
		return closed
	}
	if d := q.exact(); d != nil {
		q.passed = append(q.passed, q.people.passed(gate.Approval, d))
		return nil
	}
	g := Gate{
		Name: gate.Approval, Reason: fmt.Sprintf("no environment before %s can prove %s", q.Environment.Name, q.to) + q.tooEarly(),
		Opens: q.people.approvalOf(q.to),
	}
	if unable != "" {
		g.Reason, g.Opens = unable, "health in the environments before that proves it, or "+g.Opens
	}
	return []Gate{g}
}

// soakingForOthers is closed while the release that runs here is not to be replaced. While it soaks for an environment that would
// take it, or makes its way through waves, the newest waits until that is over, or until health breaks: so however often a
// request changes, something gets through.
func soakingForOthers(q *question) []Gate {
	r := q.base
	if !runs(r) || q.Environment.Gates.Replace == "newest" || q.withdrawn(r) {
		return nil
	}
	now := q.condition(q.Environment, r, nil)
	if now.suspended() || r.Promotion.Unproven != "" || q.lost(r, now) || q.waves.failsCheck(r) {
		return nil // it soaks for nobody
	}
	current, _ := q.current()
	if current == nil {
		return nil // one that cannot be resolved any more goes no further, and may wait for ever to be whole
	}
	if !now.all() && q.mends() {
		return nil // the mend would wait for the release that it mends
	}
	p := phaseOf(r)
	if p == stopped || p == rollingBack {
		return nil
	}
	toCome := pending(r)
	if len(toCome) > 0 && q.stuckWithOthers(r, current) {
		return nil // it goes no further by waiting
	}
	if len(toCome) > 0 {
		return []Gate{{Name: gate.Rollout, Reason: "what runs here is still on its way to " + strings.Join(toCome, ", "), Opens: "its rollout, or its failure"}}
	}
	if now.counting == 0 {
		return nil
	}
	e := q.down.awaiting(r, q.to, q.history)
	if e == nil {
		return nil
	}
	if e.Gates.Soak > 0 && q.skips() {
		return nil
	}
	g := Gate{
		Name: gate.Soak, Reason: fmt.Sprintf("%s soaks here for %s, %s of %s", refOf(r), e.Name, now.soaked.Round(time.Second), e.Gates.Soak),
		Opens: "its health for that long, or its failure",
	}
	if now.all() {
		g.At = q.Now.in(max(e.Gates.Soak-now.soaked, 0))
	}
	return []Gate{g}
}

// stuckWithOthers reports whether a rollout has to take a change of the environment along that failed in so many other instances that it
// enters no more.
func (q *question) stuckWithOthers(r *state.Release, current *platform.Instance) bool {
	group := q.ownGroup()
	if groupOf(r) == group || q.groups == nil || q.groups.stopped(group) == nil {
		return false
	}
	keys, _ := q.Lookup.Keys(current)
	for cluster, placed := range r.Clusters {
		if placed.Revision != "" && placed.RenderKey != keys[cluster] {
			return true
		}
	}
	return false
}

// mends reports whether a release leaves the rendered bytes as they are and changes only the entries of its version on health,
// on ignored fields and on outputs.
func (q *question) mends() bool {
	has, _ := q.current()
	if has == nil || has.Offering.Name != q.to.Offering {
		return false
	}
	was, is := has.Version, q.instance.Version
	if was.Digest == is.Digest || was.Rendering != is.Rendering {
		return false
	}
	here := q.Environment.Name
	return reflect.DeepEqual(visible(&has.Request.Spec, here), visible(q.spec, here))
}

// lost reports whether the release that runs will not get healthy by waiting: it failed, cannot start, or was healthy and is
// not for longer than grace.
func (q *question) lost(r *state.Release, now condition) bool {
	patience := q.Environment.Gates.Grace
	if phaseOf(r).open() {
		patience = q.Environment.Rollout.ProgressDeadline
	}
	return now.said.hopeless() || now.said.broke(patience)
}

// rejected is closed for render keys of which one failed here, and nobody has approved it since.
func rejected(q *question) []Gate {
	if q.base == nil {
		return nil
	}
	for _, f := range slices.Backward(q.base.Promotion.Rejected) {
		if q.keys[f.Cluster] != f.RenderKey || readmitted(q.base, f, q.readmits) {
			continue
		}
		return []Gate{{
			Name: gate.Rejected, Reason: "failed on " + f.Message, Since: f.At,
			Opens: "a newer release that renders something else, or an Approval merged after the failure",
		}}
	}
	return nil
}

// ofStoppedGroup is closed for an instance that would enter a group in which too many failed.
func ofStoppedGroup(q *question) []Gate {
	if g := q.groups.stopped(q.group); !q.within {
		return one(g)
	}
	return nil
}

// unapprovedEntry is closed for a release that no person approved, where all that changes here is approved. The Approval of an
// unproven release does for both, and is asked for once.
func unapprovedEntry(q *question) []Gate {
	if !q.needsApproval() || slices.ContainsFunc(q.passed, isApproval) || slices.ContainsFunc(q.closed, asksApproval) || q.skips() {
		return nil
	}
	if len(q.readmits) > 0 {
		q.passed = append(q.passed, q.people.passed(gate.Approval, q.readmits[0]))
		return nil
	}
	if q.isRoutine() {
		q.passed = append(q.passed, state.PassedGate{Gate: gate.Approval, Figure: "routine"})
		return nil
	}
	opens := q.people.approvalOf(q.to)
	if versionAlone(q.base, q.to, q.spec, q.Environment.Name) {
		opens += fmt.Sprintf(", or of {offering: %s, version: %s}", q.to.Offering, q.to.Version)
	}
	return []Gate{{Name: gate.Approval, Reason: q.to.String() + " needs an Approval" + q.tooEarly(), Opens: opens}}
}

func isApproval(g state.PassedGate) bool { return g.Gate == gate.Approval }
func asksApproval(g Gate) bool           { return g.Name == gate.Approval }

// nowhereToBegin is closed for a release that could begin on none of its clusters. It must not take a slot of a rollout from
// instances that could.
func nowhereToBegin(q *question) []Gate {
	if len(q.keys) == 0 && runs(q.base) && len(q.base.Clusters) > 0 { // it would leave all that it has, and be nowhere
		return []Gate{{
			Name: gate.Rollout, Reason: fmt.Sprintf("no cluster that %s is for can take it now", q.instance.Version),
			Opens: "an active cluster",
		}}
	}
	var brought, moving []string
	for _, cluster := range sortedKeys(q.keys) {
		switch {
		case q.base == nil || q.base.Clusters[cluster].RenderKey != q.keys[cluster]:
			moving = append(moving, cluster)
		case slices.Contains(moved(q.base), cluster):
			brought = append(brought, cluster)
		}
	}
	if now, g := q.waves.reach(q.to, q.base, brought, moving); len(now) == 0 && len(moving) > 0 {
		return one(g)
	}
	return nil
}

// held is closed while a Hold is in force of the environment, the team, the offering or the request, or while the request's own
// file at the head holds it.
func held(q *question) []Gate {
	if d := q.people.hold(q.key, q.to.Offering); d != nil {
		return []Gate{*q.people.held(d)}
	}
	if q.head == nil || !q.head.Request.Spec.Environments[q.Environment.Name].Hold {
		return nil
	}
	file := q.head.Request.File
	return []Gate{{
		Name: gate.Hold, Reason: fmt.Sprintf("%s says hold: true for %s", file, q.Environment.Name),
		Opens: "whoever takes hold: true out of " + file,
	}}
}

// outsideWindows is closed while the environment may not change by the time of day.
func outsideWindows(q *question) []Gate {
	g := q.window()
	if g != nil && q.urgent {
		q.passed = append(q.passed, state.PassedGate{Gate: gate.Window, Figure: urgently})
		return nil
	}
	return one(g)
}

// urgently is the figure of a gate that a change passed because nothing changes but values that are urgent.
const urgently = "urgent"

// frozen is closed for a change of the environment while a Pin names the release that runs.
func frozen(q *question) []Gate { return one(q.people.freeze(q.base)) }

// ofUnapprovedPlan is closed for changes of the environment that no person approved, where all that changes here is approved.
func ofUnapprovedPlan(q *question) []Gate {
	if q.urgent && q.needsApproval() { // no plan has it
		q.passed = append(q.passed, state.PassedGate{Gate: gate.Approval, Figure: urgently})
	}
	return one(q.plan)
}
