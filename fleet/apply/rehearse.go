package apply

import (
	"context"
	"errors"
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
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// rehearsal finds out, by dry runs, the effects of taking over objects that others made, before anything is written. The effects
// that a person has to approve are the target's adoption then.
type rehearsal struct{ *target }

// rehearseAdoption has the API server say, before the first write of an instance that takes something over, whether it would take
// all of it, and finds out which fields the objects that are there would lose. It leaves faults with the objects that would be
// refused, and an adoption that waits for a person with the target.
func (r rehearsal) rehearseAdoption(ctx context.Context) error {
	if !slices.ContainsFunc(r.all(), func(d *desired) bool { return d.adopts }) {
		return nil
	}
	of := r.trialOf()
	if r.known(of) {
		return nil
	}
	if err := each(ctx, r.all(), r.rehearse); err != nil {
		return err
	}
	if !r.stopped() {
		r.adoption = r.proposeAdoption()
	}
	r.remember(of)
	return nil
}

// waits says whether nothing may be written yet although nothing is wrong: an adoption waits for a person, or an object
// changed while it was looked at.
func (r rehearsal) waits() bool {
	return r.adoption != nil || slices.ContainsFunc(r.all(), func(d *desired) bool { return d.unsure })
}

// rehearse asks the API server, as a dry run, whether it would take one object as it is desired.
func (r rehearsal) rehearse(ctx context.Context, d *desired) error {
	deleting, applied := d.live != nil && d.live.deleting, d.isAtRevision() && !d.adopts
	if d.fault != "" || deleting || applied || r.leave(d) {
		return nil
	}
	if d.untried = r.missingBefore(d); d.untried == "" {
		return r.dryRunApply(ctx, d)
	}
	return r.predictEffect(ctx, d)
}

// missingBefore says why the API server cannot be asked about an object yet: its kind is not served, or its CRD or its namespace comes
// with the instance itself; empty if it can.
func (r rehearsal) missingBefore(d *desired) string {
	if d.kind == nil {
		return "the cluster does not serve its kind yet"
	}
	if d.sealed != nil && r.in.Keys == nil {
		return "its values are sealed, and there is no key here"
	}
	for _, other := range r.all() {
		u := unstructured.Unstructured{Object: other.content}
		switch other.object.Kind {
		case "Namespace":
			if other.live == nil && other.object.Name == d.object.Namespace {
				return "its namespace comes with the instance"
			}
		case crds.gvk.Kind:
			group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
			if changes := !other.isAtRevision(); changes && group == d.object.Group && kind == d.object.Kind {
				return "its CRD comes with the instance"
			}
		}
	}
	return ""
}

// dryRunApply makes the dry run, and finds out how it would change an object that is taken over.
func (r rehearsal) dryRunApply(ctx context.Context, d *desired) error {
	nulls := slices.DeleteFunc(d.stale(), func(f filled) bool { return f.branch || f.shared })
	content, err := opened(&r.in, d, cleared(r.boundContent(d), nulls))
	if err != nil {
		leaveSealed(d, err)
		return nil
	}
	options := forced(metav1.DryRunAll)
	if d.adopts && !d.isSecret() {
		after, err := r.writerOf(d).patchWhole(ctx, d.kind, d.object, types.ApplyPatchType, content, options)
		if err != nil {
			return r.handleRefusal(ctx, d, err)
		}
		return r.findEffect(ctx, d, entriesOf(after), after)
	}
	after, err := r.writerOf(d).patch(ctx, d.kind, d.object, types.ApplyPatchType, content, options)
	if err != nil {
		return r.handleRefusal(ctx, d, err)
	}
	return r.findEffect(ctx, d, entriesOf(after), nil)
}

func (m *manifest) isSecret() bool { return m.object.Group == "" && m.object.Kind == "Secret" }

// handleRefusal sorts out why a dry run was refused: a refusal that the applying itself would get past is no fault of the object.
func (r rehearsal) handleRefusal(ctx context.Context, d *desired, err error) error {
	field, _ := immutable(statusOf(err))
	switch {
	case !answered(err):
		return &objectError{d, err}
	case apierrors.IsConflict(err), apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		d.unsure = true
		return r.recordRefusal(d, err)
	case field != "" && d.live != nil && !d.adopts && r.owns(d) && d.replaceable():
		return nil // it is replaced
	case apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run"):
		d.untried = answerText(d, err)
	case d.claimsFirst(err) != "":
		d.untried = d.claimsFirst(err) + " is there of a strategy before, and goes first"
	case apierrors.IsNotFound(err):
		d.untried = "the cluster serves neither its kind nor its namespace yet"
	case r.rightsCome(err):
		d.untried = "the rights of its ServiceAccount come with the namespace"
	case r.comesWithInstance(d, err) != "":
		d.untried = fmt.Sprintf("it needs %s, which comes with the instance", r.comesWithInstance(d, err))
	default:
		return r.recordRefusal(d, err)
	}
	return r.predictEffect(ctx, d)
}

// rightsCome says whether a refusal is about rights of an account, and the namespace file, which may give them, is not written yet.
func (r rehearsal) rightsCome(err error) bool {
	var denied *deniedError
	return errors.As(err, &denied) && slices.ContainsFunc(r.teamObjects, func(d *desired) bool { return !d.isAtRevision() })
}

// comesWithInstance names the object of the same instance that is not there yet and that an answer of the API server is about.
func (r rehearsal) comesWithInstance(d *desired, err error) string {
	if !apierrors.IsForbidden(err) {
		return ""
	}
	message := strings.ToLower(err.Error())
	for _, other := range r.objects {
		name := regexp.MustCompile(`(^|[^-.a-z0-9])` + regexp.QuoteMeta(other.object.Name) + `([^-.a-z0-9]|$)`)
		if other != d && other.live == nil && strings.Contains(message, strings.ToLower(other.object.Kind)) && name.MatchString(message) {
			return other.object.String()
		}
	}
	return ""
}

// predictEffect finds out how taking over an object would change it where the API server cannot be asked. It may name fields
// that stay, since it is not known which fields have a default.
func (r rehearsal) predictEffect(ctx context.Context, d *desired) error {
	if !d.adopts {
		return nil
	}
	e := &Effect{Object: d.object, Outside: r.outside(d)}
	var err error
	if !r.isTeamObject(d) {
		if d.inherited, err = inherit(d.live.entries, r.fieldSetOfOthers(d)); err != nil {
			return fmt.Errorf("read the managed fields of %s: %w", d.object, err)
		}
	}
	content := r.appliedFields(d)
	for _, at := range missing(entrySet(ownEntry(d.inherited)), func(at fieldpath.Path) bool {
		_, there := valueAt(content, at)
		return there
	}) {
		e.Fields = append(e.Fields, field(at))
	}
	if selectorOf(d.gvk.GroupKind(), content) != nil {
		before, err := r.readWhole(ctx, d)
		if err != nil || before == nil {
			return err
		}
		if e.Selects, err = r.compareSelectors(ctx, d, before.Object, content); err != nil {
			return err
		}
	}
	d.noteEffect(e)
	return nil
}

// findEffect finds out how taking over an object would change it, given its entries after a dry run, and all of it where that
// is no Secret.
func (r rehearsal) findEffect(ctx context.Context, d *desired, entries []metav1.ManagedFieldsEntry, after *unstructured.Unstructured) error {
	if !d.adopts {
		return nil
	}
	e := &Effect{Object: d.object, Outside: r.outside(d)}
	if r.isTeamObject(d) || d.isNamespace() {
		d.noteEffect(e) // fields that others own of a namespace stay
		return nil
	}
	var err error
	if d.inherited, err = inherit(d.live.entries, r.fieldSetOfOthers(d)); err != nil {
		return fmt.Errorf("read the managed fields of %s: %w", d.object, err)
	}
	inherited := d.inherited
	if inherited == nil {
		inherited = d.live.entries // ours, where a request that is gone kept it
	}
	gone := departing(inherited, entries)
	if d.isSecret() {
		for _, at := range gone {
			if name := *at[0].FieldName; name == "data" || name == "metadata" { // the rest has defaults
				e.Fields = append(e.Fields, field(at))
			}
		}
		d.noteEffect(e)
		return nil
	}
	if len(gone) > 0 || selectorOf(d.gvk.GroupKind(), d.content) != nil {
		before, err := r.readWhole(ctx, d)
		if err != nil || before == nil {
			return err
		}
		if after, err = r.dryRunWithout(ctx, d, before, after, gone, e); err != nil || after == nil {
			return err
		}
		if e.Selects, err = r.compareSelectors(ctx, d, before.Object, after.Object); err != nil {
			return err
		}
	}
	d.noteEffect(e)
	return nil
}

// dryRunWithout has the API server say how an object would be without the fields that nobody would own any more: a field that
// has a default comes back. It adds to the effect those that do not come back as they were, and returns the object; nil if
// it would be refused, or is not known yet.
func (r rehearsal) dryRunWithout(ctx context.Context, d *desired, before, after *unstructured.Unstructured, gone []fieldpath.Path, e *Effect,
) (*unstructured.Unstructured, error) {
	if len(gone) == 0 {
		return after, nil
	}
	next := any(after.Object)
	for _, at := range gone {
		next = cut(next, at)
	}
	tried, err := r.writerOf(d).patchWhole(ctx, d.kind, d.object, types.JSONPatchType, difference(before, next.(map[string]any)), metav1.PatchOptions{
		FieldManager: manager, FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	if err != nil {
		return nil, r.handleRefusal(ctx, d, err)
	}
	for _, at := range gone {
		was, had := valueAt(before.Object, at)
		is, has := valueAt(tried.Object, at)
		same := has && reflect.DeepEqual(was, is)
		if had && !same {
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
			same := had == has && reflect.DeepEqual(was, is)
			switch at := prefix + pointer(name); {
			case same, slices.Contains(kept, name):
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

// readWhole reads all of an object that is taken over, if it still is as it was first read; nil if it is not.
func (r rehearsal) readWhole(ctx context.Context, d *desired) (u *unstructured.Unstructured, err error) {
	u, err = r.client.readWhole(ctx, d.kind, d.object)
	if err != nil && !answered(err) {
		return nil, fmt.Errorf("read %s: %w", d.object, err)
	}
	if err != nil || u.GetResourceVersion() != d.live.version {
		d.again, d.unsure, d.status = true, true, progressing(d, "somebody else wrote it at the same time")
		return nil, nil
	}
	return u, nil
}

var podKind = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
