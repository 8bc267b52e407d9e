package kustomize_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/kustomize"
)

// tree makes the Tree of a version from pairs of file name and content.
func tree(files map[string]string) kustomize.Tree {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return kustomize.Tree{Dir: "offerings/web/1.0.0", Files: m}
}

func wrapper(inputs map[string]any, trees ...kustomize.Tree) kustomize.Wrapper {
	w := kustomize.Wrapper{
		Inputs: inputs, Trees: trees, Prefix: "shop-", Namespace: "payments",
		Labels:   map[string]string{"app.kubernetes.io/managed-by": "transom", "transom.dev/team": "payments", "transom.dev/request": "shop"},
		Identity: map[string]string{"transom.dev/team": "payments", "transom.dev/request": "shop"},
	}
	for _, t := range trees {
		w.Components = append(w.Components, t.Dir)
	}
	return w
}

func TestBuildLabels(t *testing.T) {
	out, err := kustomize.Build(wrapper(map[string]any{"parameters": map[string]any{"image": "1e3", "replicas": 3}}, tree(map[string]string{
		"kustomization.yaml": `
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]
- source: {kind: Inputs, fieldPath: parameters.replicas}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]
`,
		"all.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {app: web}}, topologyKey: x}]}}
      containers: [{name: web, image: nginx}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: external}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects:
- {kind: ServiceAccount, name: web}
- {kind: ServiceAccount, name: default}
- {kind: ServiceAccount, name: other}
- {kind: ServiceAccount, name: other, namespace: kube-system}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: backup}
spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {containers: []}}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {selector: {}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]}
`})))
	require.NoError(t, err)
	t.Log(string(out))
}

func BenchmarkBuild(b *testing.B) {
	w := wrapper(map[string]any{}, tree(map[string]string{"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n",
		"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}}\n"}))
	for b.Loop() {
		_, err := kustomize.Build(w)
		require.NoError(b, err)
	}
}
