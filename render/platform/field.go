package platform

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/wording"
)

// Field is the type and meaning that a version gives to one field of its Inputs, before there are any.
type Field struct {
	Wrong    string // why it cannot be named; empty: it can
	Optional []int  // lengths of the beginnings of its path that a request may leave without a value
	Type     string // as messages call it, such as "a string"; empty where it can be of several
}

// Field describes the field at a path of the Inputs object.
func (v *Version) Field(path []string) Field {
	root, rest := path[0], path[1:]
	switch root {
	case "parameters":
		return schemaField(v.Parameters.structural, path, 1)
	case "metadata", "apiVersion", "kind":
		return Field{}
	case "namespace":
		if v.Scope == ClusterScoped {
			return Field{Wrong: "a cluster-scoped version has no namespace"}
		}
		return Field{Type: "a string"}
	}
	t := v.inputs().variables[root]
	if t == nil {
		return Field{Wrong: fmt.Sprintf("there is no %q in the inputs", wording.Shorten(root)) + wording.Suggest(root, v.inputs().names())}
	}
	f := v.inputs().field(t, root, rest)
	if root == "bindings" && len(rest) > 0 && !v.Bindings[rest[0]].Required {
		f.Optional = append(f.Optional, 2)
	}
	return f
}

// inputs is the scope of the fields that can be read of an instance once it is evaluated.
func (v *Version) inputs() *scope {
	if v.names == nil {
		return inputsScope()
	}
	return v.names
}

func (s *scope) field(t *cel.Type, name string, path []string) Field {
	if len(path) == 0 {
		return Field{Type: typeName(t)}
	}
	switch t.Kind() {
	case types.StructKind:
		fields := s.objects[t.TypeName()]
		next := fields[path[0]]
		if next == nil {
			return Field{Wrong: noField(name, path[0], sortedKeys(fields))}
		}
		return s.field(next, name+"."+path[0], path[1:])
	case types.StringKind, types.BoolKind, types.IntKind, types.DoubleKind:
		return Field{Wrong: fmt.Sprintf("%s is %s and has no field %q", name, typeName(t), wording.Shorten(path[0]))}
	}
	return Field{} // it depends on values
}

func typeName(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "a string"
	case types.BoolKind:
		return "a boolean"
	case types.IntKind:
		return "an integer"
	case types.DoubleKind:
		return "a number"
	case types.ListKind:
		return "a list"
	case types.MapKind, types.StructKind:
		return "a map"
	}
	return ""
}

func noField(name, field string, known []string) string {
	hint := wording.Suggest(field, known)
	if hint == "" {
		hint = "; there is " + wording.List(known)
	}
	return fmt.Sprintf("%s has no field %q%s", name, wording.Shorten(field), hint)
}

var schemaTypes = map[string]string{
	"string": "a string", "boolean": "a boolean", "integer": "an integer", "number": "a number", "array": "a list", "object": "a map",
}

// schemaField looks at a path from its nth step on, where it has come to a schema.
func schemaField(s *schema.Structural, path []string, n int) Field {
	name := strings.Join(path[:n], ".")
	switch end := n == len(path); {
	case end && !s.XIntOrString:
		return Field{Type: schemaTypes[s.Type]}
	case end, s.XPreserveUnknownFields, s.XEmbeddedResource:
		return Field{}
	case s.AdditionalProperties != nil:
		return Field{Optional: []int{n + 1}}
	case s.Type == "array":
		return Field{} // which item is there depends on values
	case s.Type != "object":
		return Field{Wrong: fmt.Sprintf("%s is %s and has no field %q", name, schemaTypes[s.Type], wording.Shorten(path[n]))}
	}
	property, ok := s.Properties[path[n]]
	if !ok {
		return Field{Wrong: noField(name, path[n], sortedKeys(s.Properties))}
	}
	f := schemaField(&property, path, n+1)
	if property.Nullable || property.Default.Object == nil && !required(s, path[n]) {
		f.Optional = append(f.Optional, n+1)
	}
	return f
}

func required(s *schema.Structural, field string) bool {
	if s.ValueValidation == nil {
		return false
	}
	for _, name := range s.ValueValidation.Required {
		if name == field {
			return true
		}
	}
	return false
}

// Guards reports whether the component is chosen only where a field of the inputs has a value: its condition asks for
// it, or could not be evaluated without it.
func (c Component) Guards(path []string) bool {
	if c.When == nil {
		return false
	}
	want := strings.Join(path, ".")
	for _, guarded := range c.When.guards {
		if guarded == want || strings.HasPrefix(guarded, want+".") {
			return true
		}
	}
	return false
}

// guardsOf lists the fields that have a value wherever an expression is true.
func guardsOf(e ast.Expr) (paths []string) {
	switch e.Kind() {
	case ast.SelectKind:
		if path := pathOf(e); !strings.Contains(path, " ") {
			return []string{path}
		}
		return guardsOf(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		if name := call.FunctionName(); name == "_||_" || name == "_?_:_" || name == "!_" {
			return nil
		}
		if call.IsMemberFunction() {
			paths = guardsOf(call.Target())
		}
		for _, argument := range call.Args() {
			paths = append(paths, guardsOf(argument)...)
		}
	}
	return paths
}
