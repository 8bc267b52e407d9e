package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// outcome says whether an object that nobody desires any more is gone, stays, or is not decided yet.
type outcome int

const (
	pending outcome = iota // it is still there, or nothing may be concluded about it yet
	ended                  // it does not exist any more
	letGo                  // it stays, and is the instance's no more
)

// pruning ends the objects that nobody desires any more: those without data are deleted, others are let go.
type pruning struct {
	*target

	gone    []Change  // objects that were deleted or let go
	waiting []Object  // objects to be pruned that are still there
	refused []Problem // of objects that cannot be pruned
	leaving []Problem // of objects that hang while they are being deleted
	later   string    // the commit of a later state, whose daemon is to prune
}

// orphans lists the objects that the inventory has and nobody desires any more, but for those that this visit pruned already.
func (p *pruning) orphans() []Object {
	var all []Object
	handled := map[Object]bool{}
	for _, d := range p.objects {
		handled[d.object] = true
	}
	for _, c := range p.gone {
		handled[c.Object] = true
	}
	for o := range p.inventory.listed {
		if !handled[o] {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rankOf(b.Kind), rankOf(a.Kind)), strings.Compare(a.line(), b.line()))
	})
	return all
}

// pruneBeforeApply prunes the objects that are annotated to go before their replacements are applied, and postpones the rest until
// their end is confirmed. It goes by the annotation of the live object: that was last applied, so it is the word of the state
// before without anybody having to keep that state, it is the same after a restart, and whoever must have an object go
// first that was not annotated can annotate it in the cluster.
func (p *pruning) pruneBeforeApply(ctx context.Context) error {
	var first []Object
	for _, o := range p.orphans() {
		k, err := p.client.kinds.find(ctx, schema.GroupVersionKind{Group: o.Group, Kind: o.Kind})
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		w := p.cluster.watches.of(k)
		if err := w.ready(ctx); err != nil {
			return err
		}
		if l := w.get(o); l != nil && l.pruneFirst {
			first = append(first, o)
		}
	}
	err := p.pruneInOrder(ctx, first)
	if len(p.waiting) > 0 {
		postpone(p.objects, p.waiting[0].String()+" to be gone")
	}
	return err
}

// pruneOrphans prunes the objects that the inventory lists and nobody desires any more, once their replacements are healthy. Until
// then a watch, or the next look at an instance that is not settled, brings the visit that goes on.
func (p *pruning) pruneOrphans(ctx context.Context) error {
	if slices.ContainsFunc(p.all(), needsBefore) || p.stopped() || len(p.waiting) > 0 {
		return nil
	}
	if err := p.pruneInOrder(ctx, p.orphans()); err != nil {
		return err
	}
	if !p.in.Absent || len(p.waiting) > 0 {
		return nil
	}
	if !p.in.Recorded && p.cluster.inventories.get(p.in.Owner) != nil { // it stayed for a soak, which is over
		if err := p.inventory.record(ctx, func(*inventory) {}); err != nil {
			return err
		}
	}
	p.cluster.subscribers.remove(p.in.Owner)
	return nil
}

// needsBefore says whether an object may still need the objects that it used before: it is not healthy, or its pods are those
// of before.
func needsBefore(d *desired) bool {
	if d.status.Health == state.Suspended && !d.postponed {
		return leavesPods(d)
	}
	return worst([]*desired{d}) != nil
}

// pruneInOrder goes through sorted objects kind by kind, and no further while one of a kind is still there: an
// object that is listed first may need one that is listed later to come to its end. Those that ended or were let go leave
// the inventory.
func (p *pruning) pruneInOrder(ctx context.Context, all []Object) error {
	yields, err := p.leaveToLaterState(ctx, all)
	if err != nil || yields {
		return err
	}
	var finished []Object
	for len(all) > 0 && err == nil && len(p.waiting) == 0 {
		n := 1
		for n < len(all) && rankOf(all[n].Kind) == rankOf(all[0].Kind) {
			n++
		}
		var done []Object
		done, err = p.pruneSet(ctx, all[:n])
		finished = append(finished, done...)
		all = all[n:]
	}
	if len(finished) == 0 {
		return err
	}
	return errors.Join(err, p.inventory.record(ctx, func(inv *inventory) {
		for _, o := range finished {
			delete(inv.objects, o)
			delete(inv.adopted, o)
		}
		for _, c := range p.gone {
			if c.Reason == staysAdopted {
				inv.released[c.Object] = true
			}
		}
	}))
}

// leaveToLaterState leaves objects to whoever works on a later state than this visit does, and says whether there is somebody.
func (p *pruning) leaveToLaterState(ctx context.Context, all []Object) (bool, error) {
	if len(all) == 0 || p.in.State.Sequence == 0 {
		return false, nil
	}
	latest, err := p.inventory.latest(ctx)
	if err != nil {
		return false, err
	}
	if known, err := p.in.continues(ctx, latest); err != nil || !known {
		return false, cmp.Or(err, errOvertaken)
	}
	if err := p.fence.ensureAnew(ctx); err != nil || !latest.outranks(p.in.State) {
		return false, err
	}
	p.later, p.waiting = latest.Commit, all
	return true, nil
}

