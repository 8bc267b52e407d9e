package expression

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// Schema returns the CEL type of a schema's values. Strings with a format stay strings, as they do in Inputs.
func (s *Scope) Schema(name string, of *schema.Structural) *cel.Type {
	if of == nil || of.XIntOrString {
		return cel.DynType
	}
	var t *cel.Type
	switch of.Type {
	case "string":
		t = cel.StringType
	case "boolean":
		t = cel.BoolType
	case "integer":
		t = cel.IntType
	case "number":
		t = cel.DoubleType
	case "array":
		t = cel.ListType(s.Schema(name+"[]", of.Items))
	case "object":
		t = s.objectSchema(name, of)
	default:
		return cel.DynType
	}
	if !of.Nullable {
		return t
	}
	if of.Type == "array" || of.Type == "object" {
		return cel.DynType
	}
	return cel.NullableType(t)
}

func (s *Scope) objectSchema(name string, of *schema.Structural) *cel.Type {
	switch {
	case of.XPreserveUnknownFields, of.XEmbeddedResource:
		return AnyMap
	case of.AdditionalProperties != nil:
		return cel.MapType(cel.StringType, s.Schema(name+"{}", of.AdditionalProperties.Structural))
	}
	fields := make(map[string]*cel.Type, len(of.Properties))
	for field, property := range of.Properties {
		fields[field] = s.Schema(name+"."+field, &property)
	}
	return s.Object(name, fields)
}

// plainType returns the type of a result once it is a plain value, or says why it cannot be one.
func plainType(t *cel.Type) (*cel.Type, error) {
	switch t.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.DoubleKind, types.DynKind, types.AnyKind, types.StructKind:
		return t, nil
	case types.UintKind:
		return cel.IntType, nil
	case types.NullTypeKind:
		return cel.DynType, nil
	case types.ListKind:
		item, err := plainType(t.Parameters()[0])
		return cel.ListType(item), err
	case types.MapKind:
		key, value := t.Parameters()[0], t.Parameters()[1]
		if key.Kind() != types.StringKind && key.Kind() != types.DynKind && key.Kind() != types.TypeParamKind {
			return nil, fmt.Errorf("results in a map with a key of type %s; keys must be strings", key)
		}
		value, err := plainType(value)
		return cel.MapType(cel.StringType, value), err
	case types.TypeParamKind: // of an empty list or map
		return cel.DynType, nil
	}
	if t.IsAssignableType(types.NullType) { // a string, number or boolean that may be null
		return cel.DynType, nil
	}
	return nil, fmt.Errorf("results in a %s, which has no form in YAML; use string()", t)
}

// Outside is plainType for those who do not know this scope's object types.
func Outside(t *cel.Type) *cel.Type {
	switch t.Kind() {
	case types.StructKind:
		return AnyMap
	case types.ListKind:
		return cel.ListType(Outside(t.Parameters()[0]))
	case types.MapKind:
		return cel.MapType(cel.StringType, Outside(t.Parameters()[1]))
	}
	return t
}

// JSONType names the type of JSON Schema that all values of a type have; empty: they may have several.
func JSONType(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "string"
	case types.BoolKind:
		return "boolean"
	case types.IntKind, types.UintKind:
		return "integer"
	case types.DoubleKind:
		return "number"
	case types.ListKind:
		return "array"
	case types.MapKind, types.StructKind:
		return "object"
	}
	return ""
}
