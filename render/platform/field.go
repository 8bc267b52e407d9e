package platform

import (
	"fmt"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/expression"
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
	f := Field{}
	f.Wrong, f.Type = v.inputs().Field(path)
	if root == "bindings" && len(rest) > 0 && !v.Bindings[rest[0]].Required {
		f.Optional = append(f.Optional, 2)
	}
	return f
}

// inputs is the scope of the fields that can be read of an instance once it is evaluated.
func (v *Version) inputs() *expression.Scope {
	if v.names == nil {
		return inputsScope()
	}
	return v.names
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
		return Field{Wrong: wording.NoField(name, path[n], sortedKeys(s.Properties))}
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
func (c Component) Guards(path []string) bool { return c.When != nil && c.When.Guards(path) }
