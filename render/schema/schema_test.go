package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"transom.dev/render/schema"
)

func compile(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, wrong := schema.Compile(props(t, text))
	require.Empty(t, wrong)
	return s
}

func props(t *testing.T, text string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	out := &apiextensionsv1.JSONSchemaProps{}
	require.NoError(t, yaml.Unmarshal([]byte(text), out))
	return out
}

func compileCustom(t *testing.T, text string) *schema.Schema {
	t.Helper()
	var out map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &out))
	s := schema.CompileCustom(out)
	require.NotNil(t, s)
	return s
}

const database = `
type: object
required: [plan]
properties:
  plan: {type: string, enum: [small, large], description: how much it may cost}
  storage:
    type: object
    default: {}
    properties: {size: {type: integer, default: 10, minimum: 1}}
x-kubernetes-validations:
- {rule: "self.plan == 'large' || self.storage.size <= 100", message: only large ones have over 100}
`

func TestAllMistakesAreFoundAtOnce(t *testing.T) {
	s := compile(t, database)
	value, wrong := s.Complete(map[string]any{"plan": "small"})
	require.Empty(t, wrong)
	require.Equal(t, map[string]any{"plan": "small", "storage": map[string]any{"size": int64(10)}}, value)
	_, wrong = s.Complete(map[string]any{"storage": map[string]any{"size": int64(0), "sise": int64(1)}})
	require.ElementsMatch(t, []schema.Mistake{
		{Field: "storage.sise", Rule: "unknown-parameter", Message: `no such parameter; did you mean "size"?`},
		{Field: "plan", Rule: "parameter", Message: "is required: how much it may cost"},
		{Field: "storage.size", Rule: "parameter", Message: "the integer 0 should be greater than or equal to 1"},
	}, wrong)
	_, wrong = s.Complete(map[string]any{"plan": "small", "storage": map[string]any{"size": int64(200)}})
	require.Equal(t, []schema.Mistake{
		{Rule: "parameter", Message: "only large ones have over 100"},
	}, wrong, "rules come once the types are right")
}

func TestSchemaOfAnotherDialectIsRefused(t *testing.T) {
	for text, wrong := range map[string]schema.Mistake{
		"type: string": {Field: "type", Rule: "schema", Message: `must be "object": parameters are named values`},
		"{type: object, properties: {a: {type: text}}}": {
			Field: "properties.a.type", Rule: "schema",
			Message: `the string "text" is not one of the supported values: "array", "boolean", "integer", "number", "object", "string"`,
		},
	} {
		_, found := schema.Compile(props(t, text))
		require.Contains(t, found, wrong)
	}
}

func TestCustomResourceIsHeldToItsDefinition(t *testing.T) {
	s := compileCustom(t, `{type: object, properties: {spec: {type: object, properties: {replicas: {type: integer}}}}}`)
	require.Equal(t, []schema.Mistake{
		{Field: "spec.replicsa", Rule: "unknown-parameter", Message: `unknown field; did you mean "replicas"?`},
	}, s.Mistakes(map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "a", "anything": true},
		"spec": map[string]any{"replicsa": int64(3)}, "status": map[string]any{"unknown": true},
	}))
}

func TestNarrowedNamesFieldsOfTheLaterSchema(t *testing.T) {
	before := compile(t, `{type: object, properties: {a: {type: integer}, b: {type: string}}}`)
	after := compile(t, `{type: object, required: [c], properties: {a: {type: integer, maximum: 3}, c: {type: string}}}`)
	require.Empty(t, schema.Narrowed("parameters", before, before))
	require.Equal(t, []schema.Mistake{
		{Field: "properties.a.maximum", Message: "parameters.a has the maximum 3"},
		{Field: "properties.b", Message: "parameters.b is gone"},
		{Field: "properties.c", Message: "parameters.c is required and has no default"},
	}, schema.Narrowed("parameters", before, after))
}

func TestTransitionAsksForTheValueBefore(t *testing.T) {
	s := compile(t, `{type: object, properties: {size: {type: integer, default: 1, x-kubernetes-validations: [{rule: self >= oldSelf, message: cannot shrink}]}}}`)
	require.Equal(t, []schema.Mistake{{Field: "size", Rule: "parameter", Message: "cannot shrink"}},
		s.Transition(map[string]any{"size": int64(5)}, map[string]any{"size": int64(3)}, schema.AllWork))
	require.Empty(t, s.Transition(nil, map[string]any{"size": int64(3)}, schema.AllWork))
	require.Empty(t, s.Transition(map[string]any{"size": "large"}, map[string]any{"size": int64(3)}, schema.AllWork), "no step before this one")
}
