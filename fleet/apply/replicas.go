package apply

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"transom.dev/render/platform"
)

// handoverManager owns the replicas of a workload from the release that stops naming them until its scaler first sets them.
// Without an owner the API server would set them to 1 at once.
const handoverManager = "transom-handover"

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

// findScaled finds the objects that something else of the instance scales, with the fewest replicas that it gives them.
func (p *pass) findScaled() {
	p.scaled = map[Object]int64{}
	for _, by := range p.objects {
		scaler := platform.ScalerOf(by.object.Group, by.object.Kind)
		if scaler == nil {
			continue
		}
		reference, _, _ := unstructured.NestedStringMap(by.content, scaler.Target...)
		target := platform.ScaleTarget{APIVersion: reference["apiVersion"], Kind: reference["kind"], Name: reference["name"]}
		minimum, _, _ := unstructured.NestedInt64(by.content, scaler.Minimum...)
		for _, d := range p.objects {
			if d.object.Namespace == by.object.Namespace && target.Names(d.object.Group, d.object.Kind, d.object.Name) {
				p.scaled[d.object] = max(p.scaled[d.object], minimum)
			}
		}
	}
}

// scales says whether others set the replicas of an object: a scaler of the instance, or whoever the version leaves them to.
func (p *pass) scales(d *desired) bool {
	_, scaled := p.scaled[d.object]
	return scaled || slices.ContainsFunc(p.in.Ignore, func(i platform.Ignore) bool {
		return i.Group == d.object.Group && i.Kind == d.object.Kind && slices.Contains(i.Fields, platform.ReplicasField)
	})
}

// theirs are the fields of a desired object that belong to others once they own them, such as spec.replicas.
func (p *pass) theirs(d *desired) (fields []string) {
	for _, i := range p.in.Ignore {
		if i.Group == d.object.Group && i.Kind == d.object.Kind {
			fields = append(fields, i.Fields...)
		}
	}
	if _, scaled := p.scaled[d.object]; scaled {
		fields = append(fields, platform.ReplicasField)
	}
	return fields
}

// begins gives a workload that is to be made the fewest replicas of its scaler, so that it does not begin with one.
func (p *pass) begins(d *desired, content map[string]any) map[string]any {
	minimum := p.scaled[d.object]
	if _, there, _ := unstructured.NestedFieldNoCopy(content, replicasField...); there || minimum < 2 {
		return content
	}
	u := unstructured.Unstructured{Object: content}
	u = *u.DeepCopy()
	if unstructured.SetNestedField(u.Object, minimum, replicasField...) != nil {
		return content
	}
	return u.Object
}

var replicasField = []string{"spec", "replicas"}

// handOver has another manager own the replicas that a workload has, before it is applied without any for the first time. The
// write changes no field, and is bound to the resourceVersion at which the replicas were read. Where the scaler owns them
// already, nothing is to be done. A daemon that dies after it leaves two owners, and the next pass goes on.
func (p *pass) handOver(ctx context.Context, d *desired) error {
	if _, there, _ := unstructured.NestedFieldNoCopy(d.content, replicasField...); d.live == nil || d.adopts || there || !p.scales(d) {
		return nil
	}
	u, err := p.readFilled(ctx, d)
	if err != nil || u == nil {
		return err
	}
	before := d.live
	replicas, set, _ := unstructured.NestedInt64(u.Object, replicasField...)
	if !set || !ownsAlone(u.GetManagedFields()) {
		return nil
	}
	if err := p.applyHandover(ctx, d, map[string]any{
		"metadata": map[string]any{"name": d.object.Name, "uid": string(u.GetUID()), "resourceVersion": u.GetResourceVersion()},
		"spec":     map[string]any{"replicas": replicas},
	}); err != nil {
		return err
	}
	d.live.succeed(before)
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

// takeBack ends a handover of replicas that nobody is to take over any more.
func (p *pass) takeBack(ctx context.Context, d *desired) error {
	if d.live == nil || !d.live.handed || p.scales(d) {
		return nil
	}
	if err := p.applyHandover(ctx, d, map[string]any{"metadata": map[string]any{"name": d.object.Name, "uid": string(d.live.uid)}}); err != nil {
		return err
	}
	d.live = d.watch.answered(key{d.object.Namespace, d.object.Name}, d.live)
	return nil
}

// applyHandover applies the fields that the manager of handovers owns of an object.
func (p *pass) applyHandover(ctx context.Context, d *desired, content map[string]any) error {
	content["apiVersion"], content["kind"] = d.gvk.GroupVersion().String(), d.gvk.Kind
	return p.patchAs(ctx, d, handoverManager, types.ApplyPatchType, content)
}
