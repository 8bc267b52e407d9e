package preview_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// operator is an offering whose definition of a kind says that a field may not change once it is there.
const operator = `-- offerings/operator/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: operator}
spec: {}
-- offerings/operator/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: operator}
spec: {scope: cluster}
-- offerings/operator/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [crd.yaml]
-- offerings/operator/1.0.0/crd.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              engine: {type: string, x-kubernetes-validations: [{rule: self == oldSelf}]}
              size: {type: integer}
`

func TestPlanKnowsWhatCustomKindsDoNotLetChange(t *testing.T) {
	gear := func(engine, size string) *platform.Platform {
		files := map[string][]byte{
			"offerings/gear/offering.yaml":            []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: gear}\nspec: {}\n"),
			"offerings/gear/1.0.0/version.yaml":       []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: gear}\nspec: {parameters: {type: object, required: [engine, size], properties: {engine: {type: string}, size: {type: integer}}}}\n"),
			"offerings/gear/1.0.0/widget.yaml":        []byte("apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: extra}\nspec: {engine: a, size: 1}\n"),
			"offerings/gear/1.0.0/kustomization.yaml": []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [widget.yaml]\nreplacements:\n- {source: {kind: Inputs, fieldPath: parameters.engine}, targets: [{select: {kind: Widget}, fieldPaths: [spec.engine]}]}\n- {source: {kind: Inputs, fieldPath: parameters.size}, targets: [{select: {kind: Widget}, fieldPaths: [spec.size]}]}\n"),
			"requests/payments/gear.yaml":             []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: gear}\nspec: {offering: gear, version: \"1\", parameters: {engine: " + engine + ", size: " + size + "}, environments: {dev: {}}}\n"),
		}
		for _, f := range txtar.Parse([]byte(operator)).Files {
			files[f.Name] = f.Data
		}
		return with(t, files)
	}
	plan := func(p *platform.Platform) []preview.Change {
		repo := &repository{}
		require.Empty(t, repo.render(t, gear("one", "1"), "dev").Problems)
		base, err := render.ReadBase(repo.files)
		require.NoError(t, err)
		changes, err := preview.Changes(base, repo.render(t, p, "dev"))
		require.NoError(t, err)
		require.Len(t, changes, 1)
		return changes
	}
	require.Equal(t, preview.Changed, plan(gear("one", "2"))[0].Action)
	replaced := plan(gear("two", "2"))
	require.Equal(t, preview.Replaced, replaced[0].Action)
	require.Equal(t, []string{"spec.engine"}, replaced[0].Immutable)
}
