package kustomize

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/utils"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// An origin is where a replacement reads its value.
type origin struct {
	inputs bool
	path   []string    // in the inputs, or in the object
	object string      // for people; empty: the inputs, or the replacement itself
	value  *yaml.RNode // in the object; nil: not known before there are inputs
}

// String is such as parameters.size, or data.size of ConfigMap settings.
func (o origin) String() string {
	switch {
	case o.object != "":
		return strings.Join(o.path, ".") + " of " + o.object
	case o.inputs:
		return strings.Join(o.path, ".")
	}
	return "its sourceValue"
}

// origin finds where a replacement reads its value in the objects of its stage. A mistake in that is reported, and then it
// is not known.
func (a *analysis) origin(w *write) (from origin, known bool) {
	if w.Source == nil {
		if w.SourceValue == nil {
			a.problem(w, "source", "has neither source nor sourceValue; say where its value comes from")
			return origin{}, false
		}
		return origin{value: yaml.NewStringRNode(*w.SourceValue)}, true
	}
	if path, ok := InputsPath(w.Source); ok {
		return origin{inputs: true, path: path}, true
	}
	path := []string{"metadata", "name"}
	if w.Source.FieldPath != "" {
		path = utils.SmarterPathSplitter(w.Source.FieldPath, ".")
	}
	var objects []*resource.Resource
	for _, r := range a.stage.Resources() {
		if slices.ContainsFunc(idsOf(r, a.affixes), func(id resid.ResId) bool { return id.IsSelectedBy(w.Source.ResId) }) {
			objects = append(objects, r)
		}
	}
	switch {
	case len(objects) == 0:
		a.problem(w, "no-source", fmt.Sprintf("the source %s matches no object; correct it, or add the object", describeSource(w.Source.ResId)))
		return origin{}, false
	case len(objects) > 1:
		a.problem(w, "source", fmt.Sprintf("the source %s matches %s and %s; say which one",
			describeSource(w.Source.ResId), nameOfObject(objects[0]), nameOfObject(objects[1])))
		return origin{}, false
	}
	from = origin{path: path, object: nameOfObject(objects[0])}
	if a.brought(from.object, path) {
		return from, true
	}
	value, err := objects[0].Pipe(yaml.Lookup(path...))
	if err != nil || value.IsNilOrEmpty() {
		a.problem(w, "no-value", fmt.Sprintf("reads %s, which has no value there; give it one, or read another field", from))
		return origin{}, false
	}
	from.value = value
	return from, true
}

func describeSource(id resid.ResId) string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"group", id.Group}, {"version", id.Version}, {"kind", id.Kind}, {"name", id.Name}, {"namespace", id.Namespace},
	} {
		if part.value != "" {
			parts = append(parts, part.name+": "+part.value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// judge checks a value of an object against the field that it is written to: Kustomize writes nothing of a map or list into a
// scalar, and a scalar instead of a map or list. Among scalars it converts, and people use it for that.
func (a *analysis) judge(t target, from origin) {
	if from.inputs || from.value == nil {
		return
	}
	if t.field != nil && a.brought(t.object, utils.SmarterPathSplitter(t.path, ".")) {
		return
	}
	is := typeOf(from.value.YNode())
	taken := t.write.Source != nil && t.write.Source.Options != nil && t.write.Source.Options.Delimiter != ""
	collection := from.value.YNode().Kind != yaml.ScalarNode
	message := ""
	switch {
	case taken && collection:
		message = fmt.Sprintf("%s is %s, of which no part can be taken", from, is)
	case t.split && t.field != nil && t.field.YNode().Kind != yaml.ScalarNode:
		message = fmt.Sprintf("%s of %s is %s, of which no part can be replaced", t.path, t.object, typeOf(t.field.YNode()))
	case t.metadataText() && collection:
		message = t.structureless(from.String(), is)
	case t.field == nil:
	default:
		structures := collection || t.field.YNode().Kind != yaml.ScalarNode
		if to := typeOf(t.field.YNode()); to != is && structures {
			message = fmt.Sprintf("%s is %s, but %s of %s is %s, and Kustomize would write no valid value there; make them the same type",
				from, is, t.path, t.object, to)
		}
	}
	if message != "" {
		a.problem(t.write, RuleStructure, message)
	}
}

// RuleStructure is the rule of Problems about maps and lists that are written into text, and text instead of those, where
// values do not come from the inputs, or go into a new label or annotation. It is newer than versions that run.
const RuleStructure = "structure"

// structureless is the message about a map or list that is written into a new label or annotation.
func (t target) structureless(source, from string) string {
	return fmt.Sprintf("%s is %s, but %s of %s is a string, and Kustomize would write nothing; read a string",
		source, from, t.path, t.object)
}

// metadataText reports whether the target is a label or an annotation, which Kustomize keeps as text whatever is written.
func (t target) metadataText() bool {
	steps := utils.SmarterPathSplitter(t.path, ".")
	return len(steps) == 3 && steps[0] == "metadata" && slices.Contains([]string{"annotations", "labels"}, steps[1])
}
