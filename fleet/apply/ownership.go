package apply

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/state"
)

// owns says whether the live object of a desired one is this instance's.
func (t *target) owns(d *desired) bool {
	if t.resumes(d) {
		return true
	}
	return t.ownedByInstance(d.object, d.live) && !t.ofAnotherOffering(d)
}

// ownedByTeam says whether the live object of a desired one of the namespace file is that of the team.
func (t *target) ownedByTeam(d *desired) bool {
	return d.live.belongs(Owner{Environment: t.in.Environment, Team: t.in.Team})
}

// ownedByInstance says whether an object is this instance's by its labels, or by its inventory where labels were removed.
func (t *target) ownedByInstance(o Object, l *live) bool {
	if l.labels.owner == t.in.Owner {
		return true
	}
	return t.inventory.listed[o] && l.belongs(t.in.Owner)
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

// isNobodys says whether the live object is no instance's, or a leftover of a request that is gone.
func (d *desired) isNobodys() bool { return d.wasKept || d.live.unclaimed() }

// foreign says whose an object is that is not the instance's. It may have data, so that it is never to be removed.
func foreign(d *desired, adoptable bool) string {
	remedy := "nothing of the instance is written; give one of the two another name"
	if adoptable {
		remedy += ", or take it over with adopt: true in the request"
	}
	if d.isNamespace() && d.isNobodys() {
		remedy = "nothing of the instance is written; use another name, or have it taken over by its name in spec.namespace.adopt of the environment"
	}
	owner := d.live.labels.owner
	switch {
	case d.wasKept:
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
		if e.Subresource != "" {
			continue
		}
		if first == nil {
			first = e
		} else if e.Time != nil && first.Time != nil && e.Time.Before(first.Time) {
			first = e
		}
	}
	if first == nil {
		return "someone"
	}
	return first.Manager
}

// adoptable says whether an object that exists may be taken over.
func (t *target) adoptable(d *desired, ofTeam bool) bool {
	return d.isNobodys() && t.mayAdopt(d, ofTeam)
}

// mayAdopt says whether an object may be taken over where one exists and is nobody's: one of the instance if its request says so,
// a Namespace only if the environment names it.
func (t *target) mayAdopt(d *desired, ofTeam bool) bool {
	if t.in.External {
		return false
	}
	named := d.isNamespace() && slices.Contains(t.in.AdoptNamespaces, d.object.Name)
	if d.isNamespace() && !named {
		return false
	}
	if ofTeam {
		return named
	}
	return t.in.Adopt
}

// ofAnotherOffering says whether the live object of a desired one, which has data, is a leftover of a request of the same name for another
// offering.
func (t *target) ofAnotherOffering(d *desired) bool {
	of := d.labels[state.LabelOffering]
	return d.precious() && !t.inventory.listed[d.object] && d.live.labels.owner == t.in.Owner && d.live.offering != "" && of != "" && d.live.offering != of
}

// resumes says whether the live object of a desired one was kept when this very request was removed.
func (t *target) resumes(d *desired) bool {
	k := d.live.kept
	return k != nil && !t.in.External && d.live.unclaimed() && k.owner == t.in.Owner && k.offering == d.labels[state.LabelOffering]
}
