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

// appliers are the managers, by their exact name, of tools that apply whole objects from files. Whoever adopts such an object
// comes after them: their fields become ours, so that a field goes once a later version drops it.
var appliers = []string{"kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl", "before-first-apply", "helm"}

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
	raw, err := entrySet(own).RecursiveDifference(others).ToJSON()
	if err != nil {
		return nil, err
	}
	own.FieldsV1.SetRawBytes(raw)
	return all.ManagedFields, nil
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

// reloadEntries reads an object's field sets anew where they were dropped and the version lets others own fields of it.
func (o fieldOwnership) reloadEntries(ctx context.Context, d *desired) error {
	if d.live == nil || d.live.entries != nil || !o.hasFieldsOfOthers(d) {
		return nil
	}
	var err error
	d.live, err = o.client.readMetadata(ctx, d.kind, d.object)
	return err
}
