package apply

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// appliers are the managers, by their exact name, of tools that apply whole objects from files, and of kubectl's commands that make one. Whoever adopts such an object
// comes after them: their fields become ours, so that a field goes once a later version drops it.
var appliers = []string{"kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl", "before-first-apply", "helm", "kubectl-run", "kubectl-expose", "kubectl-autoscale"}

// agents are the managers, by their exact name, of tools that apply whole objects again and again. Whoever adopts such an object comes after
// them, too: a field that only a controller owns which nobody runs any more would stay for ever, and the labels by which it knows its objects
// would have it delete them with its own Kustomization, release or Application. One that is not stopped comes back, which status tells.
var agents = []string{"kustomize-controller", "helm-controller", "argocd-controller"}

// isApplier says whether an entry is of a tool that applies whole objects, however it wrote.
func isApplier(e *metav1.ManagedFieldsEntry) bool {
	return e.Subresource == "" && slices.Contains(appliers, e.Manager) || isAgent(e)
}

// isAgent says whether an entry is of an applier that goes on applying until somebody stops it.
func isAgent(e *metav1.ManagedFieldsEntry) bool {
	return e.Subresource == "" && slices.Contains(agents, e.Manager)
}

// agentOf names the agent whose fields are taken over; empty without one.
func (d *desired) agentOf() string {
	for _, e := range d.takenOver() {
		if isAgent(&e) {
			return e.Manager
		}
	}
	return ""
}

// takenOver are the entries that are taken over, as they were.
func (d *desired) takenOver() (old []metav1.ManagedFieldsEntry) {
	for i := range d.found {
		if d.inherited != nil && isApplier(&d.found[i]) {
			old = append(old, d.found[i])
		}
	}
	return old
}

// inherit returns an object's entries with those of appliers made ours, but for the fields that the version leaves to
// others: these become nobody's, and stay. Without an applier it returns nil. It is csaupgrade that does it, and not ssa's
// PatchReplaceFieldsManagers: that one leaves a second entry of ours where an applier's comes before it, and gives us fields by
// the paths of another API version than ours.
func inherit(entries []metav1.ManagedFieldsEntry, others *fieldpath.Set) ([]metav1.ManagedFieldsEntry, error) {
	var all metav1.PartialObjectMetadata
	names := map[string]bool{}
	for i := range entries {
		e := *entries[i].DeepCopy() // csaupgrade writes into it
		if isApplier(&e) {
			e.Manager += "/" + string(e.Operation) // server-side appliers, too
			e.Operation = metav1.ManagedFieldsOperationUpdate
			names[e.Manager] = true
		}
		all.ManagedFields = append(all.ManagedFields, e)
	}
	if len(names) == 0 {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := csaupgrade.UpgradeManagedFields(&all, sets.New(name), manager); err != nil {
			return nil, err
		}
	}
	own := ownEntry(all.ManagedFields)
	return all.ManagedFields, setFields(own, entrySet(own).RecursiveDifference(others))
}

// entrySet is the set of fields that an entry owns; empty without an entry.
func entrySet(e *metav1.ManagedFieldsEntry) *fieldpath.Set {
	if e == nil || e.FieldsV1 == nil {
		return fieldpath.NewSet()
	}
	set, err := ssa.FieldsToSet(*e.FieldsV1)
	if err != nil {
		return fieldpath.NewSet()
	}
	return &set
}

// departing are the fields that would go from an object if it were applied once its entries are inherited, given its entries
// after a dry run of applying it as they are. A field stays if it is applied, or if a manager that is no applier owns it.
// Each path leads to the topmost field of which nothing stays, sorted.
func departing(inherited, applied []metav1.ManagedFieldsEntry) []fieldpath.Path {
	remaining := fieldpath.NewSet()
	for i := range applied {
		if e := &applied[i]; !isApplier(e) {
			remaining = remaining.Union(entrySet(e))
		}
	}
	return missing(entrySet(ownEntry(inherited)), func(at fieldpath.Path) bool { return touches(remaining, at) })
}

// missing lists the topmost paths of a set for which nothing is to be found elsewhere, but for kubectl's memory.
func missing(set *fieldpath.Set, found func(fieldpath.Path) bool) []fieldpath.Path {
	known := map[string]fieldpath.Path{}
	for leaf := range set.Leaves().All() {
		for n := 1; n <= len(leaf); n++ {
			if at := leaf[:n]; !found(at) {
				known[at.String()] = at.Copy()
				break
			}
		}
	}
	delete(known, fieldpath.MakePathOrDie("metadata", "annotations", corev1.LastAppliedConfigAnnotation).String()) // it goes with kubectl's entry
	var paths []fieldpath.Path
	for _, name := range slices.Sorted(maps.Keys(known)) {
		paths = append(paths, known[name])
	}
	return paths
}

// touches says whether a set has a path, something below it, or something above it as a whole.
func touches(set *fieldpath.Set, at fieldpath.Path) bool {
	for _, e := range at {
		below := set.WithPrefix(e)
		if below.Empty() {
			return set.Members.Has(e)
		}
		set = below
	}
	return true
}

// field is how people write a path.
func field(at fieldpath.Path) string { return strings.TrimPrefix(at.String(), ".") }

// fieldOwnership moves the ownership of fields between managers, by the managed fields of an object. Its writes change no other field.
type fieldOwnership struct{ *target }

