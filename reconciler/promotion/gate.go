package promotion

import (
	"slices"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Gate is a gate that is closed: why something waits.
type Gate struct {
	Name   gate.Name
	Reason string    // the condition that is unmet
	Since  time.Time // zero: not known from records
	Opens  string    // the person or the event that opens it
	At     time.Time // when it opens by itself if nothing else changes; zero: it does not
}

// A kind is a kind of change that gates are asked about. Kinds are bits, so that a row of the table can name several.
type kind uint

const (
	rendering  kind = 1 << iota // that a release can be rendered here at all
	entry                       // of a release by itself
	removal                     // of a release that the head does not ask for any more
	pinning                     // the entry of a release that a Pin names and that was never healthy here
	progress                    // of a rollout to its next clusters, and of a release to clusters that joined
	renewal                     // of the bytes of a release that stays, because the environment changed
	departing                   // of an instance from clusters, while it stays on others with the bytes that it has
	namespaces                  // a change of the namespaces of teams, which are no release's
	leaving                     // of an instance from clusters that it is to leave last

	anything = entry | removal | pinning | progress | renewal | departing | namespaces
)

// A row of the table is a gate: a condition that some kinds of change have to meet.
type row struct {
	name  gate.Name // as decisions and records name it
	of    kind
	skip  skipping
	final bool // while it is closed no later gate is asked

	// closed returns the gates that are closed. It adds to the question the decisions and proofs that opened them.
	closed func(q *question) []Gate
}

// skipping says whether an Override may skip a gate.
type skipping int

const (
	never  skipping = iota
	opens           // an Override that names the gate opens it where it is closed
	itself          // the gate looks for the Override itself: it asks for less then, or it may not be skipped in each case
)

// gates is the table of all gates, in the order in which people are told of them. A change whose gates are open does not reach
// all clusters at once: the turn of a wave (wave.go), the free slots of a group (group.go) and the clusters that an instance
// leaves last (departure.go) are for the changes that may begin.
var gates = []row{
	{name: gate.Problem, of: rendering, final: true, closed: unresolved},
	{name: gate.Problem, of: rendering, final: true, closed: ofWithdrawnVersion},
	{name: gate.Binding, of: rendering, final: true, closed: withoutProvider},
	{name: gate.Problem, of: rendering | pinning, final: true, closed: unrenderable},

	{name: gate.Pin, of: renewal, closed: frozen},
	{name: gate.Soak, of: entry, skip: itself, closed: unprovenEntry},
	{name: gate.Soak, of: removal, skip: itself, closed: unprovenRemoval},
	{name: gate.Soak, of: entry, skip: itself, closed: soakingForOthers},
	{name: gate.Rejected, of: entry, closed: rejected},
	{name: gate.Rejected, of: pinning, final: true, closed: rejected},
	{name: gate.Rollout, of: entry, closed: ofStoppedGroup},
	{name: gate.Approval, of: entry, skip: itself, closed: unapprovedEntry},
	{name: gate.Approval, of: removal, skip: itself, closed: unapprovedRemoval},
	{name: gate.Hold, of: anything, skip: opens, closed: held},
	{name: gate.Hold, of: removal, closed: heldOnClusters},
	{name: gate.Window, of: anything, skip: opens, closed: outsideWindows},
	{name: gate.Check, of: entry, skip: itself, closed: unpassed},
	{name: gate.Approval, of: progress | renewal | departing | namespaces, skip: opens, closed: ofUnapprovedPlan},
	{name: gate.Rejected, of: progress | renewal, closed: rejected},
	{name: gate.Rollout, of: entry, closed: nowhereToBegin},
	{name: gate.Binding, of: removal, closed: boundTo},
	{name: gate.Leave, of: leaving, skip: itself, closed: beforeTheOthers},
}

// A named is the part that all gates of a name have in common, for whoever tells people of gates that are closed.
type named struct {
	name      gate.Name
	opens     opener
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

// names are all gates, by their names.
var names = []named{
	{name: gate.Problem, opens: asAStep},
	{name: gate.Binding, opens: byItself},
	{name: gate.Health, opens: asAStep},
	{name: gate.Soak, opens: asAStep},
	{name: gate.Approval, opens: asAStep, approvals: true}, // of a removal: byRelease
	{name: gate.Window, opens: byItself},
	{name: gate.Check, opens: asAStep},
	{name: gate.Hold, opens: byRelease},
	{name: gate.Leave, opens: atTheEnd},
	{name: gate.Pin, opens: byRelease},
	{name: gate.Rejected, opens: byRelease, approvals: true},
	{name: gate.Rollout, opens: byRelease},
	{name: gate.Deletions, opens: byRelease},
}

// A question is a change that gates are asked about. The fields that a kind of change does not have are empty.
type question struct {
	*subject            // whose change it is, and its record before
	to       ReleaseRef // the release that is to run, or the removal
	spec     *platform.RequestSpec
	instance *platform.Instance
	problems []platform.Problem   // why there is no instance
	keys     map[string]string    // the render keys that come, by cluster
	counts   counting             // which Approvals do
	readmits []*platform.Decision // that let bytes in again which failed
	groups   *groups              // with whom it enters
	group    string
	within   bool  // it is in that group already
	plan     *Gate // nil: the changes of the environment are approved, or need no approval
	leaves   *departure
	urgent   bool // nothing changes but values of observed outputs that are urgent

	answer
}

// An answer is what gates say of a question.
type answer struct {
	closed []Gate
	passed []state.PassedGate // with the figures or the decisions that opened them
	from   []string           // environments that proved it

	row *row // that is being asked
}

// ask asks the gates of a kind of change.
func (q *question) ask(of kind) {
	for i := range gates {
		q.row = &gates[i]
		if q.row.of&of == 0 {
			continue
		}
		closed := q.row.closed(q)
		if len(closed) > 0 && q.row.skip == opens && q.skips() {
			continue
		}
		if q.closed = append(q.closed, closed...); len(closed) > 0 && q.row.final {
			return
		}
	}
}

// first is the first gate that is closed for a kind of change, or nil.
func (q *question) first(of kind) *Gate {
	if q.ask(of); len(q.closed) == 0 {
		return nil
	}
	return &q.closed[0]
}

// skips reports whether an Override lets the change past the gate that is being asked.
func (q *question) skips() bool {
	d := q.people.override(q.row.name, q.to)
	if d == nil || q.row.skip == never {
		return false
	}
	q.passed = append(q.passed, q.people.passed(q.row.name, d))
	return true
}

// soak is for how long this environment asks a release to be healthy in the environments before it.
func (q *question) soak() time.Duration {
	soak := q.Environment.Gates.Soak
	if soak > 0 && q.skips() {
		return 0
	}
	return soak
}

// one is the list of a gate, if it is closed.
func one(g *Gate) []Gate {
	if g == nil {
		return nil
	}
	return []Gate{*g}
}

func nameOf(name gate.Name) named {
	if i := slices.IndexFunc(names, func(n named) bool { return n.name == name }); i >= 0 {
		return names[i]
	}
	return named{name: name}
}

// ApprovalOpens reports whether an Approval of a release opens a gate that is closed for it.
func ApprovalOpens(name gate.Name) bool { return nameOf(name).approvals }

// opens is the way in which a gate opens that is closed for the instance.
func (s *Standing) opens(g Gate) opener {
	if s.Removal && g.Name == gate.Approval {
		return byRelease
	}
	return nameOf(g.Name).opens
}

// IsStep reports whether a gate that is closed is a step that all changes of the environment take.
func (s *Standing) IsStep(g Gate) bool { return s.opens(g) == asAStep }

// Keeps reports whether a gate keeps the instance, or a placement of it, as it is until more happens than that time goes by.
func (s *Standing) Keeps(g Gate) bool {
	o := s.opens(g)
	return o == byRelease || o == atTheEnd
}

// Kept reports whether the instance stays as it is until a person or another release lets it go on.
func (s *Standing) Kept() bool {
	return s != nil && slices.ContainsFunc(s.Gates, func(g Gate) bool { return s.opens(g) == byRelease })
}
