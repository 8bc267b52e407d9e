package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"transom.dev/render/state"
)

// Added is a field that somebody set by hand beside those of an instance: its manifest does not have it, and nobody else owns it. It is also one that an
// agent such as Flux set, of an object that Transom applies.
type Added struct {
	Object  Object    `json:"object"`
	Field   string    `json:"field"`
	Manager string    `json:"manager"`
	At      time.Time `json:"at,omitzero"` // when the manager last changed something of the object
	Goes    bool      `json:"goes,omitempty"`
	Agent   bool      `json:"agent,omitempty"` // the manager is an agent such as Flux
}

// String is the form "Deployment.apps payments/web: kubectl-edit set spec.paused at 2026-01-02T15:04:05Z".
func (a Added) String() string { return a.Object.String() + ": " + a.text() }

func (a Added) text() string {
	text := a.Manager + " set " + a.Field
	if !a.At.IsZero() {
		text += " at " + a.At.UTC().Format(time.RFC3339)
	}
	return text
}

// mostAdded bounds the fields that are shown of one object.
const mostAdded = 20

// addition is a field of an object that managers by hand alone own.
type addition struct {
	path    fieldpath.Path
	field   string
	manager string
	at      time.Time
	agent   bool // the manager is an agent, which may go on applying the object
}

func (a addition) same(b addition) bool {
	return a.field == b.field && a.manager == b.manager && a.at.Equal(b.at)
}

// byHand says whether an entry is of kubectl or Helm, by which people write objects past Transom. Controllers have names of their own.
func byHand(e *metav1.ManagedFieldsEntry) bool {
	return e.Subresource == "" && !isAgent(e) && (isApplier(e) || strings.HasPrefix(e.Manager, "kubectl-"))
}

// restarted is the annotation by which "kubectl rollout restart" restarts pods. It is a record of that and changes nothing else.
const restarted = "kubectl.kubernetes.io/restartedAt"

// additions are the topmost fields of an object that nobody but managers by hand owns, sorted, and then the first of those that nobody but
// agents owns, where we apply the object as well.
func additions(entries []metav1.ManagedFieldsEntry) []addition {
	all := additionsBy(byHand, entries)
	if ownEntry(entries) == nil {
		return all
	}
	if more := additionsBy(isAgent, entries); len(more) > 0 {
		more[0].agent = true
		all = append(all, more[0])
	}
	return all
}

// additionsBy are the topmost fields of an object that nobody but some managers owns, sorted.
func additionsBy(counts func(*metav1.ManagedFieldsEntry) bool, entries []metav1.ManagedFieldsEntry) (all []addition) {
	if !slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return counts(&e) }) {
		return nil
	}
	others, hands := fieldpath.NewSet(), fieldpath.NewSet()
	for i := range entries {
		if e := &entries[i]; counts(e) {
			hands = hands.Union(entrySet(e))
		} else {
			others = others.Union(entrySet(e))
		}
	}
	for _, at := range missing(hands, func(at fieldpath.Path) bool { return isParent(at) || reaches(others, at) }) {
		if last := at[len(at)-1].FieldName; last != nil && *last == restarted {
			continue
		}
		if all = append(all, addition{path: at, field: field(at)}); len(all) == mostAdded {
			break
		}
	}
	for i := range entries {
		e := &entries[i]
		if !counts(e) {
			continue
		}
		set := entrySet(e)
		for n := range all {
			a := &all[n]
			newest := e.Time == nil || !e.Time.Time.Before(a.at)
			if newest && touches(set, a.path) {
				if a.manager = e.Manager; e.Time != nil {
					a.at = e.Time.Time
				}
			}
		}
	}
	return all
}

// reaches says whether a set has a path or something below it. That it has a field above says nothing here: of one that is owned as a
// whole nobody owns a part, so that the set has an empty mapping there.
func reaches(set *fieldpath.Set, at fieldpath.Path) bool {
	for n, e := range at {
		below := set.WithPrefix(e)
		if below.Empty() {
			return n == len(at)-1 && set.Members.Has(e)
		}
		set = below
	}
	return true
}

// isParent says whether a path leads to fields of which each is told for itself, although the manifest has none: the parts of an object,
// its data, its labels and its annotations.
func isParent(at fieldpath.Path) bool {
	names := []string{"metadata", "spec", "data", "binaryData"}
	if len(at) > 1 {
		if in := at[len(at)-2].FieldName; in == nil || *in != "metadata" {
			return false
		}
		names = []string{"labels", "annotations"}
	}
	last := at[len(at)-1].FieldName
	return last != nil && slices.Contains(names, *last)
}

