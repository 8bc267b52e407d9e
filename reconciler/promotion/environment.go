package promotion

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// environmental is the prefix of groups of changes that an environment makes to the releases that it runs.
const environmental = "environment:"

func isEnvironment(group string) bool { return strings.HasPrefix(group, environmental) }

// admitChanges decides about releases that stay while their bytes change: rollouts on their way to further clusters, and
// changes by the environment, its overlays and its clusters.
func (p *Pass) admitChanges(changes []*change, out []*platform.Release) {
	approved := p.approvePlan(changes)
	var fresh []*change
	for _, c := range changes {
		out[c.at] = p.goOn(c, approved)
		if out[c.at] == nil {
			out[c.at] = c.Base
			fresh = append(fresh, c)
		}
	}
	slices.SortFunc(fresh, func(a, b *change) int { return a.key.Compare(b.key) })
	wanting := len(fresh)
	for _, c := range fresh {
		out[c.at] = p.renew(c, approved, &wanting)
	}
}

// blocked returns why bytes do not change now, whoever asks, or nil.
func (p *Pass) blocked(c *change, admitted bool) *Gate {
	s := &subject{Pass: p, key: c.key, base: c.Base, head: c.Instance}
	r := c.Base
	skips := func(gate string) bool {
		return p.overridden(gate, c.key, r.Digest, r.Offering, r.Version) != nil
	}
	switch hold, window := p.holdAtHead(s), p.window(); {
	case hold != nil && !skips("hold"):
		return hold
	case window != nil && !skips("window"):
		return window
	case !admitted && p.view.Environment.Gates.Approval == "required" && !skips("approval"):
		return p.planGate
	}
	return nil
}

// goOn lets an open rollout reach the next clusters, and clusters that joined have the release that runs. It returns nil
// where the change is another one than that.
func (p *Pass) goOn(c *change, approved bool) *platform.Release {
	rollout := c.Base.Promotion.Rollout
	under := rollout != nil && rollout.Stopped == "" && rollout.Cause != "rollback"
	joined := p.mayJoin(c)
	var pending []string
	if under {
		pending = intersect(c.moving, rollout.Pending)
		if len(c.Base.Clusters) == 0 {
			pending = c.moving // its clusters left, and others came
		}
	}
	if len(joined)+len(pending) == 0 && (!under || p.broken(c.Base)) {
		return nil
	}
	if len(joined)+len(pending) == 0 && under {
		p.wait(c.key, Gate{Name: "rollout", Reason: "an environment change waits for the rollout under way", Opens: "its end"})
		return p.letGo(c, approved)
	}
	if frozen := p.frozen(c.key, c.Base); frozen != nil && len(pending) == 0 && len(joined) == 0 {
		p.wait(c.key, *frozen)
		return c.Base
	}
	if len(pending) > 0 && p.withdrawn(c.Base) {
		p.wait(c.key, Gate{Name: "rollout", Reason: fmt.Sprintf("%s@%s is withdrawn", c.Base.Offering, c.Base.Version), Opens: "a newer release"})
		return p.letGo(c, approved)
	}
	if g := p.blocked(c, p.covers(c, slices.Concat(joined, pending), approved)); g != nil {
		p.wait(c.key, *g)
		return p.noted(c, approved)
	}
	if g := rejected(c.Base, keysOf(c.Next, slices.Concat(joined, pending)), p.approvalsFor(c)); g != nil {
		p.wait(c.key, *g)
		return p.noted(c, approved)
	}
	var now []string
	if under {
		var gate *Gate
		if now, gate = p.reach(c.Next, c.Base, without(rollout.Moved, pending), pending); gate != nil {
			p.wait(c.key, *gate)
		}
	}
	now = slices.Concat(now, joined)
	leaving := p.mayGo(c)
	if len(now)+len(leaving) == 0 {
		return p.noted(c, approved)
	}
	to := p.compose(c, now, leaving)
	readmit(to, c.Next, now)
	reached(to, now, pending)
	if len(now) > 0 {
		p.standing(c.key).State = Moving
	}
	return p.keepAdmitted(to, c, approved)
}

