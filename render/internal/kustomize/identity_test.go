package kustomize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

const owned = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec:
  selector: {matchLabels: {app: other}}
  template: {metadata: {labels: {app: other}}, spec: {containers: [{name: a, image: a}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    metadata: {labels: {app: job}}
    spec:
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: host, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: job}}}]
      containers: [{name: a, image: a}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: operated}
spec: {selector: {app: operated}, ports: [{port: 80}]}
`

// where lists the fields that have the identity, but metadata.
func where(t *testing.T, manifest []byte) (fields []string) {
	for _, document := range strings.Split(string(manifest), "---\n") {
		var object map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(document), &object))
		name := fmt.Sprint(object["kind"], " ", object["metadata"].(map[string]any)["name"], " ")
		delete(object, "metadata")
		var visit func(v any, path string)
		visit = func(v any, path string) {
			switch v := v.(type) {
			case map[string]any:
				for key, item := range v {
					if key == "transom.dev/request" {
						fields = append(fields, name+strings.TrimPrefix(path, ".spec."))
						continue
					}
					visit(item, path+"."+key)
				}
			case []any:
				for i, item := range v {
					visit(item, fmt.Sprint(path, ".", i))
				}
			}
		}
		visit(object, "")
	}
	return fields
}

// TestIdentityGoesWhereTheRuleSays, by Kustomize on the wrapper's files, by Build and compiled.
func TestIdentityGoesWhereTheRuleSays(t *testing.T) {
	const spread = "topologySpreadConstraints.0.labelSelector.matchLabels"
	templates := []string{"Deployment shop-web template.metadata.labels", "Deployment shop-other template.metadata.labels", "Job shop-job template.metadata.labels"}
	selecting := append([]string{
		"Deployment shop-web selector.matchLabels", "Deployment shop-other selector.matchLabels",
		"Job shop-job template.spec." + spread, "Service shop-web selector",
	}, templates...)
	for name, c := range map[string]struct {
		rule  kustomize.Rule
		kept  map[string]kustomize.Style
		where []string
	}{
		"selecting": {where: selecting},
		"nowhere":   {rule: kustomize.Nowhere},
		"everywhere": {rule: kustomize.Everywhere, where: append([]string{
			"Deployment shop-web selector.matchLabels", "Deployment shop-other selector.matchLabels", "Service shop-web selector", "Service shop-operated selector",
		}, templates...)},
		"kept as they were made": {kept: map[string]kustomize.Style{"Deployment other": kustomize.AsWritten, "Job job": kustomize.OnTemplate}, where: append([]string{
			"Deployment shop-web selector.matchLabels", "Service shop-web selector",
		}, templates...)},
		"a job without": {kept: map[string]kustomize.Style{"Job job": kustomize.AsWritten}, where: append([]string{
			"Deployment shop-web selector.matchLabels", "Deployment shop-other selector.matchLabels", "Service shop-web selector",
		}, templates[:2]...)},
		"kept where nothing gets it": {
			rule:  kustomize.Nowhere,
			kept:  map[string]kustomize.Style{"Deployment web": kustomize.WithIdentity, "Job job": kustomize.WithIdentity},
			where: []string{"Deployment shop-web selector.matchLabels", templates[0], templates[2], "Job shop-job template.spec." + spread},
		},
		"a job made by the first renderer": {
			rule: kustomize.Nowhere, kept: map[string]kustomize.Style{"Job job": kustomize.OnTemplate}, where: templates[2:],
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wrapper(map[string]any{}, tree(map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\n", "a.yaml": owned}))
			w.Rule, w.Kept = c.rule, c.kept
			built := build(t, w)
			require.ElementsMatch(t, c.where, where(t, built))
			require.Equal(t, string(built), string(onDisk(t, w)))
			require.NoError(t, same(t, compiler.Compile(w), w))
		})
	}
}

// TestIdentityFollowsValues: where a selector is written by a replacement, each instance is decided for itself, and compiled.
func TestIdentityFollowsValues(t *testing.T) {
	p := (*compiler.Program)(nil)
	for n, c := range []struct {
		app   string
		holds bool
	}{{"token", false}, {"web", true}, {"other", true}, {"cache", false}} {
		w := wrapper(map[string]any{"parameters": map[string]any{"app": c.app}}, tree(map[string]string{
			"kustomization.yaml": component + `resources: [a.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.app}
  targets: [{select: {kind: Service, name: operated}, fieldPaths: [spec.selector.app]}]
