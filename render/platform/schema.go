package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/utils/ptr"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// Schema is the compiled schema of a version's parameters, in the dialect of a CRD's openAPIV3Schema: structural, with
// defaults and x-kubernetes-validations. It is safe for concurrent use.
type Schema struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator // nil: none
}

// A fieldError is a mistake in a value, with the path of the field from the value's root, such as storage or
// replicas[0].zone.
type fieldError struct {
	field, rule, message string
}

// compileSchema builds a Schema or returns its errors; fields are relative to the schema.
func compileSchema(props *apiextensionsv1.JSONSchemaProps) (*Schema, []fieldError) {
	if props == nil {
		props = &apiextensionsv1.JSONSchemaProps{Type: "object"}
	}
	if props.Type != "object" {
		return nil, []fieldError{{"type", "schema", `must be "object": parameters are named values`}}
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil); err != nil {
		return nil, []fieldError{{"", "schema", err.Error()}}
	}
	if wrong := checkSchema(internal); len(wrong) > 0 {
		return nil, wrong
	}
	s, err := newSchema(internal)
	if err != nil {
		return nil, []fieldError{{"", "schema", err.Error()}}
	}
	return s, nil
}

func newSchema(props *apiextensions.JSONSchemaProps) (*Schema, error) {
	structural, err := schema.NewStructural(props)
	if err != nil {
		return nil, err
	}
	if err := defaulting.PruneDefaults(structural); err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return nil, err
	}
	rules := schemacel.NewValidator(structural, false, celconfig.PerCallLimit)
	return &Schema{structural: structural, validator: validator, rules: rules}, nil
}

// schemaRoot is where the schema stands in the definition that checkSchema makes around it.
const schemaRoot = "spec.validation.openAPIV3Schema.properties[parameters]"

// checkSchema holds the schema to all that an API server asks of a CustomResourceDefinition, by having the API
// server's own code look at one.
func checkSchema(props *apiextensions.JSONSchemaProps) []fieldError {
	crd := &apiextensions.CustomResourceDefinition{
		Spec: apiextensions.CustomResourceDefinitionSpec{
			Group:                 "parameters.transom.dev",
			Version:               "v1",
			Scope:                 apiextensions.NamespaceScoped,
			PreserveUnknownFields: ptr.To(false),
			Conversion:            &apiextensions.CustomResourceConversion{Strategy: apiextensions.NoneConverter},
			Names:                 apiextensions.CustomResourceDefinitionNames{Plural: "parameters", Singular: "parameter", Kind: "Parameter", ListKind: "ParameterList"},
			Versions:              []apiextensions.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true}},
			Validation: &apiextensions.CustomResourceValidation{OpenAPIV3Schema: &apiextensions.JSONSchemaProps{
				Type: "object", Properties: map[string]apiextensions.JSONSchemaProps{"parameters": *props},
			}},
		},
	}
	crd.Name = "parameters.parameters.transom.dev"
	crd.Status.StoredVersions = []string{"v1"}
	var wrong []fieldError
	for _, err := range crdvalidation.ValidateCustomResourceDefinition(context.Background(), crd) {
		at := strings.TrimPrefix(strings.TrimPrefix(err.Field, schemaRoot), ".")
		wrong = append(wrong, fieldError{namedSteps(at), "schema", schemaError(err)})
	}
	return wrong
}

// schemaError says an API server's complaint in one line, without the value that it repeats.
func schemaError(err *field.Error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Detail, "compilation failed: "), "\n")
	text = strings.TrimPrefix(text, "ERROR: <input>:")
	switch err.Type {
	case field.ErrorTypeRequired:
		return strings.TrimSuffix("is required: "+text, ": ")
	case field.ErrorTypeNotSupported:
		return fmt.Sprintf("%s is not one of the %s", wording.Value(normalise(err.BadValue)), text)
	}
	return cmp.Or(text, err.ErrorBody())
}

// namedSteps turns properties[storage] into properties.storage and leaves list indexes as they are.
func namedSteps(path string) string {
	var b strings.Builder
	for path != "" {
		open := strings.IndexByte(path, '[')
		end := strings.IndexByte(path, ']')
		if open < 0 || end < open {
			break
		}
		b.WriteString(path[:open])
		if key := path[open+1 : end]; strings.Trim(key, "0123456789") == "" {
			b.WriteString("[" + key + "]")
		} else {
			b.WriteString("." + key)
		}
		path = path[end+1:]
	}
	return b.String() + path
}