// fate is one object's outcome. A reason with pending is a Problem.
type fate struct {
	object  Object
	outcome outcome
	reason  string
	hangs   string // why it is still there although it is being deleted
}

// pruneSet retires objects side by side and returns those that may leave the inventory.
func (p *pruning) pruneSet(ctx context.Context, set []Object) ([]Object, error) {
	fates := make([]*fate, len(set))
	for i, o := range set {
		fates[i] = &fate{object: o}
	}
	err := each(ctx, fates, func(ctx context.Context, f *fate) error {
		return p.pruneOne(ctx, f)
	})
	var finished []Object
	for _, f := range fates {
		switch {
		case f.outcome == ended:
			p.gone = append(p.gone, Change{Object: f.object, Action: Pruned, Reason: f.reason})
			finished = append(finished, f.object)
		case f.outcome == letGo:
			p.gone = append(p.gone, Change{Object: f.object, Action: Kept, Reason: f.reason})
			finished = append(finished, f.object)
		case f.reason != "":
			p.refused = append(p.refused, Problem{Object: f.object, Message: f.reason})
			fallthrough
		default:
			p.waiting = append(p.waiting, f.object)
			if f.hangs != "" {
				p.leaving = append(p.leaving, Problem{Object: f.object, Message: f.hangs})
			}
		}
	}
	return finished, err
}

// pruneOne reads an object and deletes it if that may be, as it was read.
func (p *pruning) pruneOne(ctx context.Context, f *fate) error {
	k, err := p.client.kinds.find(ctx, schema.GroupVersionKind{Group: f.object.Group, Kind: f.object.Kind})
	if err != nil {
		return err
	}
	var there *live
	if k != nil {
		if there, err = p.client.readMetadata(ctx, k, f.object); err != nil && !errors.Is(err, errUnserved) {
			return err
		}
	}
	switch {
	case k == nil, err != nil:
		f.outcome, f.reason, err = p.pruneUnserved(ctx, f.object)
	case there == nil:
		f.outcome = ended
	default:
		f.outcome, f.reason, err = p.end(ctx, k, f.object, there)
		if f.outcome == pending {
			f.hangs = there.ending.hangs(time.Now())
		}
	}
	return err
}

// end deletes an object that is there, or lets it go.
func (p *pruning) end(ctx context.Context, k *kind, o Object, there *live) (outcome, string, error) {
	switch {
	case p.letsGo(o, there):
		return p.letGo(ctx, k, o, there, staysAdopted, nil)
	case there.labels.owner != p.in.Owner:
		return letGo, "its labels do not name this instance any more", nil
	case p.in.Absent && p.in.Deletion == platform.DeletionRetain:
		return p.keepMarked(ctx, k, o, there, "its offering retains what a removed request leaves")
	case p.keepsData(o, there):
		return p.keepMarked(ctx, k, o, there, "it may hold what cannot be made again; it is pruned only with deletion: delete and the annotation "+
			state.AnnotationPrune+`: "true"`)
	case there.deleting || p.in.External:
		return pending, "", nil
	}
	return p.writerTo(o).deleteAsRead(ctx, k, o, there, metav1.DeletePropagationBackground)
}

// keepsData says whether an object may have data and is not to be deleted with it.
func (p *pruning) keepsData(o Object, l *live) bool {
	precious := state.NeverPruned(o.Group, o.Kind) || l.generated
	deletable := p.in.Deletion == platform.DeletionDelete && l.prunable
	return precious && !deletable
}

// pruneUnserved decides about an object whose kind the cluster does not serve. Its end is certain only if no CRD
// defines the kind any more, because then its objects went with the CRD.
func (p *pruning) pruneUnserved(ctx context.Context, o Object) (outcome, string, error) {
	gone, err := p.client.kindGone(ctx, schema.GroupKind{Group: o.Group, Kind: o.Kind})
	switch {
	case err != nil:
		return pending, "", err
	case gone:
		return ended, "its CRD is gone", nil
	}
	return pending, "it cannot be pruned, because the cluster does not serve its kind now", nil
}

// laterStateMessage says why pruning is for somebody else, if it is.
func (p *pruning) laterStateMessage() string {
	if p.later == "" {
		return ""
	}
	return fmt.Sprintf("it is not pruned, because its inventory was written for state commit %s, which is later than %s. "+
		"If there is no such commit any more, remove the annotation %s from ConfigMap %s/%s",
		p.later, p.in.State.Commit, stateAnnotation, systemNamespace, inventoryName(p.in.Owner))
}
