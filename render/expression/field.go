package expression

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"transom.dev/render/wording"
)

// Field says why a path of fields below the variables cannot be selected, or, where it can be, the type that it has as
// messages call it, such as "a string"; neither where that depends on values.
func (s *Scope) Field(path []string) (wrong, kind string) {
	t := s.variables[path[0]]
	if t == nil {
		return fmt.Sprintf("there is no %q in the inputs", wording.Shorten(path[0])) + wording.Suggest(path[0], s.Names()), ""
	}
	return s.field(t, path[0], path[1:])
}

func (s *Scope) field(t *Type, name string, path []string) (wrong, kind string) {
	if len(path) == 0 {
		return "", typeName(t)
	}
	switch t.Kind() {
	case types.StructKind:
		fields := s.objects[t.TypeName()]
		next := fields[path[0]]
		if next == nil {
			return wording.NoField(name, path[0], sortedKeys(fields)), ""
		}
		return s.field(next, name+"."+path[0], path[1:])
	case types.StringKind, types.BoolKind, types.IntKind, types.DoubleKind:
		return fmt.Sprintf("%s is %s and has no field %q", name, typeName(t), wording.Shorten(path[0])), ""
	}
	return "", "" // it depends on values
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
