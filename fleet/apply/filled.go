package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// A filled is a field that the API server fills by the other fields of an object, where the object leaves it out. Nobody owns it,
// so that it stays as it was filled when the object comes to say something else: a Deployment that becomes Recreate keeps the
// parameters of RollingUpdate, and is refused. So it is taken away in the same step, and the API server fills it anew if it
// has to.
//
// The table has the fields of this kind that the types of k8s.io/api have; a test takes their unions from each form to each other.
type filled struct {
	parent []string // the path to the object that has the field; "*" is every item of a list
	field  string
	stale  func(parent map[string]any) bool // says of a parent that leaves the field out whether it must not stay as it is

	branch bool // it has fields itself, so that a null would not take it away: it is claimed, and goes by not being applied
	shared bool // others may own it, and then keep it
}

// strategy is the field of a workload that says how its pods are replaced.
func strategy(field string) filled {
	return filled{parent: []string{"spec", field}, field: "rollingUpdate", branch: true, stale: func(strategy map[string]any) bool {
		return strategy["type"] != nil && strategy["type"] != "RollingUpdate"
	}}
}

// podFields are those of a pod's spec.
func podFields(template ...string) []filled {
	spec := append(slices.Clone(template), "spec")
	return []filled{
		{parent: append(slices.Clone(spec), "volumes", "*"), field: "emptyDir", stale: func(volume map[string]any) bool {
			return len(volume) > 1 // a name and another source
		}},
		// Of the two names of a service account, the API server fills each with the other.
		{parent: spec, field: "serviceAccount", stale: func(pod map[string]any) bool { return pod["serviceAccountName"] == nil }},
		{parent: spec, field: "serviceAccountName", stale: func(pod map[string]any) bool { return pod["serviceAccount"] != nil }},
	}
}

var fills = map[schema.GroupKind][]filled{
	{Group: "apps", Kind: "Deployment"}:  append(podFields("spec", "template"), strategy("strategy")),
	{Group: "apps", Kind: "StatefulSet"}: append(podFields("spec", "template"), strategy("updateStrategy")),
	{Group: "apps", Kind: "DaemonSet"}:   append(podFields("spec", "template"), strategy("updateStrategy")),
	{Group: "apps", Kind: "ReplicaSet"}:  podFields("spec", "template"),
	{Group: "batch", Kind: "CronJob"}:    podFields("spec", "jobTemplate", "spec", "template"),
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: {
		{parent: []string{"spec"}, field: "policyTypes", stale: func(map[string]any) bool { return true }, shared: true},
	},
}

// stale are the fields that a desired object leaves out and that must not stay as the API server filled them.
func (d *desired) stale() (all []filled) {
	if d.live == nil {
		return nil
	}
	for _, f := range fills[d.gvk.GroupKind()] {
		if _, stale := f.clear(d.content, f.parent); stale {
			all = append(all, f)
		}
	}
	return all
}

// claimStale claims the stale fields of an object that a null would not take away, and returns the others.
func (o fieldOwnership) claimStale(ctx context.Context, d *desired) (nulls []filled, err error) {
	for _, f := range d.stale() {
		if !f.branch && !f.shared {
			nulls = append(nulls, f)
			continue
		}
		there, err := o.readWhole(ctx, d)
		switch {
		case err != nil:
			return nil, err
		case there == nil:
		case f.branch:
			if err := o.claimField(ctx, d, &f, there); err != nil {
				return nil, err
			}
		case !f.ownedByOthers(entriesOf(there)):
			nulls = append(nulls, f)
		}
	}
	return nulls, nil
}

// claimsFirst says whether a dry run was refused for a stale field that is claimed before the object is applied.
func (d *desired) claimsFirst(err error) string {
	for field := range causedFields(statusOf(err)) {
		for _, f := range d.stale() {
			if f.branch && field == strings.Join(append(slices.Clone(f.parent), f.field), ".") {
				return field
			}
		}
	}
	return ""
}

// cleared are the fields that are applied of an object, with nulls.
func cleared(content map[string]any, nulls []filled) map[string]any {
	for _, f := range nulls {
		object, _ := f.clear(content, f.parent)
		content, _ = object.(map[string]any)
	}
	return content
}

// clear returns an object with a null for the field, and says whether it leaves a stale one out.
func (f *filled) clear(object any, path []string) (cleared any, stale bool) {
	switch object := object.(type) {
	case map[string]any:
		rest := maps.Clone(object)
		switch {
		case len(path) > 0:
			if inner, there := object[path[0]]; there {
				rest[path[0]], stale = f.clear(inner, path[1:])
			}
		case object[f.field] == nil && f.stale(object):
			rest[f.field], stale = nil, true
		}
		return rest, stale
	case []any:
		rest := slices.Clone(object)
		for i, item := range object {
			var of bool
			rest[i], of = f.clear(item, path[1:])
			stale = stale || of
		}
		return rest, stale
	}
	return object, false
}

func (f *filled) path() fieldpath.Path {
	var path fieldpath.Path
	for _, name := range append(slices.Clone(f.parent), f.field) {
		path = append(path, fieldpath.FieldNameElement(name))
	}
	return path
}

// ownedByOthers says whether another manager owns the field or a part of it.
func (f *filled) ownedByOthers(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return !isOwn(&e) && e.Subresource != "status" && touches(entrySet(&e), f.path())
	})
}

// readWhole reads the whole of an object; nil if it is gone or another one by now.
func (o fieldOwnership) readWhole(ctx context.Context, d *desired) (u *unstructured.Unstructured, err error) {
	u, err = o.client.readWhole(ctx, d.kind, d.object)
	if err == nil && u.GetUID() == d.live.uid() {
		return u, nil
	}
	if err != nil && !answered(err) {
		return nil, fmt.Errorf("read %s: %w", d.object, err)
	}
	return nil, nil
}

// claimField makes a field ours alone, so that it goes once the object is applied without it. The write touches nothing but
// the managed fields, and is bound to the resourceVersion that they were read at: a daemon that dies after it leaves an object
// that is as it was.
func (o fieldOwnership) claimField(ctx context.Context, d *desired, f *filled, there *unstructured.Unstructured) error {
	if _, filled, _ := unstructured.NestedFieldNoCopy(there.Object, append(slices.Clone(f.parent), f.field)...); !filled {
		return nil
	}
	only := fieldpath.NewSet(f.path())
	entries := entriesOf(there)
	for i := range entries {
		e := &entries[i]
		if e.FieldsV1 == nil {
			continue
		}
		set := entrySet(e).RecursiveDifference(only)
		if isOwn(e) {
			set.Insert(f.path())
		}
		raw, err := set.ToJSON()
		if err != nil {
			return fmt.Errorf("encode the managed fields of %s: %w", d.object, err)
		}
		e.FieldsV1.SetRawBytes(raw)
	}
	before := d.live
	if err := o.writeEntries(ctx, d, entries, there.GetResourceVersion()); err != nil {
		return err
	}
	d.live.carryOver(before)
	return nil
}