// Default returns a copy of value with the schema's defaults filled in.
func (s *Schema) Default(value map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(value)
	if out == nil {
		out = map[string]any{}
	}
	defaulting.Default(out, s.structural)
	return out
}

// Validate returns an error that names every mistake in a defaulted value.
func (s *Schema) Validate(value map[string]any) error {
	var errs []error
	for _, e := range s.validate(value) {
		errs = append(errs, fmt.Errorf("%s: %s", e.field, e.message))
	}
	return errors.Join(errs...)
}

func (s *Schema) validate(value map[string]any) []fieldError {
	wrong := unknownFields("", value, s.structural)
	errs := validation.ValidateCustomResource(nil, value, s.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, value)...)
	if len(errs) == 0 && len(wrong) == 0 && s.rules != nil {
		// Rules are compiled for the types of the schema and only mean something for a value that has them.
		errs, _ = s.rules.Validate(context.Background(), nil, s.structural, value, nil, celconfig.RuntimeCELCostBudget)
	}
	for _, err := range errs {
		wrong = append(wrong, s.fieldError(err, value))
	}
	return wrong
}

// fieldError says a validation error in the words of the rest.
func (s *Schema) fieldError(err *field.Error, value map[string]any) fieldError {
	path := err.Field
	if path == "<nil>" {
		path = ""
	}
	e := fieldError{field: path, rule: "parameter", message: err.Detail}
	switch {
	case err.Type == field.ErrorTypeRequired && err.Detail == "":
		e.message = "is required" + s.describe(path)
	case err.Type == field.ErrorTypeTypeInvalid:
		e.message = s.wrongType(path, value, err)
	case err.Type == field.ErrorTypeNotSupported:
		e.message = fmt.Sprintf("%s is not one of the %s", wording.Value(normalise(err.BadValue)), err.Detail)
	case strings.Contains(err.Detail, " in body "):
		_, rule, _ := strings.Cut(err.Detail, " in body ")
		e.message = wording.Value(normalise(err.BadValue)) + " " + rule + s.describe(path)
	}
	return e
}

func (s *Schema) wrongType(path string, value map[string]any, err *field.Error) string {
	node, ok := fieldpath.Lookup(value, path)
	_, want, found := strings.Cut(err.Detail, "must be of type ")
	want, _, _ = strings.Cut(want, ":")
	if !ok || !found {
		return err.Detail
	}
	article := "a "
	if strings.HasPrefix(want, "i") || strings.HasPrefix(want, "o") || strings.HasPrefix(want, "a") {
		article = "an "
	}
	return fmt.Sprintf("must be %s%s, not %s", article, want, wording.Value(node))
}

// describe appends the description that the schema gives of a field.
func (s *Schema) describe(path string) string {
	if at := s.at(path); at != nil && at.Description != "" {
		return ": " + at.Description
	}
	return ""
}

// at returns the schema of a field, or nil.
func (s *Schema) at(path string) *schema.Structural {
	at := s.structural
	for path != "" && at != nil {
		var next *schema.Structural
		switch {
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil
			}
			next, path = at.Items, path[end+1:]
		default:
			name := path
			if end := strings.IndexAny(path, ".["); end >= 0 {
				name = path[:end]
			}
			path = path[len(name):]
			if p, ok := at.Properties[name]; ok {
				next = &p
			} else if at.AdditionalProperties != nil {
				next = at.AdditionalProperties.Structural
			}
		}
		at, path = next, strings.TrimPrefix(path, ".")
	}
	return at
}

// unknownFields finds the fields that the schema does not name. An API server would drop them without a message.
func unknownFields(path string, value any, s *schema.Structural) (wrong []fieldError) {
	if s == nil || s.XPreserveUnknownFields || s.XEmbeddedResource {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			at := fieldpath.Join(path, k)
			if p, ok := s.Properties[k]; ok {
				wrong = append(wrong, unknownFields(at, v[k], &p)...)
			} else if s.AdditionalProperties != nil {
				wrong = append(wrong, unknownFields(at, v[k], s.AdditionalProperties.Structural)...)
			} else if s.Type == "object" {
				wrong = append(wrong, fieldError{at, "unknown-parameter", unknownParameter(k, sortedKeys(s.Properties))})
			}
		}
	case []any:
		for i, item := range v {
			wrong = append(wrong, unknownFields(fieldpath.Index(path, i), item, s.Items)...)
		}
	}
	return wrong
}

func unknownParameter(name string, known []string) string {
	hint := wording.Suggest(name, known)
	if hint == "" {
		hint = "; there is " + wording.List(known)
	}
	return "no such parameter" + hint
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
