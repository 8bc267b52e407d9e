package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Rehearse is Observe that also finds the effects of adopting: the API server is asked about every object of the instance, as
// a dry run, and nothing is written.
func (c *Cluster) Rehearse(ctx context.Context, in Instance) (Result, error) {
	return c.pass(ctx, in, mode{rehearse: true})
}

// tryAdoption has the API server say, before the first write of an instance that takes something over, whether it would take
// all of it, and finds out which fields the objects that are there would lose. It leaves faults with the objects that would be
// refused, and an adoption that waits for a person with the pass.
func (p *pass) tryAdoption(ctx context.Context) error {
	if !slices.ContainsFunc(p.all(), func(d *desired) bool { return d.adopts }) {
		return nil
	}
	if err := each(ctx, p.all(), p.try); err != nil {
		return err
	}
	if !p.stopped() {
		p.adoption = p.weigh()
	}
	return nil
}

// holdsBack says whether nothing may be written yet although nothing is wrong: an adoption waits for a person, or an object
// changed while it was looked at.
func (p *pass) holdsBack() bool {
	return p.adoption != nil || slices.ContainsFunc(p.all(), func(d *desired) bool { return d.unsure })
}

// try asks the API server, as a dry run, whether it would take one object as it is desired.
func (p *pass) try(ctx context.Context, d *desired) error {
	if d.fault != "" || d.live != nil && (d.live.deleting || !d.adopts && d.live.digest == d.digest) {
		return nil
	}
	if d.untried = p.awaits(d); d.untried == "" {
		return p.tryApply(ctx, d)
	}
	return p.tryBlind(ctx, d)
}

// awaits says why the API server cannot be asked about an object yet: its kind is not served, or its CRD or its namespace comes
// with the instance itself; empty if it can.
func (p *pass) awaits(d *desired) string {
	if d.kind == nil {
		return "the cluster does not serve its kind yet"
	}
	for _, other := range p.all() {
		u := unstructured.Unstructured{Object: other.content}
		switch other.object.Kind {
		case "Namespace":
			if other.live == nil && other.object.Name == d.object.Namespace {
				return "its namespace comes with the instance"
			}
		case crds.gvk.Kind:
			group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
			if changes := other.live == nil || other.live.digest != other.digest; changes && group == d.object.Group && kind == d.object.Kind {
				return "its CRD comes with the instance"
			}
		}
	}
	return ""
}

// tryApply makes the dry run, and finds out how it would change an object that is taken over.
func (p *pass) tryApply(ctx context.Context, d *desired) error {
	nulls := slices.DeleteFunc(d.stale(), func(f filled) bool { return f.branch || f.shared })
	body, err := json.Marshal(cleared(p.bound(d), nulls))
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.object, err)
	}
	force := true
	options := metav1.PatchOptions{
		FieldManager: manager, Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	}
	if d.adopts && !d.secret() {
		after, err := p.patchWhole(ctx, d, types.ApplyPatchType, body, options)
		if err != nil {
			return p.untaken(ctx, d, err)
		}
		return p.effects(ctx, d, after.GetManagedFields(), after)
	}
	var after []metav1.ManagedFieldsEntry
	err = p.ask(ctx, func(ctx context.Context) error {
		m, err := p.Cluster.objects(d.kind, d.object.Namespace).Patch(ctx, d.object.Name, types.ApplyPatchType, body, options)
		if err == nil {
			after = m.GetManagedFields()
		}
		return err
	})
	if err != nil {
		return p.untaken(ctx, d, err)
	}
	return p.effects(ctx, d, after, nil)
}

func (d *desired) secret() bool { return d.object.Group == "" && d.object.Kind == "Secret" }

// bound are the fields that are applied of an object, bound to the object that is known to be there.
func (p *pass) bound(d *desired) map[string]any {
	content := bind(p.begins(d, p.asked(d)), "resourceVersion", "1")
	if d.live != nil {
		content = bind(p.asked(d), "uid", string(d.live.uid))
	}
	if d.adopts {
		content = bind(content, "resourceVersion", d.live.version)
	}
	return content
}