// goes says whether drift: strict takes an addition back. Labels and annotations of the object itself are the notes of others, as are
// its finalizers and owners.
func (d *desired) goes(a addition) bool {
	top := *a.path[0].FieldName
	if a.agent {
		return false // it would come back: the agent has to be stopped
	}
	return d.annotation(state.AnnotationDrift) == state.DriftStrict && top != "metadata" && top != "status"
}

// takeBack removes the additions to an object that its environment does not leave to others, with one request that is bound to the
// object as it was read: either all of them go, or nothing changes.
func (w writer) takeBack(ctx context.Context, d *desired) error {
	if d.fault != "" || !d.isAtRevision() || d.live.deleting || w.leave(d) {
		return nil
	}
	found := w.added(d, d.live.added)
	first := slices.IndexFunc(found, d.goes)
	if first < 0 {
		return nil
	}
	if a := found[first]; !d.live.corrections.allow(time.Now()) {
		d.fault = fmt.Sprintf("%s keeps setting %s. It is taken back more and more seldom: make it stop, put the field into the "+
			"version, or list it under the version's spec.ignore", a.manager, a.field)
		d.again = true
		return nil
	}
	if err := w.fence.ensure(ctx); err != nil {
		return err
	}
	taken, ops, err := w.removals(ctx, d)
	if err != nil || len(taken) == 0 {
		return err
	}
	reason := strings.Join(taken, ", ") + "; drift: strict took it back"
	before := d.live
	after, err := w.writerOf(d).patch(ctx, d.kind, d.object, types.JSONPatchType, ops, metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		if err := w.recordRefusal(d, err); err != nil || d.fault == "" {
			return err
		}
		d.fault = fmt.Sprintf("%s, and drift: strict cannot take it back: %s; put it into the version, or list it under the version's spec.ignore",
			strings.Join(taken, ", "), d.fault)
		return nil
	}
	l := reduceMeta(d.gvk.GroupKind(), after)
	l.recordWrite(before, true)
	d.putAnswer(l)
	if d.change == nil {
		d.change = &Change{Object: d.object, Action: Configured}
	}
	d.change.Corrects, d.change.Reason = true, strings.TrimPrefix(d.change.Reason+"; "+reason, "; ")
	return nil
}

// removals are the operations of a JSON patch that take back the additions to an object, and what they take back. The items of
// lists have no names there, so that the object is read for their indexes. Of a Secret nothing but names is read.
func (w writer) removals(ctx context.Context, d *desired) (taken []string, ops []map[string]any, err error) {
	found, version := d.live.added, d.live.version
	var whole any
	if !d.isSecret() {
		u, err := w.fields.readWhole(ctx, d)
		if err != nil || u == nil {
			d.again = err == nil
			return nil, nil, err
		}
		whole, found, version = u.Object, additions(entriesOf(u)), u.GetResourceVersion()
	}
	ops = append(ops, map[string]any{"op": "replace", "path": "/metadata/resourceVersion", "value": version})
	for _, a := range w.added(d, found) {
		if !d.goes(a) {
			continue
		}
		at, ok := jsonPointer(whole, a.path)
		if !ok {
			continue
		}
		if whole != nil {
			whole = cut(whole, a.path)
		}
		ops = append(ops, map[string]any{"op": "remove", "path": at})
		taken = append(taken, Added{Field: a.field, Manager: a.manager, At: a.at}.text())
	}
	return taken, ops, nil
}

// jsonPointer is the location that a path leads to in an object, as JSON patches name it; false if it is not there. Without an object the
// path must have no items of lists.
func jsonPointer(object any, at fieldpath.Path) (string, bool) {
	var b strings.Builder
	known := object != nil
	for n, e := range at {
		b.WriteByte('/')
		if e.FieldName != nil {
			b.WriteString(pointer(*e.FieldName))
		} else {
			list, _ := object.([]any)
			i := itemAt(list, e)
			if i < 0 {
				return "", false
			}
			fmt.Fprint(&b, i)
		}
		if known {
			var ok bool
			if object, ok = valueAt(object, at[n:n+1]); !ok {
				return "", false
			}
		}
	}
	return b.String(), true
}
