package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestNewRulesOnlyWarnOfWhatAnEnvironmentRuns: the request that runs the version changes on, and any other is refused it.
func TestNewRulesOnlyWarnOfWhatAnEnvironmentRuns(t *testing.T) {
	files := common()
	for name, content := range map[string]string{
		"offerings/odd/offering.yaml":      "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: odd}\nspec: {title: T}\n",
		"offerings/odd/1.0.0/version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: odd}\nspec: {}\n",
		"offerings/odd/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n" +
			"replacements:\n- source: {kind: ConfigMap, fieldPath: data}\n" +
			"  targets: [{select: {kind: ConfigMap}, fieldPaths: [metadata.annotations.note]}]\n",
		"offerings/odd/1.0.0/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {note: text}}\ndata: {port: 80}\n",
		"requests/payments/old.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: old}\nspec: {offering: odd, version: 1.0.0, environments: {dev: {}}}\n",
		"requests/payments/new.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: new}\nspec: {offering: odd, version: 1.0.0, environments: {dev: {}}}\n",
	} {
		put(files, name, []byte(content))
	}
	p := load(t, files)
	require.Empty(t, p.Problems)
	v := p.Offerings["odd"].Versions[0]
	old := platform.RequestKey{Team: "payments", Name: "old"}
	base := &render.Base{Releases: map[platform.RequestKey]*state.Release{
		old: {Key: old, Offering: "odd", Version: "1.0.0", VersionDigest: v.Digest, Digest: "before"},
	}}
	rendered := renderAll(t, p, "dev", base)
	found := map[string]map[string]bool{"old": {}, "new": {}}
	for _, problem := range rendered.Problems {
		require.Equal(t, problem.Request.Name == "old", problem.Warning, problem.String())
		found[problem.Request.Name][problem.Rule] = true
	}
	require.Equal(t, map[string]bool{"structure": true, "type": true}, found["old"])
	require.Equal(t, map[string]bool{"structure": true}, found["new"], "nothing is rendered that Kustomize would falsify")
	require.NotNil(t, rendered.Changes["clusters/dev/payments/old.yaml"])
	require.Nil(t, rendered.Changes["clusters/dev/payments/new.yaml"])
}

// TestCustomResourceIsRefusedInTheSameWordsEachTime, whichever of the definitions of its kind the repository lists first.
func TestCustomResourceIsRefusedInTheSameWordsEachTime(t *testing.T) {
	files := common()
	offering := func(name, resource string) {
		for file, content := range map[string]string{
			"offering.yaml":            "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: " + name + "}\nspec: {title: T}\n",
			"1.0.0/version.yaml":       "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: " + name + "}\nspec: {}\n",
			"1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n",
			"1.0.0/a.yaml":             resource,
		} {
			put(files, "offerings/"+name+"/"+file, []byte(content))
		}
	}
	offering("thing", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 3}\n")
	for _, of := range []string{"boolean", "string", "array"} {
		offering("defines-"+of, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n"+
			"spec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions:\n  - name: v1\n    schema: {openAPIV3Schema: "+
			"{type: object, properties: {spec: {type: object, properties: {size: {type: "+of+", items: {type: string}}}}}}}\n")
	}
	put(files, "requests/payments/one.yaml", []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: one}\n"+
		"spec: {offering: thing, version: 1.0.0, environments: {dev: {}}}\n"))
	said := map[string]bool{}
	for range 20 {
		for _, problem := range renderAll(t, load(t, files), "dev", &render.Base{}).Problems {
			if problem.Rule == "custom-resource" {
				said[problem.Message] = true
			}
		}
	}
	require.Len(t, said, 1)
}
