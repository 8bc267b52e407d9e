package apply

import (
	"context"
	"fmt"
	"slices"

	"transom.dev/render/state"
)

// application writes the desired objects, step by step and kind by kind, and no further than to one that the next has to wait for.
type application struct {
	*target
	writer writer
	health assessment

	blocker *desired // the object that those of a later step wait for; nil: none do
	blocked string   // which step it keeps from being applied
}

// prepare makes ready the team's namespace, which the instance's objects need, and the inventory, which lists an object
// before it is created.
func (a *application) prepare(ctx context.Context) error {
	if err := a.prepareNamespace(ctx); err != nil {
		return err
	}
	if hindered(a.teamObjects) != "" {
		return nil
	}
	return a.listDesired(ctx)
}

// listDesired has the inventory list all that is desired.
func (a *application) listDesired(ctx context.Context) error {
	if !slices.ContainsFunc(a.objects, a.unrecorded) {
		return nil
	}
	return a.inventory.record(ctx, func(inv *inventory) {
		inv.admitted = map[Object]string{}
		for _, d := range a.objects {
			inv.objects[d.object] = true
			delete(inv.released, d.object)
			if d.effect != nil {
				inv.admitted[d.object] = d.admits()
			}
			if d.adopts {
				inv.adopted[d.object] = true
			} else if d.live == nil {
				delete(inv.adopted, d.object) // it is made by nobody but us
			}
		}
	})
}

// unrecorded says whether the inventory must be written before an object is.
func (a *application) unrecorded(d *desired) bool {
	adopted := a.inventory.adopted[d.object]
	switch {
	case !a.inventory.listed[d.object], d.adopts && !adopted:
		return true
	case d.effect != nil && a.inventory.admitted[d.object] != d.admits():
		return true
	}
	remade := d.kind != nil && d.live == nil
	return remade && adopted
}

// prepareNamespace applies the namespace file. The team's instances come here at the same time; one of them writes.
func (a *application) prepareNamespace(ctx context.Context) error {
	if !slices.ContainsFunc(a.teamObjects, a.unfinished) {
		return nil
	}
	if err := mayRequest(ctx); err != nil {
		return err
	}
	defer a.cluster.namespaces.lock(ctx, a.in.Namespace)()
	for _, d := range a.teamObjects {
		if d.watch != nil {
			if seen := d.watch.get(d.object); seen != nil {
				d.live = seen
				d.adopts = d.adopts && !a.ownedByTeam(d) // another instance may have taken it over
			}
		}
	}
	return a.applyInOrder(ctx, a.teamObjects)
}

// unfinished says whether a write of an object is needed.
func (a *application) unfinished(d *desired) bool {
	needed, _ := a.writer.needsWrite(d)
	return needed || len(missingKeys(d)) > 0
}

// apply writes the objects that need it.
func (a *application) apply(ctx context.Context) error {
	if cause := hindered(a.teamObjects); cause != "" {
		postpone(a.objects, cause)
		return nil
	}
	return a.applyByStep(ctx)
}

// applyInOrder goes from phase to phase, and no further once something stands in the way of the next.
func (a *application) applyInOrder(ctx context.Context, all []*desired) error {
	sets := phases(all)
	for i, set := range sets {
		if err := each(ctx, set, a.writer.writeIfNeeded); err != nil {
			return err
		}
		if cause := hindered(set); cause != "" {
			postpone(slices.Concat(sets[i+1:]...), cause)
			return nil
		}
	}
	return nil
}

// hindered names the object of a phase that stands in the way of the next: one that was refused, is being deleted, or is
// a CRD that the cluster does not serve yet.
func hindered(set []*desired) string {
	for _, d := range set {
		switch {
		case d.fault != "":
			return d.object.String()
		case d.object.Kind == "CustomResourceDefinition" && d.live != nil:
			if !d.live.seen() || d.live.byStatus.health != state.Healthy {
				return d.object.String()
			}
		case d.kind != nil && d.isAbsent():
			return d.object.String()
		}
	}
	return ""
}

// postpone leaves objects for a later visit.
func postpone(all []*desired, cause string) {
	for _, d := range all {
		if d.fault == "" && !d.isAtRevision() {
			d.again, d.behind = true, true
			d.status = ObjectStatus{Object: d.object, Health: state.Progressing, Message: fmt.Sprintf("waiting for %s", cause)}
		}
	}
}
