package promotion

import (
	"fmt"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// planned are the changes of the environment in a pass, as a person approves them.
type planned struct {
	required bool               // a person has to approve them
	approval *platform.Decision // that covers all of them; nil: there is none
	digest   string             // that is to be approved; empty: nothing is
	gate     *Gate              // of the changes that are not approved
}

// readPlan finds out whether a person approved the changes of the environment, and otherwise the digest that there is to approve.
func (a *admitter) readPlan(changes []*change) *planned {
	e := a.Environment
	p := &planned{required: a.needsApproval()}
	var steps []state.PlanStep
	for _, c := range changes {
		steps = append(steps, c.unapproved()...)
	}
	if len(steps) == 0 {
		return p
	}
	digest := state.PlanDigest(e.Name, steps)
	if p.approval = a.people.ofPlan(digest, a.apartFromPlan()); p.approval != nil {
		return p
	}
	p.digest = digest
	p.gate = &Gate{
		Name: gate.Approval, Reason: fmt.Sprintf("%s or its clusters changed what %d placements render to", e.File, len(steps)),
		Opens: a.people.approvalOfPlan(digest),
	}
	return p
}

// unapproved lists the steps of a change that no Approval on record covers.
func (c *change) unapproved() (steps []state.PlanStep) {
	for _, s := range state.PlanSteps(c.Proposal) {
		if !slices.Contains(c.Base.Promotion.Admitted, mark(s)) {
			steps = append(steps, s)
		}
	}
	return steps
}

// mark is the entry of an approved step in a record: the render key that it leads to, or the one that goes.
func mark(s state.PlanStep) string {
	if s.After == "" {
		return "-" + s.Before
	}
	return s.After
}

// covers reports whether an Approval covers the changes on these clusters, where they need one: it matches now, or is on record.
func (p *planned) covers(c *change, clusters []string) bool {
	if p.approval != nil || !p.required {
		return true
	}
	return !slices.ContainsFunc(c.unapproved(), func(s state.PlanStep) bool { return slices.Contains(clusters, s.Cluster) })
}

// readmits adds to Approvals that let failed bytes in again the one of the plan.
func (p *planned) readmits(approvals []*platform.Decision) []*platform.Decision {
	if p.approval == nil {
		return approvals
	}
	return append(approvals, p.approval)
}

// onRecord is the base, with the steps that a person approved: this admits the later steps when the Approval itself does not
// match any more.
func (p *planned) onRecord(c *change) *state.Release {
	if p.approval == nil || !p.required {
		return c.Base
	}
	return p.recordSteps(c.Base.Clone(), c)
}

// recordSteps adds to a record the steps of a change that a person approved.
func (p *planned) recordSteps(to *state.Release, c *change) *state.Release {
	if p.approval == nil || !p.required {
		return to
	}
	for _, s := range state.PlanSteps(c.Proposal) {
		to.Admit(mark(s))
	}
	return to
}

// A NamespaceAdmission says whether the namespaces of teams may change now.
type NamespaceAdmission struct {
	Open bool
	Gate Gate   // that is closed
	Plan string // the digest that waits for an Approval, if one does
}

// AdmitNamespaces says whether the namespaces of teams may change now, which they do when the environment or its components
// of namespaces do. They are nobody's release: only a gate of the environment as a whole keeps them. The digest names
// the change; where releases change with it, who approved the plan of these has approved the namespaces too.
func (a *Admission) AdmitNamespaces(digest string) NamespaceAdmission {
	f := a.decided.facts
	q := &question{subject: &subject{facts: f}}
	if f.needsApproval() && a.plan.approval == nil && f.people.ofPlan(digest, f.apartFromPlan()) == nil {
		q.plan = &Gate{Name: gate.Approval, Reason: "the namespaces of teams change", Opens: f.people.approvalOfPlan(digest)}
	}
	g := q.first(namespaces)
	switch {
	case g == nil:
		return NamespaceAdmission{Open: true}
	case g.Name == gate.Approval:
		return NamespaceAdmission{Gate: *g, Plan: digest}
	}
	return NamespaceAdmission{Gate: *g}
}

// admittedDepartures are the approved steps that a record remembers when a rollout is over: those of the clusters that the
// instance has yet to leave.
func admittedDepartures(r *state.Release) (admitted []string) {
	for _, placed := range r.Clusters {
		if m := mark(state.PlanStep{Before: placed.RenderKey}); slices.Contains(r.Promotion.Admitted, m) {
			admitted = append(admitted, m)
		}
	}
	slices.Sort(admitted)
	return admitted
}

// withoutSteps is a record without the approved steps of the clusters that are left now.
func withoutSteps(to, base *state.Release, leaving []string) *state.Release {
	for _, cluster := range leaving {
		to.Withdraw(mark(state.PlanStep{Before: base.Clusters[cluster].RenderKey}))
	}
	return to
}
