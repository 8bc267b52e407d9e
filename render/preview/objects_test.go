package preview_test

import (
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
	got, err := preview.Covered([]byte(desired), []map[string]any{deployment(2, []any{"--serve"}, sidecar)})
	require.NoError(t, err)
	require.Equal(t, desired, string(got)+"\n")
	got, err = preview.Covered([]byte(desired), []map[string]any{deployment(5, []any{"--serve", "--debug"}, sidecar)})
	require.NoError(t, err)
	require.Contains(t, string(got), "replicas: 5")
	require.Contains(t, string(got), "- --debug")
	require.NotContains(t, string(got), "proxy")
	got, err = preview.Covered([]byte(desired), nil)
	require.NoError(t, err)
	require.NotContains(t, string(got), "Deployment", "an object that is gone is not there")
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