// inheritFields makes the entries of appliers ours before an object is applied for the first time. The write is bound to the
// resourceVersion that the entries were read at. A daemon that dies after it leaves an object that is ours by its entries
// and that the inventory lists as adopted: the next visit applies it, or lets it go.
func (o fieldOwnership) inheritFields(ctx context.Context, d *desired) error {
	return o.writeEntries(ctx, d, d.inherited, d.live.version)
}

// succeedAppliers makes the fields of a manifest ours alone before Transom writes a later revision of an object that an agent wrote, too, as in
// an environment that was external before; or any applier, where Transom never wrote it. They would otherwise be that one's for ever: a
// field stays as long as anybody owns it, and perhaps nobody runs the agent any more. The labels by which an agent prunes go with that.
// What it set beside these stays its own, and status shows it.
func (o fieldOwnership) succeedAppliers(ctx context.Context, d *desired) error {
	if d.adopts || d.live == nil || d.isAtRevision() {
		return nil // a field that goes, goes with a later revision
	}
	entries, err := succeed(d.live.entries, d.gvk.GroupVersion().String(), o.appliedFields(d))
	if err != nil || entries == nil {
		return err
	}
	return o.writeEntries(ctx, d, entries, d.live.version)
}

// succeed returns entries in which the fields of an object that others applied are ours instead; nil if there are none.
func succeed(entries []metav1.ManagedFieldsEntry, version string, object map[string]any) ([]metav1.ManagedFieldsEntry, error) {
	own := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: version, FieldsType: "FieldsV1"}
	before, goes := ownEntry(entries), isApplier
	if before != nil {
		own, goes = *before, isAgent
	}
	var others []metav1.ManagedFieldsEntry
	shared := fieldpath.NewSet()
	for i, e := range entries {
		if &entries[i] == before {
			continue
		}
		if !goes(&e) || e.APIVersion != own.APIVersion {
			others = append(others, e)
			continue
		}
		both, beside := apart(entrySet(&e), entrySet(before), object)
		shared = shared.Union(both)
		if own.Time == nil {
			own.Time = e.Time
		}
		if beside.Empty() {
			continue
		}
		if err := setFields(&e, beside); err != nil {
			return nil, err
		}
		others = append(others, e)
	}
	if shared.Empty() {
		return nil, nil
	}
	if err := setFields(&own, entrySet(before).Union(shared)); err != nil {
		return nil, err
	}
	return append(others, own), nil
}

// apart tells the fields of a set that we own as well, or are to apply, or by which an agent prunes, from those beside these.
func apart(set, own *fieldpath.Set, object map[string]any) (both, beside *fieldpath.Set) {
	both, beside = fieldpath.NewSet(), fieldpath.NewSet()
	set.Iterate(func(at fieldpath.Path) {
		if _, there := valueAt(object, at); there || own.Has(at) || marksForAgent(at) {
			both.Insert(at.Copy())
		} else {
			beside.Insert(at.Copy())
		}
	})
	return both, beside
}

// marksForAgent says whether a path leads to a label or an annotation by which an agent knows, and prunes, its objects.
func marksForAgent(at fieldpath.Path) bool {
	if len(at) != 3 {
		return false
	}
	first, last := at[0].FieldName, at[2].FieldName // nil: an item of a list, as no API server writes it here
	if first == nil || last == nil || *first != "metadata" {
		return false
	}
	return slices.ContainsFunc([]string{"kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "argocd.argoproj.io/"}, func(prefix string) bool {
		return strings.HasPrefix(*last, prefix)
	})
}

// setFields gives an entry a set of fields, and leaves the one that it had as it is.
func setFields(e *metav1.ManagedFieldsEntry, set *fieldpath.Set) error {
	raw, err := set.ToJSON()
	if err == nil {
		e.FieldsV1 = &metav1.FieldsV1{}
		e.FieldsV1.SetRawBytes(raw)
	}
	return err
}

// writeEntries replaces the managed fields of an object that is at a resourceVersion.
func (o fieldOwnership) writeEntries(ctx context.Context, d *desired, entries []metav1.ManagedFieldsEntry, version string) error {
	return o.patchAs(ctx, d, manager, types.JSONPatchType, []any{
		ssa.NewPatchReplace("/metadata/managedFields", entries),
		map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": version},
	})
}

// origin says who had made an object that is adopted, and whose fields were taken over.
func (d *desired) origin() string {
	text := "it was made by " + maker(d.found)
	var names []string
	for _, e := range d.takenOver() {
		name := e.Manager
		if e.Time != nil {
			name += " of " + e.Time.UTC().Format("2006-01-02T15:04:05Z")
		}
		names = append(names, name)
	}
	if len(names) > 0 {
		text += "; fields taken over from " + strings.Join(names, ", ")
	}
	if d.untried != "" {
		text += "; it could not be tried before: " + d.untried
	}
	return text
}

// before is the entries that were taken over as JSON, for the log: whoever wants them back can write them again.
func (d *desired) before() string {
	if len(d.takenOver()) == 0 {
		return ""
	}
	text, err := json.Marshal(d.takenOver())
	if err != nil {
		return ""
	}
	return string(text)
}

// reloadEntries reads an object's field sets anew where they were dropped, and the version lets others own fields of it or an agent does.
func (o fieldOwnership) reloadEntries(ctx context.Context, d *desired) error {
	if d.live == nil || d.live.entries != nil {
		return nil
	}
	if !d.live.byAgent && !o.hasFieldsOfOthers(d) {
		return nil
	}
	var err error
	d.live, err = o.client.readMetadata(ctx, d.kind, d.object)
	return err
}
