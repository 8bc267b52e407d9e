package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// people are the decisions of people that are in force in the environment, by kind, each sorted by file.
type people struct {
	approvals, holds, pins, overrides []*platform.Decision

	// The Approvals by the request that they name, and those that name none, as indexes of approvals. They are made when first needed.
	ofRequest map[platform.RequestKey][]int
	ofNone    []int

	environment string
	clock       Clock
	merged      func(file string) (commit, author string) // nil: nobody knows
}

func newPeople(v *View) *people {
	p := &people{environment: v.Environment.Name, clock: v.Now, merged: v.Merged}
	for _, d := range v.Platform.Decisions {
		if d.Environment != v.Environment.Name || d.Broken {
			continue
		}
		switch {
		case d.Kind == decision.Approval:
			p.approvals = append(p.approvals, d)
		case d.Kind == decision.Hold && v.Now.either(during(d)):
			p.holds = append(p.holds, d)
		case d.Kind == decision.Pin && v.Now.either(during(d)):
			p.pins = append(p.pins, d)
		case d.Kind == decision.Override && inForce(d, v.Now):
			p.overrides = append(p.overrides, d)
		}
	}
	for _, list := range [][]*platform.Decision{p.approvals, p.holds, p.pins, p.overrides} {
		slices.SortFunc(list, func(a, b *platform.Decision) int { return strings.Compare(a.File, b.File) })
	}
	return p
}

// during is the time for which a decision says that it is in force.
func during(d *platform.Decision) func(time.Time) bool {
	return func(t time.Time) bool {
		ended := !d.Until.IsZero() && !t.Before(d.Until)
		return !t.Before(d.From) && !ended
	}
}

// inForce reports whether a decision that opens something is in force, whichever clock is right.
func inForce(d *platform.Decision, now Clock) bool { return now.both(during(d)) }

// concern reports whether a Pin or an Override is about a request.
func (p *people) concern(k platform.RequestKey, offering string) bool {
	about := func(d *platform.Decision) bool { return about(d, k, offering) }
	return slices.ContainsFunc(p.pins, about) || slices.ContainsFunc(p.overrides, about)
}

// about reports whether a decision names a request, or the offering that it has.
func about(d *platform.Decision, k platform.RequestKey, offering string) bool {
	if d.Request != nil {
		return *d.Request == k
	}
	return d.Offering != "" && d.Offering == offering
}

// means reports whether a decision is about this release of a request: where it names a release or a version, that one.
func means(d *platform.Decision, r ReleaseRef) bool {
	named := func(name, is string) bool { return name == "" || name == is }
	return about(d, r.Key, r.Offering) && named(d.Release, r.Digest) && named(d.Version, r.Version)
}

// debts lists the pins and overrides in force for an instance: both are debt until they are removed.
func (p *people) debts(k platform.RequestKey, offering string) (list []string) {
	for _, kind := range [][]*platform.Decision{p.pins, p.overrides} {
		for _, d := range kind {
			switch {
			case !about(d, k, offering):
			case d.Reason == "":
				list = append(list, d.File)
			default:
				list = append(list, d.File+": "+d.Reason)
			}
		}
	}
	return list
}

// override returns the Override that lets a release past a gate, or nil.
func (p *people) override(name gate.Name, r ReleaseRef) *platform.Decision {
	return first(p.overrides, func(d *platform.Decision) bool { return slices.Contains(d.Skip, name) && means(d, r) })
}

// first is the first decision of a list to which something applies, or nil.
func first(list []*platform.Decision, applies func(*platform.Decision) bool) *platform.Decision {
	if i := slices.IndexFunc(list, applies); i >= 0 {
		return list[i]
	}
	return nil
}

// passed is the record of a gate that a decision opened.
func (p *people) passed(name gate.Name, d *platform.Decision) state.PassedGate {
	g := state.PassedGate{Gate: name, Decision: d.File}
	if p.merged != nil {
		g.Commit, g.Author = p.merged(d.File)
	}
	return g
}

// whole reports whether a Hold is of the environment as a whole.
func whole(d *platform.Decision) bool {
	return d.Request == nil && cmp.Or(d.Team, d.Offering, d.Cluster) == ""
}

// hold returns the first Hold of a request as a whole, or nil: of the environment, its team, its offering or itself. A Hold of
// a cluster holds that cluster's turn.
func (p *people) hold(k platform.RequestKey, offering string) *platform.Decision {
	return first(p.holds, func(d *platform.Decision) bool {
		ofTeam := d.Team != "" && d.Team == k.Team
		return whole(d) || about(d, k, offering) || ofTeam
	})
}

// holdOf returns the gate that keeps a cluster from a release, or nil.
func (p *people) holdOf(cluster string, r ReleaseRef) *Gate {
	d := first(p.holds, func(d *platform.Decision) bool { return d.Cluster == cluster })
	if d == nil || p.override(gate.Hold, r) != nil {
		return nil
	}
	return p.held(d)
}

// held is the gate of a Hold.
func (p *people) held(d *platform.Decision) *Gate {
	g := &Gate{Name: gate.Hold, Reason: "held by " + d.File, Since: d.From, Opens: "whoever removes " + d.File, At: p.clock.past(d.Until)}
	if d.Reason != "" {
		g.Reason += ": " + d.Reason
	}
	if !d.Until.IsZero() {
		g.Opens += ", or its end at " + d.Until.Format(time.RFC3339)
	}
	return g
}

// pinOf returns the Pin that decides which release an instance runs, or nil: one of the request before one of its offering.
func (p *people) pinOf(k platform.RequestKey, offering string) *platform.Decision {
	ofRequest := first(p.pins, func(d *platform.Decision) bool { return d.Request != nil && *d.Request == k })
	if ofRequest != nil {
		return ofRequest
	}
	return first(p.pins, func(d *platform.Decision) bool { return about(d, k, offering) })
}

// freeze returns the gate that keeps the bytes of a release when the environment changes, or nil: a Pin names the release.
func (p *people) freeze(r *state.Release) *Gate {
	d := first(p.pins, func(d *platform.Decision) bool { return exactly(d, refOf(r)) })
	if d == nil {
		return nil
	}
	return &Gate{Name: gate.Pin, Reason: "pinned by " + d.File + ": what runs stays as it is", Opens: "whoever removes " + d.File}
}

// approvalOf is the text of the Approval of exactly a release.
func (p *people) approvalOf(r ReleaseRef) string {
	return fmt.Sprintf("an Approval in decisions/%s of {request: %s, release: %s}", p.environment, r.Key, r.Digest)
}

// approvalOfPlan is the text of the Approval of a change of the environment.
func (p *people) approvalOfPlan(digest string) string {
	return fmt.Sprintf("an Approval in decisions/%s of {plan: %s}", p.environment, digest)
}
