package apply

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/render/state"
)

// result puts together the Result of the visit.
func (p *visit) result() Result {
	if p.foreign != nil {
		return Result{Foreign: p.foreign, Health: state.Unknown, Message: p.foreign.String(), Settled: true, Took: time.Since(p.began)}
	}
	r := Result{
		Problems:  slices.Concat(p.problems, p.pruning.refused),
		Overtaken: p.overtaken, Withheld: p.unproven, Settled: len(p.pruning.waiting) == 0 && !p.overtaken,
	}
	for _, d := range p.all() {
		if d.obstacle != nil {
			d.status.Message += "; " + d.obstacle.advice(d.object)
			r.LookAfter = sooner(r.LookAfter, d.obstacle.due)
		}
		r.LookAfter = sooner(r.LookAfter, d.due)
		if d.change != nil {
			r.Changes = append(r.Changes, *d.change)
		}
		if d.fault != "" {
			r.Problems = append(r.Problems, Problem{Object: d.object, Message: d.fault})
		}
		if d.drift != "" {
			r.Drift = append(r.Drift, Problem{Object: d.object, Message: d.drift})
		}
		if d.adopts {
			r.Adopts++
		}
		if d.untried != "" {
			r.Untried = append(r.Untried, Problem{d.object, "could not be tried: " + d.untried})
		}
		r.Settled = r.Settled && !d.again
	}
	for _, d := range p.objects {
		if d.change == nil && d.live != nil && d.fault == "" {
			r.Unchanged++
		}
		r.Objects = append(r.Objects, d.status)
	}
	r.Changes = append(r.Changes, p.pruning.gone...)
	r.Resumes = p.resumedObjects()
	r.Added, r.Leaving = p.listAdded(), p.pruning.leaving
	r.Adoption, r.LetGo, r.Images = p.adoption, p.pruning.letGone(), images(p.objects)
	revision := state.ObservedAs(p.in.Revision, p.in.Anew)
	if p.in.Absent && len(p.inventory.listed) == 0 {
		revision = Removed
	}
	if revision != "" && p.inventory.checkpoint.Revision == revision {
		r.Checkpoint = p.inventory.checkpoint
	}
	r.Refusal, r.Told = p.refusal(), readTold(p.in, p.objects)
	p.summarize(&r)
	r.Took = time.Since(p.began)
	return r
}

// refusal is that of a visit that came to its end; nil where there is another reason to look again.
func (p *visit) refusal() *Refusal {
	r := &Refusal{}
	for _, d := range p.all() {
		switch {
		case d.refused != "":
			r.Objects = append(r.Objects, RefusedObject{d.object, d.refused, d.fault})
			r.Message = cmp.Or(r.Message, d.refusedFor)
		case d.again && !d.behind:
			return nil
		}
	}
	otherwise := p.overtaken || p.unproven != "" || p.adoption != nil || len(p.problems) > 0 || len(p.pruning.waiting) > 0
	if len(r.Objects) == 0 || otherwise {
		return nil
	}
	var causes []string
	for _, o := range r.Objects {
		causes = append(causes, o.Cause)
	}
	slices.Sort(causes)
	r.Cause = strings.Join(slices.Compact(causes), "\n")
	return r
}

// summarize says how the instance does as a whole, and names the object that is to blame.
func (p *visit) summarize(r *Result) {
	r.Health = state.Healthy
	for _, d := range p.all() {
		r.Stuck = r.Stuck || d.stuck
		if badness[d.status.Health] > badness[r.Health] {
			r.Health = d.status.Health
		}
	}
	r.Superseded = superseded(p.all())
	if remaining := p.remaining(); len(remaining) > 0 {
		r.Settled, r.Health = false, state.Progressing
		of, why := remaining[0], "waiting for its end"
		if len(r.Leaving) > 0 {
			of, why = r.Leaving[0].Object, r.Leaving[0].Message
		}
		r.setMessage(of, cmp.Or(p.pruning.laterStateMessage(), why))
	} else if d := worst(p.all()); d != nil && d == p.application.blocker {
		r.setMessage(d.object, d.status.Message+"; "+p.application.blocked)
	} else if d != nil {
		r.setMessage(d.object, d.status.Message)
	}
	if p.unproven != "" {
		r.Settled, r.Health, r.Object, r.Message = false, state.Unknown, "", p.unproven
	}
	if len(r.Problems) > 0 {
		r.Settled = false
		if r.Health != state.Failed {
			r.Health = state.Unknown
		}
	}
	if a := r.Adoption; a != nil {
		r.Settled, r.Health = false, state.Unknown
		r.setMessage(a.Effects[0].Object, a.message(p.in.Environment))
	}
	if r.Message != "" {
		return
	}
	switch {
	case len(r.Problems) > 0:
		r.setMessage(r.Problems[0].Object, r.Problems[0].Message)
	case p.pruning.laterStateMessage() != "":
		r.setMessage(p.pruning.waiting[0], p.pruning.laterStateMessage())
	case len(r.Drift) > 0:
		r.setMessage(r.Drift[0].Object, r.Drift[0].Message)
	case len(r.Leaving) > 0:
		r.setMessage(r.Leaving[0].Object, r.Leaving[0].Message)
	default:
		r.Message = adoptionMessage(r.Changes)
		if let := slices.DeleteFunc(slices.Clone(p.pruning.gone), func(c Change) bool { return c.Reason != staysAdopted }); r.Message == "" && len(let) > 0 {
			r.Message = letGoMessage(let)
		}
	}
}

