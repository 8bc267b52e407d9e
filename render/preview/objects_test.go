package preview_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/preview"
)

const desired = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  template:
    spec:
      containers:
      - args:
        - --serve
        image: web:1
        name: web
---
apiVersion: v1
kind: Secret
metadata:
  name: key
  namespace: shop
data:
  key: aHVudGVyMg==
`

func deployment(replicas int64, args []any, containers ...any) map[string]any {
	web := map[string]any{"name": "web", "image": "web:1", "args": args, "imagePullPolicy": "Always"}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop", "annotations": map[string]any{"a": "b"}},
		"spec":   map[string]any{"replicas": replicas, "template": map[string]any{"spec": map[string]any{"containers": append(containers, web), "dnsPolicy": "ClusterFirst"}}},
		"status": map[string]any{"readyReplicas": int64(1)},
	}
}

// TestCoveredIsTheDesiredManifestWhereNobodyChangedIt: what defaults, controllers and an injected container add is no difference, and
// a Secret, which is not read, is none either.
func TestCoveredIsTheDesiredManifestWhereNobodyChangedIt(t *testing.T) {
	sidecar := map[string]any{"name": "proxy", "image": "proxy:1"}
	got, err := preview.Covered([]byte(desired), []map[string]any{deployment(2, []any{"--serve"}, sidecar)}, maps.Clone)
	require.NoError(t, err)
	require.Equal(t, desired, string(got)+"\n")
	got, err = preview.Covered([]byte(desired), []map[string]any{deployment(5, []any{"--serve", "--debug"}, sidecar)}, maps.Clone)
	require.NoError(t, err)
	require.Contains(t, string(got), "replicas: 5")
	require.Contains(t, string(got), "- --debug")
	require.NotContains(t, string(got), "proxy")
	got, err = preview.Covered([]byte(desired), nil, maps.Clone)
	require.NoError(t, err)
	require.NotContains(t, string(got), "Deployment", "an object that is gone is not there")
}

// TestCoveredIsTheDesiredManifestWhereTheClusterWritesItOtherwise: a value in its canonical form is no difference, and a field without a
// value that this form leaves out is none either. Beside a difference, they stay as they were written.
func TestCoveredIsTheDesiredManifestWhereTheClusterWritesItOtherwise(t *testing.T) {
	quota := func(spec map[string]any) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": map[string]any{"name": "most", "namespace": "shop"}, "spec": spec}
	}
	canonical := func(map[string]any) map[string]any {
		return quota(map[string]any{"hard": map[string]any{"cpu": "1", "memory": "1Gi"}, "items": []any{map[string]any{"cpu": "1"}}})
	}
	written := `apiVersion: v1
kind: ResourceQuota
metadata:
  name: most
  namespace: shop
spec:
  hard:
    cpu: 1000m
    memory: 1024Mi
  items:
  - cpu: 1000m
  scopes: []
`
	live := canonical(nil)
	got, err := preview.Covered([]byte(written), []map[string]any{live}, canonical)
	require.NoError(t, err)
	require.Equal(t, written, string(got)+"\n")

	live["spec"].(map[string]any)["hard"].(map[string]any)["memory"] = "2Gi"
	got, err = preview.Covered([]byte(written), []map[string]any{live}, canonical)
	require.NoError(t, err)
	require.Equal(t, strings.Replace(written, "1024Mi", "2Gi", 1), string(got)+"\n")

	got, err = preview.Covered([]byte(written), []map[string]any{canonical(nil)}, maps.Clone)
	require.NoError(t, err)
	require.Contains(t, string(got), "cpu: \"1\"", "of a kind without such a form, each way to write it is a difference")
	require.NotContains(t, string(got), "scopes")
}

func TestObjectsHideTheValuesOfSecrets(t *testing.T) {
	all, err := preview.Objects([]byte(desired))
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "apps", all[0].Group())
	require.Equal(t, "v1", all[0].Version())
	require.Contains(t, all[1].Manifest, "***")
	require.NotContains(t, all[1].Manifest, "aHVudGVyMg==")
}
