package apply

import (
	"context"
	"errors"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// writer makes one object as it is desired.
type writer struct {
	*target
	fields fieldOwnership
}

// patch applies one object with one request. Ours are forced, bound to the UID that ownership was read from. An object
// that is believed not to be there may only be created: one that exists has another resourceVersion than the first of
// all, so that the API server refuses the request where somebody was faster (tried on v1.36, built-in kinds and
// custom resources). An object that is adopted must be as it was read: nobody else may have taken it since.
func (w writer) patch(ctx context.Context, d *desired, reason string) error {
	if err := w.fence.ensure(ctx); err != nil {
		return err
	}
	if err := w.fields.handOverReplicas(ctx, d); err != nil {
		return w.recordRefusal(d, err)
	}
	if err := w.fields.reloadEntries(ctx, d); err != nil {
		return err
	}
	if d.adopts && d.inherited != nil {
		if err := w.fields.inheritFields(ctx, d); err != nil {
			return w.recordRefusal(d, err)
		}
	}
	if err := w.fields.succeedAppliers(ctx, d); err != nil {
		return w.recordRefusal(d, err)
	}
	nulls, err := w.fields.claimStale(ctx, d)
	if err != nil {
		return w.recordRefusal(d, err)
	}
	content, err := opened(&w.in, d, cleared(w.withIdentity(d, w.boundContent(d)), nulls))
	if err != nil {
		leaveSealed(d, err)
		return nil
	}
	after, err := w.writerOf(d).patch(ctx, d.kind, d.object, types.ApplyPatchType, content, forced())
	if err != nil {
		return w.handleRefusal(ctx, d, err)
	}
	w.recordChange(d, reduceMeta(d.gvk.GroupKind(), after), reason)
	if err := errors.Join(w.fields.endHandover(ctx, d), w.fields.removeKeptMark(ctx, d)); err != nil {
		return w.recordRefusal(d, err)
	}
	return nil
}

// patchAs writes to an object as a field manager, and has d.live be the object as it is then.
func (o fieldOwnership) patchAs(ctx context.Context, d *desired, by string, how types.PatchType, content any) error {
	m, err := o.writerOf(d).patch(ctx, d.kind, d.object, how, content, metav1.PatchOptions{FieldManager: by})
	if err == nil {
		d.live = reduceMeta(d.gvk.GroupKind(), m)
	}
	return err
}

// handleRefusal goes on from a write that the API server did not do.
func (w writer) handleRefusal(ctx context.Context, d *desired, err error) error {
	if field, _ := immutable(statusOf(err)); field != "" && d.live != nil && w.owns(d) && d.replaceable() {
		return w.replace(ctx, d, field)
	}
	if d.live == nil && apierrors.IsConflict(err) {
		w.cluster.unmanaged.forget(d)
	}
	return w.recordRefusal(d, err)
}

// withIdentity adds the identity of the state repository to a Namespace. That is no part of the desired object: it is written only along with the rest.
func (w writer) withIdentity(d *desired, content map[string]any) map[string]any {
	if w.in.Lineage == nil || w.in.Lineage.Identity == "" || !d.isNamespace() {
		return content
	}
	metadata, _ := content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	annotations[identityAnnotation] = w.in.Lineage.Identity
	metadata = maps.Clone(metadata)
	metadata["annotations"] = annotations
	content = maps.Clone(content)
	content["metadata"] = metadata
	return content
}

// recordChange takes in the object as it is after an apply, and names the change if the write was one.
func (w writer) recordChange(d *desired, after *live, reason string) {
	before, adopts := d.live, d.adopts
	var back *kept
	if before != nil && w.resumes(d) {
		back = before.kept
	}
	d.adopts = false
	after.recordWrite(before, reason != "")
	if w.isTeamObject(d) {
		w.cluster.granted.Store(w.in.Namespace, time.Now())
	}
	d.putAnswer(after)
	switch {
	case before == nil && d.change != nil: // it was replaced
	case before == nil:
		d.change = &Change{Object: d.object, Action: Created}
		if d.untried != "" {
			d.change.Reason = "it could not be tried before: " + d.untried
		} else if w.inventory.listed[d.object] && d.watch.lostSince(d.object, time.Time{}) {
			d.change.Corrects, d.change.Reason = true, "it had been deleted"
		}
	case adopts:
		d.change = &Change{Object: d.object, Action: Adopted, Reason: d.origin(), Before: d.before()}
	case back != nil:
		d.change = &Change{Object: d.object, Action: Resumed, Reason: back.resumes()}
	case before.version != after.version:
		d.change = &Change{Object: d.object, Action: Configured, Reason: reason, Corrects: reason != ""}
	}
}
