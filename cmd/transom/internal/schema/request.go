package schema

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// requestSchema is the JSON Schema of a request for an offering: that of every Request, with the parameters of the
// offering's versions. A request names a range of versions, so a value that any of them takes is valid here; where they
// differ, check knows which one it is.
func requestSchema(o *platform.Offering) map[string]any {
	schema := platform.JSONSchema("Request")
	schema["title"] = "Request for " + o.Name
	if o.Title != "" {
		schema["title"] = "Request for " + o.Title
	}
	spec := propertyOf(schema, "spec")
	propertyOf(spec, "offering")["enum"] = []any{o.Name}
	var parameters map[string]any
	for _, v := range slices.Backward(o.Versions) {
		if v.Parameters != nil && !v.Broken && v.Lifecycle != platform.Withdrawn {
			parameters = either(parameters, strict(v.Parameters.OpenAPI()))
		}
	}
	if parameters == nil {
		return schema
	}
	required, _ := parameters["required"].([]any)
	delete(parameters, "required") // each environment may give them
	describe(parameters, propertyOf(spec, "parameters"))
	spec["properties"].(map[string]any)["parameters"] = parameters

	environment := propertyOf(spec, "environments")["additionalProperties"].(map[string]any)
	patch := patchOf(parameters)
	patch["type"] = "object"
	describe(patch, propertyOf(environment, "parameters"))
	environment["properties"].(map[string]any)["parameters"] = patch
	if len(required) > 0 {
		spec["allOf"] = somewhere(required)
	}
	return schema
}

// describe gives a schema the description of the one that it replaces, unless it has its own.
func describe(schema, replaced map[string]any) {
	if schema["description"] == nil && replaced["description"] != nil {
		schema["description"] = replaced["description"]
	}
}

// somewhere requires each parameter either once for all environments or in every environment.
func somewhere(required []any) (all []any) {
	for _, name := range required {
		given := map[string]any{
			"required":   []any{"parameters"},
			"properties": map[string]any{"parameters": map[string]any{"type": "object", "required": []any{name}}},
		}
		all = append(all, map[string]any{"anyOf": []any{given, map[string]any{
			"properties": map[string]any{"environments": map[string]any{"type": "object", "additionalProperties": given}},
		}}})
	}
	return all
}

// either merges the parameters of two versions: it allows the values that one of them takes. The required ones are those
// that both ask for.
func either(newer, older map[string]any) map[string]any {
	if newer == nil {
		return older
	}
	out := maps.Clone(newer)
	properties := map[string]any{}
	for name := range propertiesOfBoth(newer, older) {
		a, b := propertyOf(newer, name), propertyOf(older, name)
		switch {
		case a == nil:
			properties[name] = b
		case b == nil || reflect.DeepEqual(a, b):
			properties[name] = a
		default:
			properties[name] = map[string]any{"anyOf": []any{a, b}, "description": a["description"]}
		}
	}
	out["properties"] = properties
	if out["additionalProperties"] == false {
		out["additionalProperties"] = older["additionalProperties"]
	}
	var both []any
	required, _ := newer["required"].([]any)
	for _, name := range required {
		if isRequired(older, name.(string)) {
			both = append(both, name)
		}
	}
	if out["required"] = both; len(both) == 0 {
		delete(out, "required")
	}
	return out
}

func propertiesOfBoth(a, b map[string]any) map[string]any {
	all := map[string]any{}
	for _, schema := range []map[string]any{a, b} {
		properties, _ := schema["properties"].(map[string]any)
		maps.Copy(all, properties)
	}
	return all
}

// strict turns an OpenAPI schema into a JSON Schema that refuses the fields that Transom refuses: those that it does not
// name.
func strict(schema map[string]any) map[string]any {
	out := deep(schema, strict)
	if schema["x-kubernetes-int-or-string"] == true {
		out["type"] = []any{"integer", "string"}
	}
	if schema["nullable"] == true && out["type"] != nil {
		out["type"] = orNull(out["type"])
	}
	_, named := schema["properties"]
	if out["type"] == "object" && out["additionalProperties"] == nil && schema["x-kubernetes-preserve-unknown-fields"] != true {
		out["additionalProperties"] = false
		if !named {
			out["properties"] = map[string]any{}
		}
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		if out[exclusive] == true { // in a JSON Schema it is the number
			out[exclusive] = out[bound]
			delete(out, bound)
		} else {
			delete(out, exclusive)
		}
	}
	maps.DeleteFunc(out, func(name string, _ any) bool { return strings.HasPrefix(name, "x-kubernetes-") || name == "nullable" })
	return out
}

// patchOf is the schema of a JSON merge patch over the values of a schema: nothing is required, null removes.
func patchOf(schema map[string]any) map[string]any {
	out := deep(schema, patchOf)
	if items, ok := schema["items"]; ok {
		out["items"] = items // a list is replaced as a whole
	}
	delete(out, "required")
	delete(out, "default")
	delete(out, "minProperties")
	if out["type"] != nil {
		out["type"] = orNull(out["type"])
	}
	if values, ok := out["enum"].([]any); ok {
		out["enum"] = append(slices.Clone(values), nil)
	}
	return out
}

func orNull(kind any) []any {
	if several, ok := kind.([]any); ok {
		return append(slices.Clone(several), "null")
	}
	return []any{kind, "null"}
}

// deep copies a schema with a function applied to every schema directly inside.
func deep(schema map[string]any, apply func(map[string]any) map[string]any) map[string]any {
	out := maps.Clone(schema)
	if properties, ok := schema["properties"].(map[string]any); ok {
		changed := map[string]any{}
		for name, property := range properties {
			changed[name] = apply(property.(map[string]any))
		}
		out["properties"] = changed
	}
	for _, field := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[field].(map[string]any); ok {
			out[field] = apply(inner)
		}
	}
	for _, field := range []string{"allOf", "anyOf", "oneOf"} {
		if several, ok := schema[field].([]any); ok {
			changed := make([]any, len(several))
			for i, inner := range several {
				changed[i] = apply(inner.(map[string]any))
			}
			out[field] = changed
		}
	}
	return out
}
