package apply

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// owns says whether the live object of a desired one is this instance's.
func (p *pass) owns(d *desired) bool {
	return p.holds(d.object, d.live) && !p.another(d) || p.takesBack(d)
}

// ownsAround says whether the live object of one around the namespace is that of the team.
func (p *pass) ownsAround(d *desired) bool {
	return d.live.belongs(Owner{Environment: p.in.Environment, Team: p.in.Team})
}

func (p *pass) holds(o Object, l *live) bool {
	return l.labels.owner == p.in.Owner || (p.listed[o] && l.belongs(p.in.Owner))
}

// belongs says whether an object is an owner's: its labels say so, or we applied it and somebody removed labels since
// without naming another owner.
func (l *live) belongs(o Owner) bool {
	have := l.labels.owner
	if have == o {
		return true
	}
	either := func(label, want string) bool { return label == "" || label == want }
	return l.fields != 0 && either(have.Environment, o.Environment) && either(have.Team, o.Team) &&
		either(have.Request, o.Request)
}

// unclaimed says whether an object is no instance's, of this or any other Transom: no label of ours is on it, and nothing
// of it was ever applied under our name, whoever removed the labels since.
func (l *live) unclaimed() bool { return l.labels == (labelSet{}) && l.fields == 0 }

// foreign says whose an object is that is not the instance's. It may hold data, so that it is never to be removed.
func foreign(d *desired, adoptable bool) string {
	remedy := "nothing of the instance is written; give one of the two another name"
	if adoptable {
		remedy += ", or take it over with adopt: true in the request"
	}
	if d.isNamespace() && (d.live.unclaimed() || d.left) {
		remedy = "nothing of the instance is written; use another name, or have it taken over by its name in spec.namespace.adopt of the environment"
	}
	owner := d.live.labels.owner
	switch {
	case d.left:
		return fmt.Sprintf("it was kept when %s of team %s was removed from environment %s: %s", owner.Request, owner.Team, owner.Environment, remedy)
	case d.live.kept != nil && d.live.unclaimed():
		return fmt.Sprintf("it was kept when a request was removed, %s: %s", d.live.kept, remedy)
	case d.live.labels.managed && owner.Request != "":
		return fmt.Sprintf("it belongs to %s of team %s in environment %s: %s",
			owner.Request, owner.Team, owner.Environment, remedy)
	case d.live.labels.managed && owner.Team != "":
		return fmt.Sprintf("it belongs to the namespace of team %s in environment %s: %s",
			owner.Team, owner.Environment, remedy)
	}
	return fmt.Sprintf("it exists and is not Transom's; it was made by %s: %s", maker(d.live.entries), remedy)
}

// maker is the manager that wrote an object first.
func maker(entries []metav1.ManagedFieldsEntry) string {
	var first *metav1.ManagedFieldsEntry
	for i := range entries {
		e := &entries[i]
		if e.Subresource == "" && (first == nil || (e.Time != nil && first.Time != nil && e.Time.Before(first.Time))) {
			first = e
		}
	}
	if first == nil {
		return "someone"
	}
	return first.Manager
}
