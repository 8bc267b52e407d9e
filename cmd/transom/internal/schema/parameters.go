// Package schema describes the fields that a version of an offering lets a request set: as parameters in words, as an
// example of a request, and as JSON Schemas, by which editors complete files and the command line types its values.
//
// In come a platform and its offerings; out come plain data and text. It decides nothing: whether a request is right is
// render/platform's to say.
package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// A Parameter is one field that a version lets a request set, as people look it up.
type Parameter struct {
	Name        string   `json:"name"` // such as storage, or database.host
	Type        string   `json:"type"`
	Required    bool     `json:"required,omitempty"`
	Default     any      `json:"default,omitempty"`
	Description string   `json:"description,omitempty"`
	Constraints []string `json:"constraints,omitempty"`
}

// Parameters lists a version's parameters: required ones first, those inside an object after it.
func Parameters(v *platform.Version) (all []Parameter, rules []string) {
	if v.Parameters == nil {
		return nil, nil
	}
	schema := v.Parameters.OpenAPI()
	return propertiesOf("", schema), rulesOf(schema)
}

// propertiesOf lists the properties of an object, and after each those inside it.
func propertiesOf(prefix string, schema map[string]any) (all []Parameter) {
	for _, name := range propertyNames(schema) {
		property := propertyOf(schema, name)
		all = append(all, Parameter{
			Name: prefix + name, Type: typeOf(property), Required: isRequired(schema, name), Default: property["default"],
			Description: text(property["description"]), Constraints: append(constraintsOf(property), rulesOf(property)...),
		})
		all = append(all, propertiesOf(prefix+name+".", property)...)
	}
	return all
}

// propertyNames sorts an object's properties: required ones first.
func propertyNames(schema map[string]any) []string {
	properties, _ := schema["properties"].(map[string]any)
	var required, optional []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if isRequired(schema, name) {
			required = append(required, name)
		} else {
			optional = append(optional, name)
		}
	}
	return append(required, optional...)
}

// propertyOf is the schema of a property; nil: the schema has none of that name.
func propertyOf(schema map[string]any, name string) map[string]any {
	properties, _ := schema["properties"].(map[string]any)
	property, _ := properties[name].(map[string]any)
	return property
}

func isRequired(schema map[string]any, name string) bool {
	required, _ := schema["required"].([]any)
	return slices.Contains(required, any(name))
}

// typeOf says a type in words: string, list of integer, map of string.
func typeOf(schema map[string]any) string {
	if schema["x-kubernetes-int-or-string"] == true {
		return "integer or string"
	}
	kind := text(schema["type"])
	if items, ok := schema["items"].(map[string]any); ok && kind == "array" {
		return "list of " + typeOf(items)
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok && kind == "object" {
		return "map of " + typeOf(values)
	}
	if kind == "" {
		return "anything"
	}
	return kind
}

// constraintsOf lists the constraints of a value beside its type.
func constraintsOf(schema map[string]any) (all []string) {
	if values, ok := schema["enum"].([]any); ok {
		var names []string
		for _, v := range values {
			names = append(names, yamledit.Inline(v, true))
		}
		all = append(all, "one of "+strings.Join(names, ", "))
	}
	for _, c := range []struct{ field, format string }{
		{"pattern", "matches %s"},
		{"format", "format %s"},
		{"minimum", "at least %s"},
		{"maximum", "at most %s"},
		{"multipleOf", "a multiple of %s"},
		{"minLength", "at least %s characters"},
		{"maxLength", "at most %s characters"},
		{"minItems", "at least %s items"},
		{"maxItems", "at most %s items"},
		{"minProperties", "at least %s entries"},
		{"maxProperties", "at most %s entries"},
	} {
		value, set := schema[c.field]
		if !set {
			continue
		}
		said := fmt.Sprintf(c.format, plain(value))
		if exclusive := strings.Replace(c.field, "m", "exclusiveM", 1); schema[exclusive] == true {
			said = strings.NewReplacer("at least", "more than", "at most", "less than").Replace(said)
		}
		all = append(all, said)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		for _, c := range constraintsOf(items) {
			all = append(all, "each "+c)
		}
	}
	return all
}

// rulesOf lists the messages of a schema's CEL rules, or the rules themselves.
func rulesOf(schema map[string]any) (all []string) {
	rules, _ := schema["x-kubernetes-validations"].([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		if message := text(rule["message"]); message != "" {
			all = append(all, message)
		} else {
			all = append(all, text(rule["rule"]))
		}
	}
	return all
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// plain is a value as people write it in a sentence.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return yamledit.Inline(v, true)
}
