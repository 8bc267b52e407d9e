package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

const displayed = `apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: db}
spec:
  parameters:
    type: object
    properties:
      plan: {type: string, default: small, display: true}
      quiet: {type: string, default: x}
      storage:
        type: object
        default: {}
        properties:
          size: {type: string, default: 1Gi, display: true}
`

func loadDisplayed(t *testing.T, version string) *platform.Version {
	t.Helper()
	p, err := new(platform.Loader).Load(fstest.MapFS{
		"offerings/db/offering.yaml":            {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: db}\nspec: {title: Database}\n")},
		"offerings/db/1.0.0/version.yaml":       {Data: []byte(version)},
		"offerings/db/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")},
	})
	require.NoError(t, err)
	for _, problem := range p.Problems {
		require.True(t, problem.Warning || strings.Contains(problem.Message, "display") || strings.Contains(problem.Field, "display"), problem.String())
	}
	return p.Offerings["db"].Versions[0]
}

func TestMarkedParametersAreShown(t *testing.T) {
	v := loadDisplayed(t, displayed)
	require.False(t, v.Broken)
	require.Equal(t, []string{"plan", "storage.size"}, v.Display)
	spec := &platform.RequestSpec{Parameters: map[string]any{"plan": "large\x1b[31m"}}
	require.Equal(t, []platform.Shown{{Name: "plan", Value: `"large\u001b[31m"`}, {Name: "storage.size", Value: "1Gi"}}, v.Shown(spec, "dev"))
}

func TestMarkOfNoParameterIsAProblem(t *testing.T) {
	for _, wrong := range []string{"display: maybe", "items: {type: string, display: true}"} {
		v := loadDisplayed(t, strings.Replace(displayed, "default: x", wrong, 1))
		require.True(t, v.Broken, wrong)
	}
}
