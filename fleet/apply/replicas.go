package apply

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// handoverManager owns the replicas of a workload from the release that stops naming them until its scaler first sets them.
// Without an owner the API server would set them to 1 at once.
const handoverManager = "transom-handover"

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

var replicasField = []string{"spec", "replicas"}

// handOverReplicas has another manager own the replicas that a workload has, before it is applied without any for the first time. The
// write changes no field, and is bound to the resourceVersion at which the replicas were read. Where the scaler owns them
// already, nothing is to be done. A daemon that dies after it leaves two owners, and the next visit goes on.
func (o fieldOwnership) handOverReplicas(ctx context.Context, d *desired) error {
	if _, there, _ := unstructured.NestedFieldNoCopy(d.content, replicasField...); d.live == nil || d.adopts || there || !o.othersScale(d) {
		return nil
	}
	u, err := o.readWhole(ctx, d)
	if err != nil || u == nil {
		return err
	}
	before := d.live
	replicas, set, _ := unstructured.NestedInt64(u.Object, replicasField...)
	if !set || !ownsAlone(entriesOf(u)) {
		return nil
	}
	if err := o.applyHandover(ctx, d, map[string]any{
		"metadata": map[string]any{"name": d.object.Name, "uid": string(u.GetUID()), "resourceVersion": u.GetResourceVersion()},
		"spec":     map[string]any{"replicas": replicas},
	}); err != nil {
		return err
	}
	d.live.carryOver(before)
	return nil
}

// ownsAlone says whether nobody but us owns the replicas of an object.
func ownsAlone(entries []metav1.ManagedFieldsEntry) bool {
	ours := false
	for i := range entries {
		e := &entries[i]
		switch owned := e.Subresource != "status" && entrySet(e).Has(replicasPath); {
		case isOwn(e):
			ours = owned
		case owned:
			return false
		}
	}
	return ours
}

// endHandover ends a handover of replicas that nobody is to take over any more.
func (o fieldOwnership) endHandover(ctx context.Context, d *desired) error {
	if d.live == nil || !d.live.handed || o.othersScale(d) {
		return nil
	}
	if err := o.applyHandover(ctx, d, map[string]any{"metadata": map[string]any{"name": d.object.Name, "uid": string(d.live.uid())}}); err != nil {
		return err
	}
	d.putAnswer(d.live)
	return nil
}

// applyHandover applies the fields that the manager of handovers owns of an object.
func (o fieldOwnership) applyHandover(ctx context.Context, d *desired, content map[string]any) error {
	content["apiVersion"], content["kind"] = d.gvk.GroupVersion().String(), d.gvk.Kind
	return o.patchAs(ctx, d, handoverManager, types.ApplyPatchType, content)
}
