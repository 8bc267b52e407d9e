package apply

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/render/state"
)

// replaceable says whether the version lets an object be deleted and made anew where it cannot change in place.
func (m *manifest) replaceable() bool {
	return m.annotation(state.AnnotationReplace) == "true" && !m.precious()
}

// precious says whether an object may have data that cannot be made again.
func (m *manifest) precious() bool {
	return state.NeverPruned(m.object.Group, m.object.Kind) || m.keys != nil
}

// replace deletes an object that cannot be changed in place to the desired one, and makes it anew. Before anything is
// deleted, the API server says that it would take the new one. A daemon that dies in between leaves an object that is
// desired and not there, which the next visit creates.
func (w writer) replace(ctx context.Context, d *desired, field string) error {
	refused, err := w.dryRunNew(ctx, d)
	if err != nil {
		return err
	}
	if refused == "" {
		refused, err = w.deletesClaims(ctx, d)
	}
	if err != nil {
		return err
	}
	if refused != "" {
		d.fault = fmt.Sprintf("%s cannot be changed once the object exists, and it is not replaced: %s", field, refused)
		d.again = true
		return nil
	}
	gone, err := w.deleteOld(ctx, d, field)
	if err != nil || !gone {
		return err
	}
	d.live = nil
	return w.patch(ctx, d, "")
}

// dryRunNew says why the API server would refuse the object as a new one; empty if it would take it. It is asked to, as a
// dry run, under a name that nothing has: all that it checks but for names it checks as it will then. An object
// that asks for something that the old one still has, such as the port of a node or the last of a quota, is refused.
func (w writer) dryRunNew(ctx context.Context, d *desired) (refused string, err error) {
	other := d.object
	other.Name = trialName(d.object.Name, d.live.uid())
	content, err := opened(&w.in, d, bind(bind(d.content, "resourceVersion", "1"), "name", other.Name))
	if err != nil {
		return err.Error(), nil
	}
	_, err = w.writerOf(d).patch(ctx, d.kind, other, types.ApplyPatchType, content, forced(metav1.DryRunAll))
	switch {
	case err == nil:
		return "", nil
	case answered(err):
		return "the API server would refuse a new one: " + answerText(d, err), nil
	}
	return "", fmt.Errorf("%s: %w", d.object, err)
}

// trialName fits every kind that the name fits.
func trialName(name string, uid types.UID) string {
	const longest = 43 // with the suffix, the 52 characters of a StatefulSet
	return strings.TrimRight(name[:min(len(name), longest)], "-.:") + "-" + string(uid)[:8]
}

// deletesClaims says whether the claims of a StatefulSet's pods, and the data in them, would go with it.
func (w writer) deletesClaims(ctx context.Context, d *desired) (refused string, err error) {
	if d.object.Group != "apps" || d.object.Kind != "StatefulSet" {
		return "", nil
	}
	err = w.client.request(ctx, func(ctx context.Context) error {
		u, err := w.client.dynamic.Resource(d.kind.resource).Namespace(d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", d.object, err)
		}
		policy, _, _ := unstructured.NestedString(u.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
		if policy == "Delete" {
			refused = "the claims of its pods would go with it; set spec.persistentVolumeClaimRetentionPolicy.whenDeleted " +
				"to Retain in a release before this one"
		}
		return nil
	})
	return refused, err
}

// deleteOld deletes an object as it was read, if it still is as it was when its change was refused and nobody works on
// a later state, and says whether it is gone. If it is not yet, a watch brings the visit that makes the new one.
func (w writer) deleteOld(ctx context.Context, d *desired, field string) (gone bool, err error) {
	if err := w.fence.ensureAnew(ctx); err != nil {
		return false, err
	}
	latest, err := w.inventory.signForState(ctx)
	if err != nil {
		return false, err
	}
	if latest != (State{}) {
		d.again, d.status = true, progressing(d, "it is left to whoever works on state commit "+latest.Commit)
		return false, nil
	}
	there, err := w.client.readMetadata(ctx, d.kind, d.object)
	if err != nil || there == nil {
		return there == nil, err
	}
	if there.id != d.live.id || there.digest != d.live.digest || !w.ownedByInstance(d.object, there) {
		d.again, d.status = true, progressing(d, "somebody else wrote it at the same time")
		return false, nil
	}
	if there.deleting {
		d.live = there
		return false, nil
	}
	outcome, refused, err := w.writerOf(d).deleteAsRead(ctx, d.kind, d.object, there, propagation(d))
	if err != nil || refused != "" {
		d.fault, d.again = refused, true
		return false, err
	}
	if outcome != ended {
		if there, err = w.client.readMetadata(ctx, d.kind, d.object); err != nil {
			return false, err
		}
		if there != nil && !there.deleting {
			d.again, d.status = true, progressing(d, "somebody else wrote it at the same time")
			return false, nil
		}
	}
	d.change = &Change{Object: d.object, Action: Replaced, Reason: field + " cannot be changed in place"}
	if d.live = there; outcome != ended && there != nil {
		d.again = true
		return false, nil
	}
	return true, nil
}

// propagation is how the objects that an object owns go with it. Two runs of a Job must not overlap, so a Job goes after its pods.
func propagation(d *desired) metav1.DeletionPropagation {
	if d.object.Group == "batch" && d.object.Kind == "Job" {
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}
