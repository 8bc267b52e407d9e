package promotion

import (
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

	// The Holds, Pins and Overrides by their topic, as there may be very many of others, which nobody reads for each instance.
	holdsOf, pinsOf, overridesOf topics

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
		if d.Environment != v.Environment.Name {
			continue
		}
		switch {
		case d.Broken:
			over := func(t time.Time) bool { return !d.Until.IsZero() && !t.Before(d.Until) }
			if d.MayHold() && !v.Now.both(over) {
				p.holds = append(p.holds, heldBy(d))
			}
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
	p.holdsOf, p.pinsOf, p.overridesOf = byTopic(p.holds), byTopic(p.pins), byTopic(p.overrides)
	return p
}

// heldBy is the Hold of the environment that stands for a file with a Problem: whoever merged it may have wanted to stop something, and nobody
// can tell what. It ends where the file says when, and that can be read.
func heldBy(d *platform.Decision) *platform.Decision {
	return &platform.Decision{Kind: decision.Hold, Name: d.Name, File: d.File, Environment: d.Environment, Until: d.Until, Reason: "it has a Problem, and may be a Hold or a Pin; mend or delete it"}
}

// A topic is all that one Hold, Pin or Override is about: one of these, or the whole environment.
type topic struct {
	request                 platform.RequestKey
	offering, team, cluster string
}

func aboutRequest(k platform.RequestKey) topic { return topic{request: k} }

// topics are the places of decisions in their list, by topic.
type topics map[topic][]int

func byTopic(list []*platform.Decision) topics {
	all := make(topics, len(list))
	for at, d := range list {
		s := topic{offering: d.Offering, team: d.Team, cluster: d.Cluster}
		if d.Request != nil {
			s = aboutRequest(*d.Request)
		}
		all[s] = append(all[s], at)
	}
	return all
}

// first is the first decision about one of these to which something applies, or nil.
func (s topics) first(list []*platform.Decision, applies func(*platform.Decision) bool, about ...topic) *platform.Decision {
	best := len(list)
	for _, one := range about {
		for _, at := range s[one] {
			if at < best && applies(list[at]) {
				best = at
			}
			if at >= best {
				break
			}
		}
	}
	if best == len(list) {
		return nil
	}
	return list[best]
}

func always(*platform.Decision) bool { return true }

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
	for _, all := range []topics{p.pinsOf, p.overridesOf} {
		if len(all[aboutRequest(k)])+len(all[topic{offering: offering}]) > 0 {
			return true
		}
	}
	return false
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
	for _, kind := range []struct {
		list []*platform.Decision
		of   topics
	}{{p.pins, p.pinsOf}, {p.overrides, p.overridesOf}} {
		places := slices.Concat(kind.of[aboutRequest(k)], kind.of[topic{offering: offering}])
		slices.Sort(places)
		for _, at := range places {
			text := kind.list[at].File
			if reason := kind.list[at].Reason; reason != "" {
				text += ": " + reason
			}
			list = append(list, text)
		}
	}
	return list
}

// override returns the Override that lets a release past a gate, or nil.
func (p *people) override(name gate.Name, r ReleaseRef) *platform.Decision {
	skips := func(d *platform.Decision) bool { return slices.Contains(d.Skip, name) && means(d, r) }
	return p.overridesOf.first(p.overrides, skips, aboutRequest(r.Key), topic{offering: r.Offering})
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

// hold returns the first Hold of a request as a whole, or nil: of the environment, its team, its offering or itself. A Hold of
// a cluster holds that cluster's turn.
func (p *people) hold(k platform.RequestKey, offering string) *platform.Decision {
	return p.holdsOf.first(p.holds, always, topic{}, aboutRequest(k), topic{offering: offering}, topic{team: k.Team})
}

// holdOf returns the gate that keeps a cluster from a release, or nil.
func (p *people) holdOf(cluster string, r ReleaseRef) *Gate {
	d := p.holdsOf.first(p.holds, always, topic{cluster: cluster})
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
	if own := p.pinsOf.first(p.pins, always, aboutRequest(k)); own != nil {
		return own
	}
	return p.pinsOf.first(p.pins, always, topic{offering: offering})
}

// freeze returns the gate that keeps the bytes of a release when the environment changes, or nil: a Pin names the release.
func (p *people) freeze(r *state.Release) *Gate {
	d := p.pinsOf.first(p.pins, func(d *platform.Decision) bool { return exactly(d, refOf(r)) }, aboutRequest(r.Key))
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