// untaken sorts out why a dry run was refused: a refusal that the applying itself would get past is no fault of the object.
func (p *pass) untaken(ctx context.Context, d *desired, err error) error {
	field, _ := immutable(statusOf(err))
	switch {
	case !answered(err):
		return fmt.Errorf("%s: %w", d.object, err)
	case apierrors.IsConflict(err), apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		d.unsure = true
		return p.blame(d, err)
	case field != "" && d.live != nil && !d.adopts && p.owns(d) && d.replaceable():
		return nil // it is replaced
	case apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run"):
		d.untried = said(d, err)
	case d.claimsFirst(err) != "":
		d.untried = d.claimsFirst(err) + " is there of a strategy before, and goes first"
	case apierrors.IsNotFound(err):
		d.untried = "the cluster serves neither its kind nor its namespace yet"
	case p.comesWith(d, err) != "":
		d.untried = fmt.Sprintf("it needs %s, which comes with the instance", p.comesWith(d, err))
	default:
		return p.blame(d, err)
	}
	return p.tryBlind(ctx, d)
}

// comesWith names the object of the same instance that is not there yet and that an answer of the API server is about.
func (p *pass) comesWith(d *desired, err error) string {
	if !apierrors.IsForbidden(err) {
		return ""
	}
	message := strings.ToLower(err.Error())
	for _, other := range p.objects {
		name := regexp.MustCompile(`(^|[^-.a-z0-9])` + regexp.QuoteMeta(other.object.Name) + `([^-.a-z0-9]|$)`)
		if other != d && other.live == nil && strings.Contains(message, strings.ToLower(other.object.Kind)) && name.MatchString(message) {
			return other.object.String()
		}
	}
	return ""
}

// tryBlind finds out how taking over an object would change it where the API server cannot be asked. It may name fields
// that stay, since it is not known which fields have a default.
func (p *pass) tryBlind(ctx context.Context, d *desired) error {
	if !d.adopts {
		return nil
	}
	e := &Effect{Object: d.object, Outside: p.outside(d)}
	var err error
	if !p.isAround(d) {
		if d.inherited, err = inherit(d.live.entries, p.leftToOthers(d)); err != nil {
			return fmt.Errorf("read the managed fields of %s: %w", d.object, err)
		}
	}
	content := p.asked(d)
	for _, at := range missing(entrySet(ownEntry(d.inherited)), func(at fieldpath.Path) bool {
		_, there := valueAt(content, at)
		return there
	}) {
		e.Fields = append(e.Fields, field(at))
	}
	if selectorOf(d.gvk.GroupKind(), content) != nil {
		before, err := p.readWhole(ctx, d)
		if err != nil || before == nil {
			return err
		}
		if e.Selects, err = p.selection(ctx, d, before.Object, content); err != nil {
			return err
		}
	}
	d.note(e)
	return nil
}

func (p *pass) isAround(d *desired) bool { return slices.Contains(p.around, d) }

// effects finds out how taking over an object would change it, given its entries after a dry run, and all of it where that
// is no Secret.
func (p *pass) effects(ctx context.Context, d *desired, entries []metav1.ManagedFieldsEntry, after *unstructured.Unstructured) error {
	if !d.adopts {
		return nil
	}
	e := &Effect{Object: d.object, Outside: p.outside(d)}
	if p.isAround(d) || d.object.Group == "" && d.object.Kind == "Namespace" {
		d.note(e) // fields that others own of a namespace stay
		return nil
	}
	var err error
	if d.inherited, err = inherit(d.live.entries, p.leftToOthers(d)); err != nil {
		return fmt.Errorf("read the managed fields of %s: %w", d.object, err)
	}
	inherited := d.inherited
	if inherited == nil {
		inherited = d.live.entries // ours, where a request that is gone left it
	}
	gone := departing(inherited, entries)
	if d.secret() {
		for _, at := range gone {
			if name := *at[0].FieldName; name == "data" || name == "metadata" { // the rest has defaults
				e.Fields = append(e.Fields, field(at))
			}
		}
		d.note(e)
		return nil
	}
	if len(gone) > 0 || selectorOf(d.gvk.GroupKind(), d.content) != nil {
		before, err := p.readWhole(ctx, d)
		if err != nil || before == nil {
			return err
		}
		if after, err = p.tryWithout(ctx, d, before, after, gone, e); err != nil || after == nil {
			return err
		}
		if e.Selects, err = p.selection(ctx, d, before.Object, after.Object); err != nil {
			return err
		}
	}
	d.note(e)
	return nil
}

