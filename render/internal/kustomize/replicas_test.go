package kustomize_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

// replicated is a workload with replicas and pods that nobody selects.
func replicated(kind, name string) string {
	return "apiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" +
		"spec: {replicas: 2, selector: {matchLabels: {app: " + name + "}}, template: {metadata: {labels: {app: " + name + "}}, spec: {containers: [{name: a, image: a}]}}}\n"
}

func scaler(apiVersion, kind, target string) string {
	return "---\napiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: scaler}\nspec: {scaleTargetRef: {" + target + "}}\n"
}

var twoWorkloads = replicated("Deployment", "web") + "---\n" + replicated("StatefulSet", "web")

// fixed lists the workloads that have replicas, as KIND NAME.
func fixed(t *testing.T, manifest []byte) (names []string) {
	for _, document := range strings.Split(string(manifest), "---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     map[string]any
		}
		require.NoError(t, yaml.Unmarshal([]byte(document), &object))
		if object.Spec["replicas"] != nil {
			names = append(names, object.Kind+" "+object.Metadata.Name)
		}
	}
	return names
}

// TestReplicasOfWhatIsScaledAreLeftOut: by Kustomize on the wrapper's files, by Build and compiled.
func TestReplicasOfWhatIsScaledAreLeftOut(t *testing.T) {
	const deployment, statefulSet = "Deployment shop-web", "StatefulSet shop-web"
	both := []string{deployment, statefulSet}
	for name, c := range map[string]struct {
		objects string
		change  func(*kustomize.Wrapper)
		fixed   []string
	}{
		"nothing scales":     {objects: twoWorkloads, fixed: both},
		"an autoscaler":      {objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: web"), fixed: []string{statefulSet}},
		"an older one":       {objects: twoWorkloads + scaler("autoscaling/v1", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: StatefulSet, name: web"), fixed: []string{deployment}},
		"of something else":  {objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: other"), fixed: both},
		"of another group":   {objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: example.com/v1, kind: Deployment, name: web"), fixed: both},
		"a ScaledObject":     {objects: twoWorkloads + scaler("keda.sh/v1alpha1", "ScaledObject", "name: shop-web"), fixed: []string{statefulSet}},
		"a vertical one":     {objects: twoWorkloads + strings.ReplaceAll(scaler("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: shop-web"), "scaleTargetRef", "targetRef"), fixed: both},
		"the version's word": {objects: twoWorkloads, change: func(w *kustomize.Wrapper) { w.Unscaled = map[string]bool{"apps/StatefulSet": true} }, fixed: []string{deployment}},
		"beside a hashed name": {
			objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: web") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {kustomize.config.k8s.io/needs-hash: \"true\"}}\n",
			fixed:   []string{statefulSet},
		},
		"kept as it was": {
			objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: web"),
			change:  func(w *kustomize.Wrapper) { w.KeepReplicas = true }, fixed: both,
		},
		"names as they are": {
			objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: web"),
			change:  func(w *kustomize.Wrapper) { w.Rule, w.Prefix = kustomize.Nowhere, "" }, fixed: []string{"StatefulSet web"},
		},
		"of the cluster": {
			objects: twoWorkloads + scaler("autoscaling/v2", "HorizontalPodAutoscaler", "apiVersion: apps/v1, kind: Deployment, name: web"),
			change:  func(w *kustomize.Wrapper) { w.Identity, w.Prefix = nil, "" }, fixed: []string{"StatefulSet web"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wrapper(map[string]any{}, tree(map[string]string{"kustomization.yaml": component + "resources: [a.yaml]\n", "a.yaml": c.objects}))
			if c.change != nil {
				c.change(&w)
			}
			built := build(t, w)
			require.ElementsMatch(t, c.fixed, fixed(t, built))
			require.Equal(t, string(built), string(onDisk(t, w)))
			if !strings.Contains(c.objects, "name: shop-") { // which is not compiled, since a text begins with the prefix
				require.NoError(t, same(t, compiler.Compile(w), w))
			}
		})
	}
}

// TestReplicasFollowValues: where a replacement names the scaled object, each instance is decided for itself, and compiled.
func TestReplicasFollowValues(t *testing.T) {
	p := (*compiler.Program)(nil)
	for n, c := range []struct {
		target string
		fixed  []string
	}{
		{"shop-web", []string{"Deployment shop-other"}},
		{"shop-other", []string{"Deployment shop-web"}},
		{"shop-none", []string{"Deployment shop-web", "Deployment shop-other"}},
		{"shop-web", []string{"Deployment shop-other"}},
	} {
		w := wrapper(map[string]any{"computed": map[string]any{"target": c.target, "replicas": 3}}, tree(map[string]string{
			"kustomization.yaml": component + `resources: [a.yaml]
replacements:
- source: {kind: Inputs, fieldPath: computed.target}
  targets: [{select: {kind: ScaledObject}, fieldPaths: [spec.scaleTargetRef.name]}]
- source: {kind: Inputs, fieldPath: computed.replicas}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]
`, "a.yaml": replicated("Deployment", "web") + "---\n" + replicated("Deployment", "other") + scaler("keda.sh/v1alpha1", "ScaledObject", "name: here"),
		}))
		if p == nil {
			p = compiler.Compile(w)
		}
		require.NoError(t, same(t, p, w), n)
		require.ElementsMatch(t, c.fixed, fixed(t, build(t, w)), c.target)
	}
}
