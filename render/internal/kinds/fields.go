package kinds

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/schema"

	"transom.dev/render/wording"
)

// converter knows the fields of all kinds. Reading its schema takes a while, once.
var converter = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(scheme.Scheme) })

// A kind is where the fields of one kind, in one version, are found.
type kind struct {
	schema *schema.Schema
	root   schema.TypeRef
}

var known sync.Map // from API version and kind to *kind; nil: not one of Kubernetes

func kindOf(apiVersion, name string) *kind {
	key := [2]string{apiVersion, name}
	if k, ok := known.Load(key); ok {
		return k.(*kind)
	}
	var found *kind
	bare := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": name}}
	if typed, err := converter().ObjectToTyped(bare); err == nil {
		if _, described := typed.Schema().Resolve(typed.TypeRef()); described {
			found = &kind{typed.Schema(), typed.TypeRef()}
		}
	}
	known.Store(key, found)
	return found
}

// Fields finds fields that a built-in kind does not have, values of another type than their field's, and entries of a
// list that are told apart by some fields and agree in those. Of other kinds it finds nothing, nor in a status, which is not
// applied.
func Fields(apiVersion, name string, object *yaml.Node) []Fault {
	k := kindOf(apiVersion, name)
	if k == nil {
		return nil
	}
	w := walker{schema: k.schema}
	w.visit(object, k.root)
	return slices.DeleteFunc(w.faults, func(f Fault) bool { return f.Path[0].Name == "status" })
}

// A walker goes through an object and its schema side by side.
type walker struct {
	schema *schema.Schema
	path   Path
	faults []Fault
}

func (w *walker) report(value *yaml.Node, rule, format string, args ...any) {
	w.faults = append(w.faults, Fault{slices.Clone(w.path), rule, fmt.Sprintf(format, args...), value, true})
}

func (w *walker) visit(n *yaml.Node, of schema.TypeRef) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if of.NamedType != nil {
		if judge := written[*of.NamedType]; judge != nil {
			if wrong := judge(n); wrong != "" {
				w.report(n, "value", "%s", wrong)
			}
			return
		}
	}
	atom, ok := w.schema.Resolve(of)
	switch {
	case !ok:
	case n.Kind == yaml.MappingNode && atom.Map != nil:
		w.mapping(n, atom.Map)
		if of.NamedType != nil {
			w.words(n, *of.NamedType)
		}
	case n.Kind == yaml.SequenceNode && atom.List != nil:
		w.sequence(n, atom.List)
	case n.Kind == yaml.ScalarNode && atom.Scalar != nil:
		w.scalar(n, *atom.Scalar)
	case atom.Map != nil:
		w.report(n, "type", "is %s and must be a map", describe(n))
	case atom.List != nil:
		w.report(n, "type", "is %s and must be a list", describe(n))
	case atom.Scalar != nil:
		w.report(n, "type", "is %s and must be %s", describe(n), scalars[*atom.Scalar])
	}
}

func (w *walker) mapping(n *yaml.Node, m *schema.Map) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		of := m.ElementType
		if field, ok := m.FindField(name); ok {
			of = field.Type
		} else if of == (schema.TypeRef{}) {
			w.path = append(w.path, Step{Name: name})
			w.report(nil, "unknown-field", "unknown field%s", wording.Suggest(name, fieldsOf(m)))
			w.path = w.path[:len(w.path)-1]
			continue
		}
		w.path = append(w.path, Step{Name: name})
		w.visit(n.Content[i+1], of)
		w.path = w.path[:len(w.path)-1]
	}
}

func fieldsOf(m *schema.Map) []string {
	names := map[string]bool{}
	for _, f := range m.Fields {
		names[f.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (w *walker) sequence(n *yaml.Node, list *schema.List) {
	seen := map[string]int{} // by the keys that tell entries apart
	for i, entry := range n.Content {
		step := Step{Index: i, entry: true}
		if list.ElementRelationship == schema.Associative && len(list.Keys) > 0 {
			step.Keys = w.keys(entry, list)
		}
		w.path = append(w.path, step)
		if list.ElementRelationship == schema.Associative {
			w.unique(entry, step, list, seen)
		}
		w.visit(entry, list.ElementType)
		w.path = w.path[:len(w.path)-1]
	}
}

// unique reports an entry that another one before it equals, as far as the API server can tell.
func (w *walker) unique(entry *yaml.Node, step Step, list *schema.List, seen map[string]int) {
	id, text := "", ""
	switch {
	case len(list.Keys) == 0 && entry.Kind == yaml.ScalarNode && entry.ShortTag() != "!!null":
		id, text = entry.ShortTag()+entry.Value, fmt.Sprintf("%q", entry.Value)
	case step.Keys == nil:
		return
	default:
		var with []string
		for _, key := range list.Keys {
			id += fmt.Sprintf("%q", step.Keys[key])
			with = append(with, fmt.Sprintf("%s %q", key, step.Keys[key]))
		}
		text = "with " + strings.Join(with, " and ")
	}
	if first, twice := seen[id]; twice {
		w.report(nil, "duplicate-entry", "is the second entry %s, after entry %d; keep one of them", text, first)
		return
	}
	seen[id] = step.Index
}

// keys are the values of the fields that tell an entry from the others; nil where it lacks one, which is reported.
func (w *walker) keys(entry *yaml.Node, list *schema.List) map[string]string {
	if entry.Kind != yaml.MappingNode {
		return nil
	}
	atom, ok := w.schema.Resolve(list.ElementType)
	if !ok || atom.Map == nil {
		return nil
	}
	keys := make(map[string]string, len(list.Keys))
	for _, key := range list.Keys {
		value := valueOf(entry, key)
		field, _ := atom.Map.FindField(key)
		switch {
		case value == nil && field.Default == nil:
			return nil
		case value == nil:
			keys[key] = fmt.Sprint(field.Default)
		case value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null":
			return nil
		default:
			keys[key] = value.Value
		}
	}
	return keys
}

func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}
