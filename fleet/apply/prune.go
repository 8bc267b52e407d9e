package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/render/platform"
)

// spared are the kinds that hold data which cannot be made again.
var spared = map[schema.GroupKind]bool{
	{Kind: "Namespace"}:             true,
	{Kind: "PersistentVolume"}:      true,
	{Kind: "PersistentVolumeClaim"}: true,
	crds.gvk.GroupKind():            true,
}

// outcome says whether an object that nobody desires any more is gone, stays, or is not decided yet.
type outcome int

const (
	pending outcome = iota // it is still there, or nothing may be concluded about it yet
	ended                  // it does not exist any more
	letGo                  // it stays, and is the instance's no more
)

// surplus lists the objects that the inventory has and nobody desires any more, but for those that this pass pruned already.
func (p *pass) surplus() []Object {
	var all []Object
	settled := map[Object]bool{}
	for _, d := range p.objects {
		settled[d.object] = true
	}
	for _, c := range p.gone {
		settled[c.Object] = true
	}
	for o := range p.listed {
		if !settled[o] {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rankOf(b.Kind), rankOf(a.Kind)), strings.Compare(a.line(), b.line()))
	})
	return all
}

// retireFirst prunes the objects that are annotated to go before their replacements are applied, and holds the rest until
// their end is confirmed. It goes by the annotation of the live object: that was last applied, so it is the word of the state
// before without anybody having to keep that state, it is the same after a restart, and whoever must have an object go
// first that was not annotated can annotate it in the cluster.
func (p *pass) retireFirst(ctx context.Context) error {
	var first []Object
	for _, o := range p.surplus() {
		k, err := p.kinds.find(ctx, schema.GroupVersionKind{Group: o.Group, Kind: o.Kind})
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		w := p.watch(k)
		if err := w.ready(ctx); err != nil {
			return err
		}
		if l := w.get(o); l != nil && l.pruneFirst {
			first = append(first, o)
		}
	}
	err := p.retireInOrder(ctx, first)
	if len(p.waiting) > 0 {
		hold(p.objects, p.waiting[0].String()+" to be gone")
	}
	return err
}

// retire prunes the objects that the inventory lists and nobody desires any more, once their replacements are healthy. Until
// then a watch, or the next look at an instance that is not settled, brings the pass that goes on.
func (p *pass) retire(ctx context.Context) error {
	if slices.ContainsFunc(p.all(), needsBefore) || p.stopped() || len(p.waiting) > 0 {
		return nil
	}
	if err := p.retireInOrder(ctx, p.surplus()); err != nil {
		return err
	}
	if !p.in.Absent || len(p.waiting) > 0 {
		return nil
	}
	if !p.in.Recorded && p.inventories.get(p.in.Owner) != nil { // it stayed for a soak, which is over
		if err := p.record(ctx, p.in, func(*inventory) {}); err != nil {
			return err
		}
	}
	p.part(p.in.Owner)
	return nil
}

// needsBefore says whether an object may still need the objects that it used before: it is not healthy, or its pods are those
// of before.
func needsBefore(d *desired) bool {
	if d.status.Health == Suspended && !d.held {
		return leavesPods(d)
	}
	return worst([]*desired{d}) != nil
}

// retireInOrder goes through sorted objects kind by kind, and no further while one of a kind is still there: an
// object that is listed first may need one that is listed later to come to its end. Those that ended or were let go leave
// the inventory.
func (p *pass) retireInOrder(ctx context.Context, all []Object) error {
	yields, err := p.yield(ctx, all)
	if err != nil || yields {
		return err
	}
	var left []Object
	for len(all) > 0 && err == nil && len(p.waiting) == 0 {
		n := 1
		for n < len(all) && rankOf(all[n].Kind) == rankOf(all[0].Kind) {
			n++
		}
		var done []Object
		done, err = p.retireSet(ctx, all[:n])
		left = append(left, done...)
		all = all[n:]
	}
	if len(left) == 0 {
		return err
	}
	return errors.Join(err, p.record(ctx, p.in, func(inv *inventory) {
		for _, o := range left {
			delete(inv.objects, o)
			delete(inv.adopted, o)
		}
		for _, c := range p.gone {
			if c.Reason == stays {
				inv.released[c.Object] = true
			}
		}
	}))
}

// yield leaves objects to whoever works on a later state than this pass does, and says whether there is somebody.
func (p *pass) yield(ctx context.Context, all []Object) (bool, error) {
	if len(all) == 0 || p.in.State.Sequence == 0 {
		return false, nil
	}
	latest, err := p.latest(ctx, p.in.Owner)
	if err != nil {
		return false, err
	}
	if known, err := p.in.continues(ctx, latest); err != nil || !known {
		return false, cmp.Or(err, errOvertaken)
	}
	if err := p.refence(ctx); err != nil || !latest.outranks(p.in.State) {
		return false, err
	}
	p.later, p.waiting, p.again = latest.Commit, all, true
	return true, nil
}

