package platform

import (
	"slices"
	"strings"

	"transom.dev/render/event"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// Notification says who is told of which events. The target's address is the operator's, and in no repository.
type Notification struct {
	Name         string
	File         string
	Target       string
	Events       []event.Kind // none: of all kinds
	Teams        []string     // none: of all teams, and of events without one
	Environments []string     // none: in all, and of events without one

	Broken bool
}

type notificationSpec struct {
	Target       string `decode:"required"`
	Events       []string
	Teams        []string
	Environments []string
}

// decodeNotification reads notifications/<name>.yaml.
func decodeNotification(d *document, name string) *Notification {
	n := &Notification{Name: name, File: d.path}
	if o, ok := read[notificationSpec](d, "Notification", name); ok {
		n.Target, n.Teams, n.Environments = o.Spec.Target, o.Spec.Teams, o.Spec.Environments
		if strings.Contains(n.Target, "://") {
			d.problem("spec.target", "value", "is the name of a target in the operator's file, which has its address; an address with its secret is never kept in Git")
		}
		long := d.tooLong("spec.events", len(o.Spec.Events))
		long = d.tooLong("spec.teams", len(n.Teams)) || long
		if long = d.tooLong("spec.environments", len(n.Environments)) || long; long {
			o.Spec.Events, n.Teams, n.Environments = nil, nil, nil // it tells nothing
		}
		for i, e := range o.Spec.Events {
			n.Events = append(n.Events, event.Kind(e))
			checkEvent(d, fieldpath.Index("spec.events", i), e)
		}
	}
	d.checkName(name, maxLabel)
	n.Broken = d.broken()
	return n
}

func checkEvent(d *document, field, kind string) {
	kinds := wording.Strings(event.Kinds())
	if !slices.Contains(kinds, kind) {
		d.problem(field, "value", "must be one of %s, not %q%s", wording.List(kinds), wording.Shorten(kind), wording.Suggest(kind, kinds))
	}
}

// Tells says whether events of a kind are told. A Broken one tells nothing.
func (n *Notification) Tells(kind event.Kind) bool {
	asked := len(n.Events) == 0 || slices.Contains(n.Events, kind)
	return asked && !n.Broken
}

// Concerns says whether it is about a team's requests, or about events without a team, in one of the environments, or in none.
func (n *Notification) Concerns(team string, environments ...string) bool {
	if len(n.Teams) > 0 && !slices.Contains(n.Teams, team) {
		return false
	}
	here := func(environment string) bool { return slices.Contains(n.Environments, environment) }
	return len(n.Environments) == 0 || slices.ContainsFunc(environments, here)
}
