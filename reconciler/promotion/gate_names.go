package promotion

import "slices"

// A named is what all gates of a name have in common, for whoever tells people of gates that are closed.
type named struct {
	name      string
	opens     opener
	override  bool // an Override may skip it
	approvals bool // an Approval of the release opens it
}

// An opener is the way in which a closed gate opens.
type opener int

const (
	byItself  opener = iota // time or another request opens it
	asAStep                 // all changes take it: health, time or the Approval that the environment asks for anyway
	byRelease               // nothing but a decision, or another release, opens it: the instance stays as it is until then
	atTheEnd                // it keeps the clusters that the instance leaves last, and nothing else
)

// names are all names of gates. Overrides name those that they may skip in this order.
var names = []named{
	{name: "problem", opens: asAStep},
	{name: "binding", opens: byItself},
	{name: "health", opens: asAStep},
	{name: "soak", opens: asAStep, override: true},
	{name: "approval", opens: asAStep, override: true, approvals: true}, // of a removal: byRelease
	{name: "window", opens: byItself, override: true},
	{name: "hold", opens: byRelease, override: true},
	{name: "leave", opens: atTheEnd, override: true},
	{name: "pin", opens: byRelease},
	{name: "rejected", opens: byRelease, approvals: true},
	{name: "rollout", opens: byRelease},
	{name: "deletions", opens: byRelease},
}

func nameOf(gate string) named {
	if i := slices.IndexFunc(names, func(n named) bool { return n.name == gate }); i >= 0 {
		return names[i]
	}
	return named{name: gate}
}

// Skippable lists the gates that an Override may skip.
func Skippable() (list []string) {
	for _, n := range names {
		if n.override {
			list = append(list, n.name)
		}
	}
	return list
}

// ApprovalOpens reports whether an Approval of a release opens a gate that is closed for it.
func ApprovalOpens(gate string) bool { return nameOf(gate).approvals }

// opens is the way in which a gate opens that is closed for the instance.
func (s *Standing) opens(g Gate) opener {
	if s.Removal && g.Name == "approval" {
		return byRelease
	}
	return nameOf(g.Name).opens
}

// IsStep reports whether a gate that is closed is a step that all changes of the environment take.
func (s *Standing) IsStep(g Gate) bool { return s.opens(g) == asAStep }

// Keeps reports whether a gate keeps the instance, or a placement of it, as it is until more happens than that time passes.
func (s *Standing) Keeps(g Gate) bool {
	o := s.opens(g)
	return o == byRelease || o == atTheEnd
}

// Kept reports whether the instance stays as it is until a person or another release lets it go on.
func (s *Standing) Kept() bool {
	return s != nil && slices.ContainsFunc(s.Gates, func(g Gate) bool { return s.opens(g) == byRelease })
}
