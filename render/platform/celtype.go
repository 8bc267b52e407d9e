package platform

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// parameters declares the type that a schema gives a version's parameters.
func (s *scope) parameters(of *Schema) *scope {
	if of == nil {
		return s // the schema has a Problem, so nothing is known
	}
	return s.with("parameters", s.schema("parameters", of.structural))
}

// schema returns the CEL type of a schema's values. Strings with a format stay strings, as they do in Inputs.
func (s *scope) schema(name string, of *schema.Structural) *cel.Type {
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
		t = cel.ListType(s.schema(name+"[]", of.Items))
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

func (s *scope) objectSchema(name string, of *schema.Structural) *cel.Type {
	switch {
	case of.XPreserveUnknownFields, of.XEmbeddedResource:
		return anyMap
	case of.AdditionalProperties != nil:
		return cel.MapType(cel.StringType, s.schema(name+"{}", of.AdditionalProperties.Structural))
	}
	fields := make(map[string]*cel.Type, len(of.Properties))
	for field, property := range of.Properties {
		fields[field] = s.schema(join(name, field), &property)
	}
	return s.object(name, fields)
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

// outsideType is plainType for those who do not know this scope's object types.
func outsideType(t *cel.Type) *cel.Type {
	switch t.Kind() {
	case types.StructKind:
		return anyMap
	case types.ListKind:
		return cel.ListType(outsideType(t.Parameters()[0]))
	case types.MapKind:
		return cel.MapType(cel.StringType, outsideType(t.Parameters()[1]))
	}
	return t
}

// decimals makes numbers of the whole ones among a value's numbers, so that a value has the type that its schema says
// whichever way it is written.
func decimals(value any, of *schema.Structural) any {
	if of == nil {
		return value
	}
	switch v := value.(type) {
	case int64:
		if of.Type == "number" {
			return float64(v)
		}
	case []any:
		for i := range v {
			v[i] = decimals(v[i], of.Items)
		}
	case map[string]any:
		for k := range v {
			if property, ok := of.Properties[k]; ok {
				v[k] = decimals(v[k], &property)
			} else if of.AdditionalProperties != nil {
				v[k] = decimals(v[k], of.AdditionalProperties.Structural)
			}
		}
	}
	return value
}