// note keeps an effect that a person decides about.
func (d *desired) note(e *Effect) {
	if e.Outside || len(e.Fields) > 0 || e.Selects != nil {
		d.effect = e
	}
}

// tryWithout has the API server say how an object would be without the fields that nobody would own any more: a field that
// has a default comes back. It adds to the effect those that do not come back as they were, and returns the object; nil if
// it would be refused, or is not known yet.
func (p *pass) tryWithout(ctx context.Context, d *desired, before, after *unstructured.Unstructured, gone []fieldpath.Path, e *Effect,
) (*unstructured.Unstructured, error) {
	if len(gone) == 0 {
		return after, nil
	}
	next := any(after.Object)
	for _, at := range gone {
		next = cut(next, at)
	}
	body, err := json.Marshal(difference(before, next.(map[string]any)))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", d.object, err)
	}
	tried, err := p.patchWhole(ctx, d, types.JSONPatchType, body, metav1.PatchOptions{
		FieldManager: manager, FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	if err != nil {
		return nil, p.untaken(ctx, d, err)
	}
	for _, at := range gone {
		was, had := valueAt(before.Object, at)
		is, has := valueAt(tried.Object, at)
		if had && (!has || !reflect.DeepEqual(was, is)) {
			e.Fields = append(e.Fields, field(at))
		}
	}
	return tried, nil
}

// difference is the JSON patch that makes one object of another, but for its status and for the fields that the API server keeps.
func difference(from *unstructured.Unstructured, to map[string]any) []map[string]any {
	ops := []map[string]any{{"op": "replace", "path": "/metadata/resourceVersion", "value": from.GetResourceVersion()}}
	add := func(prefix string, from, to map[string]any, kept []string) {
		names := maps.Clone(from)
		maps.Copy(names, to)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			was, had := from[name]
			is, has := to[name]
			switch at := prefix + pointer(name); {
			case slices.Contains(kept, name) || reflect.DeepEqual(was, is) && had == has:
			case has:
				ops = append(ops, map[string]any{"op": "add", "path": at, "value": is})
			default:
				ops = append(ops, map[string]any{"op": "remove", "path": at})
			}
		}
	}
	had, _ := from.Object["metadata"].(map[string]any)
	has, _ := to["metadata"].(map[string]any)
	add("/metadata/", had, has, notApplied["metadata"])
	add("/", from.Object, to, append([]string{"metadata"}, notApplied[""]...))
	return ops
}

// pointer is a name as a part of a JSON pointer.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// whole is the client for objects of a kind with all that is in them. It is for no Secret.
func (c *Cluster) whole(k *kind, namespace string) dynamic.ResourceInterface {
	if k.namespaced {
		return c.dynamic.Resource(k.resource).Namespace(namespace)
	}
	return c.dynamic.Resource(k.resource)
}

func (p *pass) patchWhole(ctx context.Context, d *desired, how types.PatchType, body []byte, options metav1.PatchOptions,
) (after *unstructured.Unstructured, err error) {
	err = p.ask(ctx, func(ctx context.Context) error {
		after, err = p.whole(d.kind, d.object.Namespace).Patch(ctx, d.object.Name, how, body, options)
		return err
	})
	return after, err
}

// readWhole reads all of an object that is taken over, if it still is as it was first read; nil if it is not.
func (p *pass) readWhole(ctx context.Context, d *desired) (u *unstructured.Unstructured, err error) {
	err = p.ask(ctx, func(ctx context.Context) error {
		u, err = p.whole(d.kind, d.object.Namespace).Get(ctx, d.object.Name, metav1.GetOptions{})
		return err
	})
	if err != nil && !answered(err) {
		return nil, fmt.Errorf("read %s: %w", d.object, err)
	}
	if err != nil || u.GetResourceVersion() != d.live.version {
		d.again, d.unsure, d.status = true, true, later(d, "somebody else wrote it at the same time")
		return nil, nil
	}
	return u, nil
}

var podKind = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
