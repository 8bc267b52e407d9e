package apply

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"transom.dev/render/builtin"
	"transom.dev/render/platform"
)

// hasFieldsOfOthers says whether a desired object has a field that others may own.
func (t *target) hasFieldsOfOthers(d *desired) bool {
	return slices.ContainsFunc(t.fieldsOfOthers(d), func(field string) bool {
		_, there, _ := unstructured.NestedFieldNoCopy(d.content, strings.Split(field, ".")...)
		return there
	})
}

// appliedFields are the fields that are applied of a desired object: all of them, but for those that the version lets others own, or
// that its scaler sets, and that others do own now.
func (t *target) appliedFields(d *desired) map[string]any {
	content, fields := d.content, t.fieldsOfOthers(d)
	if d.live == nil || len(fields) == 0 {
		return content
	}
	own := fieldSet(ownEntry(d.live.entries))
	for _, field := range fields {
		content = leaveToOthers(content, own, strings.Split(field, "."))
	}
	return content
}

// leaveToOthers returns an object without the field, if the field set does not own it.
func leaveToOthers(object, own map[string]any, field []string) map[string]any {
	value, ok := object[field[0]]
	if !ok {
		return object
	}
	node, owned := fieldSegment(field[0]).find(own)
	if owned && len(node) == 0 {
		return object
	}
	rest := maps.Clone(object)
	if len(field) == 1 {
		if owned {
			return object
		}
		delete(rest, field[0])
		return rest
	}
	inner, ok := value.(map[string]any)
	if !ok {
		return object
	}
	rest[field[0]] = leaveToOthers(inner, node, field[1:])
	return rest
}

// findScaled finds the objects that another object of the instance scales, with the fewest replicas that it gives them.
func (t *target) findScaled() {
	t.scaled = map[Object]int64{}
	for _, by := range t.objects {
		scaler := builtin.ScalerOf(by.object.Group, by.object.Kind)
		if scaler == nil {
			continue
		}
		reference, _, _ := unstructured.NestedStringMap(by.content, scaler.Target...)
		target := builtin.ScaleTarget{APIVersion: reference["apiVersion"], Kind: reference["kind"], Name: reference["name"]}
		minimum, _, _ := unstructured.NestedInt64(by.content, scaler.Minimum...)
		for _, d := range t.objects {
			if d.object.Namespace == by.object.Namespace && target.Names(d.object.Group, d.object.Kind, d.object.Name) {
				t.scaled[d.object] = max(t.scaled[d.object], minimum)
			}
		}
	}
}

// othersScale says whether others set the replicas of an object: a scaler of the instance, or whoever the version leaves them to.
func (t *target) othersScale(d *desired) bool {
	_, scaled := t.scaled[d.object]
	return scaled || slices.ContainsFunc(t.in.Ignore, func(i platform.Ignore) bool {
		return i.Group == d.object.Group && i.Kind == d.object.Kind && slices.Contains(i.Fields, builtin.ReplicasField)
	})
}

// fieldsOfOthers are the fields of a desired object that belong to others once they own them, such as spec.replicas.
func (t *target) fieldsOfOthers(d *desired) (fields []string) {
	for _, i := range t.in.Ignore {
		if i.Group == d.object.Group && i.Kind == d.object.Kind {
			fields = append(fields, i.Fields...)
		}
	}
	if _, scaled := t.scaled[d.object]; scaled {
		fields = append(fields, builtin.ReplicasField)
	}
	return fields
}

// withFewestReplicas gives a workload that is to be made the fewest replicas of its scaler, so that it does not begin with one.
func (t *target) withFewestReplicas(d *desired, content map[string]any) map[string]any {
	minimum := t.scaled[d.object]
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

// fieldSetOfOthers is the set of fields of a desired object that the version leaves to others.
func (t *target) fieldSetOfOthers(d *desired) *fieldpath.Set {
	set := fieldpath.NewSet()
	for _, field := range t.fieldsOfOthers(d) {
		var path fieldpath.Path
		for name := range strings.SplitSeq(field, ".") {
			path = append(path, fieldpath.FieldNameElement(name))
		}
		set.Insert(path)
	}
	return set
}

// added are the additions to an object of the instance that are no business of others, as they are known of an object that is there.
func (t *target) added(d *desired, all []addition) []addition {
	if len(all) == 0 || d.adopts || d.isNamespace() {
		return nil
	}
	others := t.fieldSetOfOthers(d)
	for _, key := range d.keys { // a person may set a generated value anew
		others.Insert(fieldpath.MakePathOrDie("data", key))
	}
	return slices.DeleteFunc(slices.Clone(all), func(a addition) bool {
		_, desired := valueAt(d.content, a.path)
		return desired || a.agent && t.in.External || touches(others, a.path)
	})
}

// boundContent are the fields that are applied of an object, bound to the object that is known to be there.
func (t *target) boundContent(d *desired) map[string]any {
	content := bind(t.withFewestReplicas(d, t.appliedFields(d)), "resourceVersion", "1")
	if d.live != nil {
		content = bind(t.appliedFields(d), "uid", string(d.live.uid()))
	}
	if d.adopts {
		content = bind(content, "resourceVersion", d.live.version)
	}
	return content
}

// bind sets a field of an object's metadata that the API server compares with the object that is there.
func bind(content map[string]any, field, value string) map[string]any {
	metadata, _ := content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata[field] = value
	content = maps.Clone(content)
	content["metadata"] = metadata
	return content
}
