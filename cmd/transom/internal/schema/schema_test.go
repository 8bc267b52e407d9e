package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// satisfies checks YAML against a schema. The library knows neither references nor if, so references take everything here,
// and a request is checked against its offering's own schema.
func satisfies(t *testing.T, schema map[string]any, document []byte) error {
	t.Helper()
	data, err := json.Marshal(unreferenced(schema))
	require.NoError(t, err)
	var compiled spec.Schema
	require.NoError(t, json.Unmarshal(data, &compiled))
	var object any
	require.NoError(t, yaml.Unmarshal(document, &object))
	return validate.NewSchemaValidator(&compiled, nil, "", strfmt.Default).Validate(object).AsError()
}

func unreferenced(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if name != "$ref" {
				out[name] = unreferenced(inner)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = unreferenced(inner)
		}
		return out
	}
	return v
}

func TestExamplesSatisfyTheExportedSchemas(t *testing.T) {
	seen := map[string]int{}
	for _, example := range []string{"../../../../examples/acme", "../../../../examples/minimal"} {
		p, err := workspace.Load(example)
		require.NoError(t, err)
		all := Files(p)
		for pattern, schema := range map[string]string{
			"offerings/*/offering.yaml": "offering.json", "offerings/*/*/version.yaml": "version.json", "environments/*.yaml": "environment.json",
			"clusters/*.yaml": "cluster.json", "policies/*.yaml": "policy.json", "requests/*/*.yaml": "request.json",
		} {
			files, err := filepath.Glob(filepath.Join(example, pattern))
			require.NoError(t, err)
			for _, file := range files {
				if strings.HasSuffix(file, ".secret.yaml") {
					continue // sealed values beside a request, in the form of SOPS
				}
				data, err := os.ReadFile(file)
				require.NoError(t, err)
				require.NoError(t, satisfies(t, all[schema], data), file)
				if schema == "request.json" {
					var r struct{ Spec struct{ Offering string } }
					require.NoError(t, yaml.Unmarshal(data, &r))
					require.NoError(t, satisfies(t, all["request-"+r.Spec.Offering+".json"], data), file)
				}
				seen[schema]++
			}
		}
	}
	for _, schema := range []string{"offering.json", "version.json", "environment.json", "cluster.json", "policy.json", "request.json"} {
		require.Positive(t, seen[schema], schema)
	}
}

func TestRequestSchemasRefuseWhatCheckRefuses(t *testing.T) {
	p, err := workspace.Load("../../../../examples/acme")
	require.NoError(t, err)
	schema := Files(p)["request-postgres.json"]
	request := func(spec string) []byte {
		return []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: db}\nspec: " + spec + "\n")
	}
	for _, spec := range []string{
		`{offering: postgres, version: "1", parameters: {storage: 1Gi}, environments: {dev: {}}}`,
		`{offering: postgres, version: "1", environments: {dev: {parameters: {storage: 1Gi}}, prod: {parameters: {storage: null, size: large}}}}`,
	} {
		require.NoError(t, satisfies(t, schema, request(spec)), spec)
	}
	for _, spec := range []string{
		`{offering: web, version: "1", parameters: {storage: 1Gi}, environments: {dev: {}}}`,
		`{offering: postgres, version: 1, parameters: {storage: 1Gi}, environments: {dev: {}}}`,
		`{offering: postgres, parameters: {storage: 1Gi}, environments: {dev: {}}}`,
		`{offering: postgres, version: "1", parameters: {storage: lots}, environments: {dev: {}}}`,
		`{offering: postgres, version: "1", parameters: {storage: 1Gi, sise: small}, environments: {dev: {}}}`,
		`{offering: postgres, version: "1", parameters: {storage: 1Gi, size: tiny}, environments: {dev: {}}}`,
		`{offering: postgres, version: "1", parameters: {storage: 1Gi}, environments: {dev: {parameters: {size: tiny}}}}`,
		`{offering: postgres, version: "1", parameters: {storage: 1Gi}, environments: {dev: {holt: true}}}`,
		`{offering: postgres, version: "1", environments: {dev: {parameters: {storage: 1Gi}}, prod: {}}}`,
	} {
		require.Error(t, satisfies(t, schema, request(spec)), spec)
	}
}

func TestDecisionsHaveSchemas(t *testing.T) {
	hold := []byte("apiVersion: transom.dev/v1alpha1\nkind: Hold\nmetadata: {name: x}\nspec: {team: payments, until: 2027-01-01T00:00:00Z}\n")
	require.NoError(t, satisfies(t, platform.JSONSchema("Hold"), hold))
	require.Error(t, satisfies(t, platform.JSONSchema("Pin"), hold))
	require.Nil(t, platform.JSONSchema("Unknown"))
	require.Equal(t, []string{"Approval", "Cluster", "Environment", "Hold", "Notification", "Offering", "Override", "Pin", "Policy", "Request", "Version"}, platform.Kinds())
}

func TestRequestSchemasTakeWhatAnyVersionTakes(t *testing.T) {
	a := map[string]any{"type": "object", "additionalProperties": false, "required": []any{"x", "y"}, "properties": map[string]any{
		"x": map[string]any{"type": "integer"}, "y": map[string]any{"type": "string"},
	}}
	b := map[string]any{"type": "object", "additionalProperties": false, "required": []any{"x"}, "properties": map[string]any{
		"x": map[string]any{"type": "string"}, "z": map[string]any{"type": "string"},
	}}
	both := either(a, b)
	require.Equal(t, []any{"x"}, both["required"])
	require.Equal(t, []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}, propertyOf(both, "x")["anyOf"])
	require.NotNil(t, propertyOf(both, "y"))
	require.NotNil(t, propertyOf(both, "z"))

	require.Equal(t, map[string]any{"exclusiveMinimum": 1.0, "type": []any{"integer", "null"}},
		strict(map[string]any{"type": "integer", "minimum": 1.0, "exclusiveMinimum": true, "nullable": true, "x-kubernetes-validations": []any{}}))
	require.Equal(t, map[string]any{"type": []any{"integer", "string"}}, strict(map[string]any{"x-kubernetes-int-or-string": true}))
}

// TestAnExampleOmitsABindingThatNothingCanHave: a version may say so, for a binding that is given up.
func TestAnExampleOmitsABindingThatNothingCanHave(t *testing.T) {
	p, err := platform.Load(fstest.MapFS{
		"offerings/web/offering.yaml":            {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec: {}\n")},
		"offerings/web/1.0.0/version.yaml":       {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: web}\nspec: {bindings: {cache: {offerings: []}, data: {offerings: [web], required: true}}}\n")},
		"offerings/web/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")},
	})
	require.NoError(t, err)
	o := p.Offerings["web"]
	draft := Draft{Offering: o, Version: o.Match("1"), Constraint: "1", Name: "front", Comments: true}
	require.Contains(t, draft.YAML(), "  bindings:\n    # A request of web (required)\n    data: my-web\n")
	require.NotContains(t, draft.YAML(), "cache")
}