// reached notes the clusters that have a release now: the next ones of its rollout, and those that joined.
func reached(to *platform.Release, now, pending []string) {
	join(to, without(now, pending))
	if r := to.Promotion.Rollout; r != nil {
		next := intersect(now, pending) // one may have been moved before, left and come back
		r.Moved = slices.Sorted(slices.Values(slices.Concat(without(r.Moved, next), next)))
		r.Pending = without(r.Pending, now)
	}
}

// broken reports whether the objects that an open rollout brought will not get well by waiting, so that a change of the
// environment may mend it.
func (p *Pass) broken(r *platform.Release) bool {
	return p.view.condition(p.view.Environment, r, nil).said.hopeless()
}

// letGo is the base without the clusters that may lose their bytes.
func (p *Pass) letGo(c *change, approved bool) *platform.Release {
	if len(c.gone) == 0 {
		return p.noted(c, approved)
	}
	leaving := p.mayGo(c)
	if g := p.blocked(c, p.covers(c, c.gone, approved) || p.urgent(c)); g != nil {
		p.wait(c.key, *g)
		return p.noted(c, approved)
	}
	if len(leaving) == 0 {
		return p.noted(c, approved)
	}
	to := p.compose(c, nil, leaving)
	to.Promotion.Ran = p.left(c.Base) // with the release that is lost here
	return dropped(p.keepAdmitted(to, c, approved), c.Base, leaving)
}

// renew rolls out a change that the environment makes to a release that stays.
func (p *Pass) renew(c *change, approved bool, wanting *int) *platform.Release {
	if len(c.moving) == 0 {
		return p.letGo(c, approved)
	}
	gate, group := p.renewable(c, approved), ""
	var now []string
	if gate == nil {
		now, gate = p.reach(c.Next, c.Base, nil, c.moving)
	}
	if len(now) > 0 {
		cause := "environment"
		if open := c.Base.Promotion.Rollout; open != nil && open.Cause == "version" {
			cause = open.Cause // it is the same rollout still, with other bytes
		} else if p.rebound(c) {
			cause = "binding"
		} else {
			group = p.environmentGroup()
		}
		if gate = p.enterGroup(group, wanting); gate == nil {
			if cause == "version" {
				group = c.Base.Promotion.Rollout.Group
			}
			return p.renewed(c, cause, group, now, approved)
		}
	}
	if gate != nil {
		p.wait(c.key, *gate)
	}
	return p.letGo(c, approved)
}

func (p *Pass) renewable(c *change, approved bool) *Gate {
	if g := p.frozen(c.key, c.Base); g != nil {
		return g
	}
	if g := p.blocked(c, p.covers(c, c.moving, approved)); g != nil {
		return g
	}
	return rejected(c.Base, keysOf(c.Next, c.moving), p.approvalsFor(c))
}

// enterGroup takes one of the places that are free in a group.
func (p *Pass) enterGroup(name string, wanting *int) *Gate {
	if name == "" {
		return nil
	}
	if g := p.stoppedGroup(name); g != nil {
		return g
	}
	g := p.group(name)
	if g.free(p.view.Environment.Rollout.Instances, *wanting) == 0 {
		waits := p.queued(name)
		return &waits
	}
	g.flying++
	*wanting--
	return nil
}

func (p *Pass) renewed(c *change, cause, group string, now []string, approved bool) *platform.Release {
	to := p.compose(c, now, p.mayGo(c))
	to.Promotion.Ran = p.left(c.Base)
	to.Promotion.Gates = groupsOf(c.Base, to, group)
	if approved && p.plan != nil {
		to.Promotion.Gates = append(to.Promotion.Gates, p.by("approval", p.plan))
	}
	readmit(to, c.Next, c.moving)
	to.Promotion.Rollout = p.rollout(cause, group, now, without(c.moving, now))
	p.standing(c.key).State = Moving
	return p.keepAdmitted(to, c, approved)
}

// rebound reports whether a change comes from a request that an instance is bound to.
func (p *Pass) rebound(c *change) bool {
	if c.Instance == nil {
		return false
	}
	for _, provider := range c.Instance.Bindings {
		r := p.view.Releases[provider]
		if p.moves[provider] != nil || r != nil && r.Promotion.Rollout != nil {
			return true
		}
	}
	return false
}

