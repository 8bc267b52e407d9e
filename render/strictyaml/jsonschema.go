package strictyaml

import (
	"reflect"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// JSONSchema returns the shape of a type's files as a JSON Schema (draft 7), by the tags that Decode reads. Descriptions of fields
// are found by their path from the root, which has the title; the path of a map's entries ends with .*, of a list's with [].
func JSONSchema(of reflect.Type, title string, descriptions map[string]string, marks ...Mark) map[string]any {
	s := schemer{descriptions: descriptions, marks: marks, definitions: map[string]any{}}
	out := s.schemaOfStruct(of, title)
	out["$schema"] = "http://json-schema.org/draft-07/schema#"
	out["title"] = title
	if len(s.definitions) > 0 {
		out["definitions"] = s.definitions
	}
	return out
}

// A schemer writes types as schemas, in step with decoder, which reads them. A type that refers to itself is a definition.
type schemer struct {
	descriptions map[string]string
	marks        []Mark
	definitions  map[string]any
}

// schemaOf returns the schema of a type at a path, by which its description is known.
func (s *schemer) schemaOf(t reflect.Type, path string) map[string]any {
	if schema := s.schemaOfSpecial(t, path); schema != nil {
		return schema
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.schemaOf(t.Elem(), path)
	case reflect.Struct:
		return s.schemaOfStruct(t, path)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.schemaOf(t.Elem(), path+".*")}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.schemaOf(t.Elem(), path+"[]")}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		return map[string]any{}
	}
}

// schemaOfSpecial is for the types of a parameter schema, as decoder.decodeSpecial is.
func (s *schemer) schemaOfSpecial(t reflect.Type, path string) map[string]any {
	const name = "Schema"
	ref := map[string]any{"$ref": "#/definitions/" + name}
	switch t {
	case reflect.TypeFor[apiextensionsv1.JSON]():
		return map[string]any{}
	case reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrBool]():
		return map[string]any{"anyOf": []any{map[string]any{"type": "boolean"}, s.schemaOf(reflect.TypeFor[apiextensionsv1.JSONSchemaProps](), path)}}
	case reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrArray](), reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrStringArray](),
		reflect.TypeFor[apiextensionsv1.JSONSchemaProps]():
		if s.definitions[name] == nil {
			s.definitions[name] = map[string]any{} // it refers to itself
			s.definitions[name] = s.schemaOfStruct(reflect.TypeFor[apiextensionsv1.JSONSchemaProps](), name)
		}
		return ref
	}
	return nil
}

func (s *schemer) schemaOfStruct(t reflect.Type, path string) map[string]any {
	properties := map[string]any{}
	shape := shapeOf(t)
	for _, name := range shape.names {
		index, at := shape.fields[name], path+"."+name
		schema := s.schemaOf(t.Field(index).Type, at)
		if values := shape.types[index].oneOf; len(values) > 0 {
			schema["enum"] = anyOf(values)
		}
		if about := s.descriptions[at]; about != "" {
			schema["description"] = about
		}
		properties[name] = schema
	}
	for _, m := range s.marks {
		if m.Of == t {
			properties[m.Name] = map[string]any{"type": "boolean", "description": m.Description}
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(shape.required) > 0 {
		out["required"] = anyOf(shape.required)
	}
	return out
}

func anyOf(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
