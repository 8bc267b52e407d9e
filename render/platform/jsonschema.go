package platform

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// objects holds the type that each kind of a platform repository is decoded into.
var objects = map[string]reflect.Type{
	"Offering":    reflect.TypeFor[object[offeringSpec]](),
	"Version":     reflect.TypeFor[object[versionSpec]](),
	"Request":     reflect.TypeFor[object[RequestSpec]](),
	"Environment": reflect.TypeFor[object[environmentSpec]](),
	"Cluster":     reflect.TypeFor[object[clusterSpec]](),
	"Policy":      reflect.TypeFor[object[policySpec]](),
	"Approval":    reflect.TypeFor[object[decisionSpec]](),
	"Hold":        reflect.TypeFor[object[decisionSpec]](),
	"Pin":         reflect.TypeFor[object[decisionSpec]](),
	"Override":    reflect.TypeFor[object[decisionSpec]](),
}

// Kinds lists the kinds that people write, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(objects)) }

// JSONSchema returns the shape of a kind's files as a JSON Schema (draft 7), made of the types that they are decoded
// into, or nil for an unknown kind. It says less than Load does: the meaning of a value, only Load knows.
func JSONSchema(kind string) map[string]any {
	t, known := objects[kind]
	if !known {
		return nil
	}
	s := schemer{definitions: map[string]any{}}
	out := s.object(t, kind)
	properties := out["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"type": "string", "enum": []any{APIVersion}}
	properties["kind"] = map[string]any{"type": "string", "enum": []any{kind}}
	if fields, isDecision := decisions[kind]; isDecision {
		spec := properties["spec"].(map[string]any)["properties"].(map[string]any)
		maps.DeleteFunc(spec, func(name string, _ any) bool { return !slices.Contains(fields, name) })
	}
	out["$schema"] = "http://json-schema.org/draft-07/schema#"
	out["title"] = kind
	if len(s.definitions) > 0 {
		out["definitions"] = s.definitions
	}
	return out
}

// schemer writes types as schemas, in step with decoder, which reads them. A type that refers to itself is a definition.
type schemer struct{ definitions map[string]any }

// of returns the schema of a type at a path, by which its description is known.
func (s *schemer) of(t reflect.Type, path string) map[string]any {
	if schema := s.special(t, path); schema != nil {
		return schema
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), path)
	case reflect.Struct:
		return s.object(t, path)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem(), path+".*")}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem(), path+"[]")}
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

// special is for the types of a parameter schema, as decoder.special is.
func (s *schemer) special(t reflect.Type, path string) map[string]any {
	const name = "Schema"
	ref := map[string]any{"$ref": "#/definitions/" + name}
	switch t {
	case reflect.TypeFor[apiextensionsv1.JSON]():
		return map[string]any{}
	case reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrBool]():
		return map[string]any{"anyOf": []any{map[string]any{"type": "boolean"}, s.of(reflect.TypeFor[apiextensionsv1.JSONSchemaProps](), path)}}
	case reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrArray](), reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrStringArray](),
		reflect.TypeFor[apiextensionsv1.JSONSchemaProps]():
		if s.definitions[name] == nil {
			s.definitions[name] = map[string]any{} // it refers to itself
			schema := s.object(reflect.TypeFor[apiextensionsv1.JSONSchemaProps](), name)
			schema["properties"].(map[string]any)[displayMark] = map[string]any{
				"type": "boolean", "description": "Show the parameter's value wherever requests are listed",
			}
			s.definitions[name] = schema
		}
		return ref
	}
	return nil
}

func (s *schemer) object(t reflect.Type, path string) map[string]any {
	properties, required := map[string]any{}, []any{}
	fields := fieldsOf(t)
	for _, name := range sortedKeys(fields) {
		f, at := t.Field(fields[name]), path+"."+name
		schema := s.of(f.Type, at)
		if values := f.Tag.Get("oneof"); values != "" {
			schema["enum"] = anyOf(strings.Split(values, "|"))
		}
		if about := descriptions[at]; about != "" {
			schema["description"] = about
		}
		if f.Tag.Get("decode") == "required" {
			required = append(required, name)
		}
		properties[name] = schema
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
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