// environmentGroup is the name of the group for the values, overlays and labels that the environment puts into its instances
// now.
func (p *Pass) environmentGroup() string {
	if p.lazy.group == "" {
		e := p.view.Environment
		puts := map[string]any{"values": e.Values, "overlays": digests(e.Overlays), "namespace": digests(e.Namespace.Components)}
		if e.External {
			puts["external"] = true
		}
		if e.Namespace.Name != nil {
			puts["name"] = e.Namespace.Name.Source
		}
		members := map[string]any{}
		for name, c := range p.view.Platform.Clusters {
			if selects(e, c) {
				members[name] = c.Labels
			}
		}
		puts["clusters"] = members
		p.lazy.group = environmental + platform.Digest(puts)
	}
	return p.lazy.group
}

func digests(overlays []platform.Overlay) []string {
	list := []string{}
	for _, o := range overlays {
		list = append(list, o.Digest)
	}
	return list
}

// approvalsFor are those that may readmit the bytes of an environment change.
func (p *Pass) approvalsFor(c *change) []*platform.Decision {
	s := &subject{Pass: p, key: c.key, base: c.Base}
	list := p.approvalsOf(s, c.Base)
	if p.plan != nil {
		list = append(list, p.plan)
	}
	return list
}

func keysOf(r *platform.Release, clusters []string) map[string]string {
	keys := map[string]string{}
	for _, c := range clusters {
		keys[c] = r.Clusters[c].RenderKey
	}
	return keys
}

func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// approvePlan finds out whether a person approved the changes of the environment, and otherwise sets the digest that there
// is to approve.
func (p *Pass) approvePlan(changes []*change) bool {
	e := p.view.Environment
	var steps []platform.PlanStep
	for _, c := range changes {
		for _, s := range platform.PlanSteps(c.Proposal) {
			if !slices.Contains(c.Base.Promotion.Admitted, mark(s)) {
				steps = append(steps, s)
			}
		}
	}
	if len(steps) == 0 {
		return false
	}
	digest := platform.PlanDigest(e.Name, steps)
	for _, d := range p.decisions.approvals {
		if d.Plan == digest {
			p.plan = d
			return true
		}
	}
	p.Plan = digest
	p.planGate = &Gate{
		Name: "approval", Reason: fmt.Sprintf("%s changed what %d placements render to", e.File, len(steps)),
		Opens: fmt.Sprintf("an Approval in decisions/%s of {plan: %s}", e.Name, digest),
	}
	return false
}

// mark is the entry of an approved step in a record: the render key that it leads to, or the one that goes.
func mark(s platform.PlanStep) string {
	if s.After == "" {
		return "-" + s.Before
	}
	return s.After
}

// covers reports whether an Approval covers the changes on these clusters: one that matches now, or one on record.
func (p *Pass) covers(c *change, clusters []string, approved bool) bool {
	if approved || p.view.Environment.Gates.Approval != "required" {
		return true
	}
	for _, s := range platform.PlanSteps(c.Proposal) {
		if slices.Contains(clusters, s.Cluster) && !slices.Contains(c.Base.Promotion.Admitted, mark(s)) {
			return false
		}
	}
	return true
}

// noted is the base, with the steps that a person approved: this admits the later steps when the Approval itself does not
// match any more.
func (p *Pass) noted(c *change, approved bool) *platform.Release {
	if !approved || p.view.Environment.Gates.Approval != "required" {
		return c.Base
	}
	return p.keepAdmitted(clone(c.Base), c, approved)
}

func (p *Pass) keepAdmitted(to *platform.Release, c *change, approved bool) *platform.Release {
	if approved && p.view.Environment.Gates.Approval == "required" {
		for _, s := range platform.PlanSteps(c.Proposal) {
			if !slices.Contains(to.Promotion.Admitted, mark(s)) {
				to.Promotion.Admitted = append(to.Promotion.Admitted, mark(s))
			}
		}
	}
	return to
}

// holdAtHead returns the gate that holds an instance back, with the request's own file read at the head.
func (p *Pass) holdAtHead(s *subject) *Gate {
	s.head = p.headOf(s.key)
	return p.hold(s, s.base.Offering)
}

// headOf returns the instance that the head asks for, or nil.
func (p *Pass) headOf(k platform.RequestKey) *platform.Instance {
	at, found := slices.BinarySearchFunc(p.view.Head, k, func(i *platform.Instance, k platform.RequestKey) int { return i.Request.Key.Compare(k) })
	if !found {
		return nil
	}
	return p.view.Head[at]
}