`, "a.yaml": owned,
		}))
		if p == nil {
			p = compiler.Compile(w)
		}
		require.NoError(t, same(t, p, w), n)
		require.Equal(t, c.holds, strings.Contains(strings.Join(where(t, build(t, w)), "\n"), "Service shop-operated"), c.app)
	}
}

// TestWrapperSaysItByKindOrByName: fields of a kind where all get it, patches where some do.
func TestWrapperSaysItByKindOrByName(t *testing.T) {
	w := wrapper(map[string]any{}, tree(map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\n", "a.yaml": owned}))
	files, err := w.Files()
	require.NoError(t, err)
	text := string(files["kustomization.yaml"])
	require.Contains(t, text, "    path: spec/selector/matchLabels\n")
	require.Contains(t, text, "path: /spec/selector/transom.dev~1request\n")
	require.Contains(t, text, "  target:\n    kind: Service\n    name: web\n    version: v1\n")
	require.NotContains(t, text, "operated")
	require.NotContains(t, text, "includeSelectors")
}

// TestPatchesMeetOneObject: an object that a patch by kind and name cannot tell from another keeps its selectors as written.
func TestPatchesMeetOneObject(t *testing.T) {
	w := wrapper(map[string]any{}, tree(map[string]string{
		"kustomization.yaml":      component + "resources: [a.yaml, base]\n",
		"a.yaml":                  owned,
		"base/kustomization.yaml": "namePrefix: base-\nresources: [b.yaml]\n",
		"base/b.yaml":             "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: elsewhere}, ports: [{port: 80}]}\n",
	}))
	built := build(t, w)
	require.NotContains(t, strings.Join(where(t, built), "\n"), "Service")
	require.Equal(t, string(built), string(onDisk(t, w)))
}

func TestIdleSelectors(t *testing.T) {
	for name, c := range map[string]struct {
		objects string
		idle    []kustomize.Idle
	}{
		"one that selects nothing": {owned, []kustomize.Idle{{Object: 4, Field: "spec.selector", Of: "pod template"}}},
		"beside a custom resource": {owned + "---\napiVersion: db.example.com/v1\nkind: Database\nmetadata: {name: db}\n", nil},
		"of a policy and a monitor": {`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
spec: {podSelector: {matchLabels: {app: none}}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
spec: {selector: {matchExpressions: [{key: app, operator: Exists}]}}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
spec: {selector: {matchLabels: {app: none}}, namespaceSelector: {matchNames: [elsewhere]}}
`, []kustomize.Idle{{Object: 0, Field: "spec.podSelector", Of: "pod template"}, {Object: 1, Field: "spec.selector", Of: "Service"}}},
		"that are meant so": {`
apiVersion: v1
kind: Service
spec: {type: ExternalName, externalName: a.example.com, selector: {app: none}}
---
apiVersion: v1
kind: Service
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {annotations: {transom.dev/selectors: as-written}}
spec: {selector: {app: none}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
spec: {podSelector: {}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
spec: {minAvailable: 1}
`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []*yaml.Node
			for _, document := range strings.Split(c.objects, "---\n") {
				var object yaml.Node
				require.NoError(t, yaml.Unmarshal([]byte(document), &object))
				objects = append(objects, &object)
			}
			require.Equal(t, c.idle, kustomize.IdleSelectors(objects))
		})
	}
}
