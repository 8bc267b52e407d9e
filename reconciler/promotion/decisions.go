package promotion

import (
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// decisions are those of people that are in force in the environment, by kind, each sorted by file.
type decisions struct {
	approvals, holds, pins, overrides []*platform.Decision

	edges []time.Time // when one ends that is in force and moves something by ending
}

func (v *View) decide() (d decisions) {
	for _, c := range v.Platform.Decisions {
		if c.Environment != v.Environment.Name || c.Broken {
			continue
		}
		switch {
		case c.Kind == "Approval":
			d.approvals = append(d.approvals, c)
		case c.Kind == "Hold" && v.Now.either(during(c)):
			d.holds = append(d.holds, c)
		case c.Kind == "Pin" && v.Now.either(during(c)):
			d.pins = append(d.pins, c)
			d.edges = append(d.edges, v.Now.past(c.Until))
		case c.Kind == "Override" && v.inForce(c):
			d.overrides = append(d.overrides, c)
		}
	}
	for _, list := range [][]*platform.Decision{d.approvals, d.holds, d.pins, d.overrides} {
		slices.SortFunc(list, func(a, b *platform.Decision) int { return strings.Compare(a.File, b.File) })
	}
	return d
}

// during is the time for which a decision says that it is in force.
func during(c *platform.Decision) func(time.Time) bool {
	return func(t time.Time) bool { return !t.Before(c.From) && (c.Until.IsZero() || t.Before(c.Until)) }
}

// inForce reports whether a decision that opens something is in force, whichever clock is right.
func (v *View) inForce(c *platform.Decision) bool { return v.Now.both(during(c)) }

// concern reports whether a pin or an override is about a request.
func (d decisions) concern(k platform.RequestKey, offering string) bool {
	about := func(c *platform.Decision) bool { return about(c, k, offering) }
	return slices.ContainsFunc(d.pins, about) || slices.ContainsFunc(d.overrides, about)
}

// about reports whether a decision names a request, or the offering that it has.
func about(c *platform.Decision, k platform.RequestKey, offering string) bool {
	if c.Request != nil {
		return *c.Request == k
	}
	return c.Offering != "" && c.Offering == offering
}

// means reports whether a decision is about this content of a request: where it names a release or a version, that one.
func means(c *platform.Decision, k platform.RequestKey, digest, offering, version string) bool {
	return about(c, k, offering) && (c.Release == "" || c.Release == digest) && (c.Version == "" || c.Version == version)
}

// noteDebts lists the pins and overrides in force for an instance: both are debt until they are removed.
func (p *Pass) noteDebts(s *subject) {
	if len(p.decisions.pins)+len(p.decisions.overrides) == 0 {
		return
	}
	offering := s.offering()
	for _, list := range [][]*platform.Decision{p.decisions.pins, p.decisions.overrides} {
		for _, c := range list {
			if about(c, s.key, offering) {
				standing := p.standing(s.key)
				standing.Debts = append(standing.Debts, debt(c))
			}
		}
	}
}

// debt names a decision that is to be removed one day, and why it was made.
func debt(c *platform.Decision) string {
	if c.Reason == "" {
		return c.File
	}
	return c.File + ": " + c.Reason
}

// offering is that of the release that runs, or else of the instance at the head.
func (s *subject) offering() string {
	switch {
	case s.base != nil:
		return s.base.Offering
	case s.head != nil:
		return s.head.Offering.Name
	}
	return ""
}

// overridden returns the Override that lets a content past a gate, or nil.
func (p *Pass) overridden(gate string, k platform.RequestKey, digest, offering, version string) *platform.Decision {
	for _, c := range p.decisions.overrides {
		if slices.Contains(c.Skip, gate) && means(c, k, digest, offering, version) {
			return c
		}
	}
	return nil
}

// by is the record of a gate that a decision opened.
func (p *Pass) by(gate string, c *platform.Decision) platform.ReleaseGate {
	g := platform.ReleaseGate{Gate: gate, Decision: c.File}
	if p.view.Merged != nil {
		g.Commit, g.Author = p.view.Merged(c.File)
	}
	return g
}
