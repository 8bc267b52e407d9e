package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/wording"
)

// A Field is the type and meaning that a schema gives to one field of a value, before there is one.
type Field struct {
	Wrong    string // why it cannot be named; empty: it can
	Optional []int  // lengths of the beginnings of its path that a request may leave without a value
	Type     string // as messages call it, such as "a string"; empty where it can be of several
}

// Field describes the field at a path, from its nth step on, where the path has come to the schema.
func (s *Schema) Field(path []string, n int) Field { return fieldAt(s.structural, path, n) }

var typeNames = map[string]string{
	"string": "a string", "boolean": "a boolean", "integer": "an integer", "number": "a number", "array": "a list", "object": "a map",
}

func fieldAt(s *structural.Structural, path []string, n int) Field {
	name := strings.Join(path[:n], ".")
	switch end := n == len(path); {
	case end && !s.XIntOrString:
		return Field{Type: typeNames[s.Type]}
	case end, s.XPreserveUnknownFields, s.XEmbeddedResource:
		return Field{}
	case s.AdditionalProperties != nil:
		return Field{Optional: []int{n + 1}}
	case s.Type == "array":
		return Field{} // which item is there depends on values
	case s.Type != "object":
		return Field{Wrong: fmt.Sprintf("%s is %s and has no field %q", name, typeNames[s.Type], wording.Shorten(path[n]))}
	}
	property, ok := s.Properties[path[n]]
	if !ok {
		return Field{Wrong: wording.NoField(name, path[n], slices.Sorted(maps.Keys(s.Properties)))}
	}
	f := fieldAt(&property, path, n+1)
	absent := property.Default.Object == nil && !required(s, path[n])
	if property.Nullable || absent {
		f.Optional = append(f.Optional, n+1)
	}
	return f
}

func required(s *structural.Structural, field string) bool {
	return s.ValueValidation != nil && slices.Contains(s.ValueValidation.Required, field)
}