// fate is one object's outcome. A reason with pending is a Problem.
type fate struct {
	object  Object
	outcome outcome
	reason  string
}

// retireSet retires objects side by side and returns those that may leave the inventory.
func (p *pass) retireSet(ctx context.Context, set []Object) ([]Object, error) {
	fates := make([]*fate, len(set))
	for i, o := range set {
		fates[i] = &fate{object: o}
	}
	err := each(ctx, fates, func(ctx context.Context, f *fate) (err error) {
		f.outcome, f.reason, err = p.retireOne(ctx, f.object)
		return err
	})
	var left []Object
	for _, f := range fates {
		switch {
		case f.outcome == ended:
			p.gone = append(p.gone, Change{Object: f.object, Action: Pruned, Reason: f.reason})
			left = append(left, f.object)
		case f.outcome == letGo:
			p.gone = append(p.gone, Change{Object: f.object, Action: Kept, Reason: f.reason})
			left = append(left, f.object)
		case f.reason != "":
			p.problems = append(p.problems, Problem{Object: f.object, Message: f.reason})
			fallthrough
		default:
			p.waiting = append(p.waiting, f.object)
			p.again = true
		}
	}
	return left, err
}

// retireOne reads an object and deletes it if that may be, as it was read.
func (p *pass) retireOne(ctx context.Context, o Object) (outcome, string, error) {
	k, err := p.kinds.find(ctx, schema.GroupVersionKind{Group: o.Group, Kind: o.Kind})
	if err != nil {
		return pending, "", err
	}
	if k == nil {
		return p.retireUnserved(ctx, o)
	}
	there, err := p.fetch(ctx, k, o)
	switch {
	case errors.Is(err, errUnserved):
		return p.retireUnserved(ctx, o)
	case err != nil:
		return pending, "", err
	case there == nil:
		return ended, "", nil
	case p.releases(o, there):
		return p.release(ctx, k, o, there, stays, nil)
	case there.labels.owner != p.in.Owner:
		return letGo, "its labels do not name this instance any more", nil
	case p.in.Absent && p.in.Deletion == platform.DeletionRetain:
		return p.keep(ctx, k, o, there, "its offering retains what a removed request leaves")
	case p.spares(o, there):
		return p.keep(ctx, k, o, there, "it may hold what cannot be made again; it is pruned only with deletion: delete and the annotation "+
			pruneAnnotation+`: "true"`)
	case there.deleting || p.in.External:
		return pending, "", nil
	}
	return p.remove(ctx, k, o, there, metav1.DeletePropagationBackground)
}

func (p *pass) spares(o Object, l *live) bool {
	precious := spared[schema.GroupKind{Group: o.Group, Kind: o.Kind}] || l.generated
	return precious && (p.in.Deletion != platform.DeletionDelete || !l.prunable)
}

// remove deletes an object as it was read, and looks whether it is gone.
func (p *pass) remove(ctx context.Context, k *kind, o Object, l *live, how metav1.DeletionPropagation) (outcome, string, error) {
	err := p.ask(ctx, func(ctx context.Context) error {
		return p.Cluster.objects(k, o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &l.uid, ResourceVersion: &l.version},
			PropagationPolicy: &how,
		})
	})
	switch {
	case apierrors.IsNotFound(err):
	case apierrors.IsConflict(err):
		return pending, "", nil // it changed since it was read: the next pass reads it again
	case err != nil && answered(err):
		return pending, "the API server refused to delete it: " + err.Error(), nil
	case err != nil:
		return pending, "", fmt.Errorf("delete %s: %w", o, err)
	}
	there, err := p.fetch(ctx, k, o)
	if errors.Is(err, errUnserved) {
		return pending, "", nil
	}
	if err != nil || (there != nil && there.uid == l.uid) {
		return pending, "", err
	}
	return ended, "", nil
}

// retireUnserved decides about an object whose kind the cluster does not serve. Its end is certain only if no CRD
// defines the kind any more, because then its objects went with the CRD.
func (p *pass) retireUnserved(ctx context.Context, o Object) (outcome, string, error) {
	gone, err := p.kindGone(ctx, schema.GroupKind{Group: o.Group, Kind: o.Kind})
	switch {
	case err != nil:
		return pending, "", err
	case gone:
		return ended, "its CRD is gone", nil
	}
	return pending, "it cannot be pruned, because the cluster does not serve its kind now", nil
}

func (c *Cluster) kindGone(ctx context.Context, gk schema.GroupKind) (bool, error) {
	lacks, err := c.kinds.lacks(ctx, gk)
	if err != nil || !lacks {
		return false, err
	}
	gone := true
	err = c.ask(ctx, func(ctx context.Context) error {
		all, err := c.metadata.Resource(crds.resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range all.Items {
			if !strings.HasSuffix(all.Items[i].Name, "."+gk.Group) {
				continue
			}
			crd, err := c.dynamic.Resource(crds.resource).Get(ctx, all.Items[i].Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind"); kind == gk.Kind {
				gone = false
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the CRDs of %s: %w", gk.Group, err)
	}
	return gone, nil
}
