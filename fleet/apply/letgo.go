package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

const staysAdopted = "it was there before it was adopted, and stays; nothing of it is Transom's any more"

// letsGo says whether an object that nobody desires any more is let go rather than deleted: others had made it, and the
// request that ran last did not say otherwise. The inventory remembers that from before the object was taken over.
func (p *pruning) letsGo(o Object, l *live) bool {
	return p.inventory.adopted[o] && l.belongs(p.in.Owner) && !l.deleting && !p.in.External && p.in.OnRemoval != platform.RemovalDelete
}

// letGo lets an object go: our labels and annotations leave its metadata, but for those that it is to remember, and our
// entry its managed fields. Nothing else of it is touched. The one write is bound to the resourceVersion at which the object was read.
func (p *pruning) letGo(ctx context.Context, k *kind, o Object, l *live, reason string, remembers map[string]string) (outcome, string, error) {
	var read *metav1.PartialObjectMetadata
	err := p.client.request(ctx, func(ctx context.Context) (err error) {
		read, err = p.client.metadataOf(k, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		return err
	})
	if err == nil && !l.isAt(read) {
		return pending, "", nil
	}
	if err == nil {
		_, err = p.writerTo(o).patch(ctx, k, o, types.JSONPatchType, removalPatch(read, remembers), metav1.PatchOptions{FieldManager: keepingManager})
	}
	switch {
	case err == nil:
		return letGo, reason, nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return pending, "", nil // the next visit reads it again
	case answered(err):
		return pending, "the API server refused to let it go: " + err.Error(), nil
	}
	return pending, "", fmt.Errorf("let go of %s: %w", o, err)
}

// isAt says whether an object was read anew as it is known.
func (l *live) isAt(m metav1.Object) bool {
	return m.GetUID() == l.uid() && m.GetResourceVersion() == l.version
}

// removalPatch is the JSON patch that takes from an object all that made it ours, and leaves it the annotations by which it remembers.
func removalPatch(m *metav1.PartialObjectMetadata, remembers map[string]string) []any {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetManagedFields(m.ManagedFields)
	u.SetLabels(m.Labels)
	u.SetAnnotations(m.Annotations)
	labels := ourNames(m.Labels)
	if m.Labels[state.LabelManagedBy] == manager {
		labels = append(labels, state.LabelManagedBy)
	}
	ops := []any{map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": m.ResourceVersion}}
	for _, op := range slices.Concat(
		ssa.PatchRemoveLabels(u, labels), ssa.PatchRemoveAnnotations(u, ourNames(m.Annotations)),
		ssa.PatchRemoveFieldsManagers(u, ourManagers()),
	) {
		ops = append(ops, op)
	}
	if len(remembers) > 0 && m.Annotations == nil {
		ops = append(ops, map[string]any{"op": "add", "path": "/metadata/annotations", "value": map[string]string{}})
	}
	for _, name := range slices.Sorted(maps.Keys(remembers)) {
		ops = append(ops, map[string]any{"op": "add", "path": "/metadata/annotations/" + pointer(name), "value": remembers[name]})
	}
	return ops
}

// ourManagers are the managers of fields that are ours, however they wrote.
func ourManagers() (all []ssa.FieldManager) {
	for _, name := range []string{manager, generatingManager, handoverManager} {
		for _, how := range []metav1.ManagedFieldsOperationType{metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate} {
			all = append(all, ssa.FieldManager{Name: name, ExactMatch: true, OperationType: how})
		}
	}
	return all
}

// ourNames are the names of labels or annotations that are ours, sorted.
func ourNames(values map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(name string) bool { return !strings.HasPrefix(name, ourPrefix) })
}

// letGone lists the objects that the inventory remembers as let go, and those that this visit let go itself, sorted.
func (p *pruning) letGone() []Object {
	all := map[Object]bool{}
	if inv := p.cluster.inventories.get(p.in.Owner); inv != nil {
		maps.Copy(all, inv.released)
	}
	for _, c := range p.gone {
		if c.Action == Kept && c.Reason == staysAdopted {
			all[c.Object] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b Object) int { return strings.Compare(a.line(), b.line()) })
}

// letGoMessage says which objects a visit let go, so that whoever follows the results has an event of it.
func letGoMessage(changes []Change) string {
	var names []string
	for _, c := range changes {
		names = append(names, c.Object.String())
	}
	return "let go " + strings.Join(names, ", ") + ": " + staysAdopted
}
