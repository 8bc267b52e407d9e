package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"transom.dev/render/state"
)

// readOrder reads how an object is to be applied, pruned and replaced, and says why that cannot be obeyed.
func (m *manifest) readOrder(owner Owner) (fault string) {
	for _, name := range []string{state.AnnotationStep, state.AnnotationPruneOrder, state.AnnotationReplace} {
		value, ok := m.annotated(name)
		switch {
		case !ok:
		case owner.Request == "":
			return name + " is for the objects of an instance, and this is none's; remove the annotation"
		case name == state.AnnotationPruneOrder && value != state.PruneFirst:
			return fmt.Sprintf("%s: %q is not known; write %q, or remove the annotation", name, value, state.PruneFirst)
		case name == state.AnnotationReplace && value != "true":
			return fmt.Sprintf("%s: %q is not known; write \"true\", or remove the annotation", name, value)
		case name == state.AnnotationStep:
			var err error
			if m.step, err = strconv.Atoi(value); err != nil {
				return fmt.Sprintf("%s: %q is no integer; write one, such as \"1\"", name, value)
			}
		}
	}
	return ""
}

// step is a group of objects that are applied before those of a later step.
type step struct {
	number  int
	objects []*desired
}

// steps groups objects by their step, in order. The kinds that make up the cluster's API itself come with the first, unless
// they are annotated otherwise.
func steps(all []*desired) []step {
	byNumber := map[int][]*desired{}
	var ground []*desired
	for _, d := range all {
		if _, annotated := d.annotated(state.AnnotationStep); !annotated && phaseOf(d) == 0 {
			ground = append(ground, d)
			continue
		}
		byNumber[d.step] = append(byNumber[d.step], d)
	}
	if len(byNumber) == 0 {
		return []step{{objects: ground}}
	}
	var found []step
	for _, number := range slices.Sorted(maps.Keys(byNumber)) {
		found = append(found, step{number, byNumber[number]})
	}
	found[0].objects = append(ground, found[0].objects...)
	return found
}

// applyByStep goes from step to step, and no further than to one that is not healthy. Objects of later steps that are at
// their desired revision stay so all the same. Everything that a step waits for is seen by a watch, whose event brings the
// visit that goes on, so that waiting costs nothing.
func (a *application) applyByStep(ctx context.Context) error {
	all := steps(a.objects)
	for i, s := range all {
		if err := a.applyInOrder(ctx, s.objects); err != nil {
			return err
		}
		if i == len(all)-1 {
			return nil
		}
		ailing, err := a.unready(ctx, s)
		if err != nil {
			return err
		}
		if ailing != nil {
			return a.postponeSteps(ctx, s, ailing, all[i+1:])
		}
	}
	return nil
}

// unready is the object of a step that the next one waits for most, nil if the next one may begin. A Job that runs is
// healthy, but nothing may begin that needs it done.
func (a *application) unready(ctx context.Context, s step) (*desired, error) {
	if err := a.health.assessHealth(ctx, s.objects); err != nil {
		return nil, err
	}
	if d := worst(s.objects); d != nil {
		return d, nil
	}
	for _, d := range s.objects {
		if d.live != nil && d.live.byStatus.running && a.healthEntry(d) == nil {
			return d, nil
		}
	}
	return nil, nil
}

// postponeSteps leaves out the changes of the later steps.
func (a *application) postponeSteps(ctx context.Context, s step, ailing *desired, later []step) error {
	a.blocker = ailing
	a.blocked = fmt.Sprintf("step %d waits for it", later[0].number)
	how := fmt.Sprintf("waits for %s of step %d: %s", ailing.object, s.number, cmp.Or(ailing.status.Message, "it is still running"))
	if ailing.status.Health == state.Failed {
		a.blocked = fmt.Sprintf("step %d is not applied", later[0].number)
		how = fmt.Sprintf("is not applied, because %s of step %d failed: %s", ailing.object, s.number, ailing.status.Message)
	}
	waiting := state.Progressing
	if ailing.status.Health == state.Suspended {
		waiting = state.Suspended // for as long as that is
	}
	var unchanged []*desired
	for _, s := range later {
		for _, d := range s.objects {
			if d.live != nil && d.live.digest == d.digest {
				unchanged = append(unchanged, d)
			} else if d.fault == "" && d.kind != nil {
				d.postponed, d.assessed = true, true
				d.status = ObjectStatus{Object: d.object, Health: waiting, Message: fmt.Sprintf("step %d %s", s.number, how)}
			}
		}
	}
	return each(ctx, unchanged, a.writer.writeIfNeeded)
}