// adoptionMessage says which objects a visit took over from whom, so that whoever follows the results has an event of it.
func adoptionMessage(changes []Change) string {
	var all []string
	for _, c := range changes {
		switch {
		case c.Action == Resumed:
			all = append(all, fmt.Sprintf("%s %s", c.Object, c.Reason))
		case c.Action == Adopted:
			all = append(all, fmt.Sprintf("adopted %s: %s", c.Object, c.Reason))
		case c.Action == Created && c.Reason != "":
			all = append(all, fmt.Sprintf("created %s: %s", c.Object, c.Reason))
		}
	}
	return strings.Join(all, "; ")
}

// setMessage sets the message, with the object that it is about, if it is about one.
func (r *Result) setMessage(of Object, message string) {
	r.Message = Problem{Object: of, Message: message}.String()
	if of != (Object{}) {
		r.Object = of.String()
	}
}

// remaining are the objects that an instance which shall be gone still has on the cluster.
func (p *visit) remaining() []Object {
	switch {
	case !p.in.Absent:
		return nil
	case !p.write:
		return p.pruning.orphans()
	}
	return p.pruning.waiting
}

var badness = map[state.Health]int{state.Suspended: 1, state.Progressing: 2, state.Unknown: 3, state.Failed: 4}

// worst is the object that ails most, nil if none does: one with a health that is bad for good before one that cannot
// start, that before all that may end by itself, and last those that only wait for others.
func worst(all []*desired) *desired {
	var found *desired
	rank := func(d *desired) int {
		switch {
		case d.postponed:
			return 1
		case d.stuck && d.status.Health != state.Failed:
			return 2*badness[state.Unknown] + 1
		}
		return 2 * badness[d.status.Health]
	}
	for _, d := range all {
		worse := found == nil || rank(d) > rank(found)
		if worse && rank(d) > 0 {
			found = d
		}
	}
	return found
}

// Add is the result with something more in its message.
func (r Result) Add(text string) Result {
	r.Message += text
	return r
}

// listAdded lists the additions to the objects of the instance itself.
func (p *visit) listAdded() (all []Added) {
	for _, d := range p.objects {
		if d.live == nil || d.fault != "" && !p.owns(d) {
			continue
		}
		for _, a := range p.added(d, d.live.added) {
			all = append(all, Added{Object: d.object, Field: a.field, Manager: a.manager, At: a.at, Goes: d.goes(a), Agent: a.agent})
		}
	}
	return all
}

// resumedObjects are the objects that the instance takes back.
func (p *visit) resumedObjects() (all []Problem) {
	for _, d := range p.objects {
		if d.live != nil && d.fault == "" && p.resumes(d) {
			all = append(all, Problem{d.object, d.live.kept.resumes()})
		}
	}
	slices.SortFunc(all, func(a, b Problem) int { return strings.Compare(a.Object.line(), b.Object.line()) })
	return all
}

// Clean replaces the texts of a result that may come from outside, such as the messages of pods, API servers and webhooks.
func (r *Result) Clean(text func(string) string) {
	r.Message, r.Withheld = text(r.Message), text(r.Withheld)
	for i := range r.Objects {
		r.Objects[i].Message = text(r.Objects[i].Message)
	}
	for i := range r.Problems {
		r.Problems[i].Message = text(r.Problems[i].Message)
	}
	for i := range r.Untried {
		r.Untried[i].Message = text(r.Untried[i].Message)
	}
	if a := r.Adoption; a != nil {
		for i := range a.Effects {
			for n := range a.Effects[i].Fields {
				a.Effects[i].Fields[n] = text(a.Effects[i].Fields[n])
			}
		}
	}
	for i := range r.Images {
		r.Images[i] = text(r.Images[i])
	}
	for i := range r.Drift {
		r.Drift[i].Message = text(r.Drift[i].Message)
	}
	for i := range r.Added {
		r.Added[i].Field, r.Added[i].Manager = text(r.Added[i].Field), text(r.Added[i].Manager)
	}
	for i := range r.Leaving {
		r.Leaving[i].Message = text(r.Leaving[i].Message)
	}
	for i := range r.Changes {
		r.Changes[i].Reason = text(r.Changes[i].Reason)
	}
}
