package schema

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/utils/ptr"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// A Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	structural *structural.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator // nil: none

	brief    *briefRules
	searches bool // a rule looks for texts in texts
	compares bool // a rule compares lists, maps or objects as a whole
}

// briefRules are the same rules with fewer steps of CEL that each may take, by that number. They are made once somebody asks.
type briefRules struct {
	structural *structural.Structural

	mu   sync.Mutex
	made map[int64]*schemacel.Validator
}

// within returns rules that each may take at least so many steps.
func (b *briefRules) within(steps int64) *schemacel.Validator {
	level := int64(500)
	for level < steps {
		level *= 2
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made[level] == nil {
		if b.made == nil {
			b.made = map[int64]*schemacel.Validator{}
		}
		b.made[level] = schemacel.NewValidator(b.structural, false, uint64(level))
	}
	return b.made[level]
}

// A Mistake is one thing in a value, or in a schema, that is not allowed. Its field is a path from the root, such as storage or
// replicas[0].zone.
type Mistake struct{ Field, Rule, Message string }

// Compile builds a Schema or returns its errors; fields are relative to the schema.
func Compile(props *apiextensionsv1.JSONSchemaProps) (*Schema, []Mistake) {
	if props == nil {
		props = &apiextensionsv1.JSONSchemaProps{Type: "object"}
	}
	if props.Type != "object" {
		return nil, []Mistake{{"type", "schema", `must be "object": parameters are named values`}}
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil); err != nil {
		return nil, []Mistake{{"", "schema", err.Error()}}
	}
	if wrong := checkSchema(internal); len(wrong) > 0 {
		return nil, wrong
	}
	s, err := newSchema(internal)
	if err != nil {
		return nil, []Mistake{{"", "schema", err.Error()}}
	}
	return s, nil
}

func newSchema(props *apiextensions.JSONSchemaProps) (*Schema, error) {
	compiled, err := structural.NewStructural(props)
	if err != nil {
		return nil, err
	}
	if err := defaulting.PruneDefaults(compiled); err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return nil, err
	}
	rules := schemacel.NewValidator(compiled, false, celconfig.PerCallLimit)
	return &Schema{
		structural: compiled, validator: validator, rules: rules, brief: &briefRules{structural: compiled}, searches: searchesTexts(compiled),
		compares: comparesWhole(compiled),
	}, nil
}

// schemaRoot is where the schema stands in the definition that checkSchema makes around it.
const schemaRoot = "spec.validation.openAPIV3Schema.properties[parameters]"

// checkSchema checks the schema against all that an API server asks of a CustomResourceDefinition, by having the API
// server's own code look at one.
func checkSchema(props *apiextensions.JSONSchemaProps) []Mistake {
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
	var wrong []Mistake
	for _, err := range crdvalidation.ValidateCustomResourceDefinition(context.Background(), crd) {
		at := strings.TrimPrefix(strings.TrimPrefix(err.Field, schemaRoot), ".")
		wrong = append(wrong, Mistake{namedSteps(at), "schema", schemaError(err)})
	}
	return wrong
}

// schemaError says an API server's complaint in one line, without the value that it repeats.
func schemaError(err *field.Error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Detail, "compilation failed: "), "\n")
	text = strings.TrimPrefix(text, "ERROR: <input>:")
	if _, rule, in := strings.Cut(text, " in body "); in { // as of a default that is not as the schema says
		want, is, _ := strings.Cut(rule, `: "`)
		if text = want; is != "" {
			text += ", not " + strings.TrimSuffix(is, `"`)
		}
	}
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

// OpenAPI returns the schema as a generic OpenAPI v3 object, for people and their tools to read.
func (s *Schema) OpenAPI() map[string]any {
	data, err := json.Marshal(s.structural.ToKubeOpenAPI())
	if err != nil {
		// It came from JSON and was compiled since.
		panic(fmt.Sprintf("write a compiled schema: %v", err))
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		panic(fmt.Sprintf("read a compiled schema: %v", err))
	}
	return out
}

// Type returns the CEL type of the schema's values, by whose name the scope knows its objects.
func (s *Schema) Type(names *expression.Scope, name string) *expression.Type {
	return names.Schema(name, s.structural)
}
