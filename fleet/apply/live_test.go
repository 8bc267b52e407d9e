package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"transom.dev/fleet/apply"
)

// TestLiveObjectsOfAnInstanceAreItsOwn: they are read whole, but a Secret is not read, nor what is another's or is gone.
func TestLiveObjectsOfAnInstanceAreItsOwn(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Patch(t.Context(), "web", "application/merge-patch+json", []byte(`{"data":{"byHand":"yes"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	named := func(kind, name string) apply.Named {
		return apply.Named{Object: apply.Object{Kind: kind, Namespace: r.team, Name: name}, Version: "v1"}
	}
	all, err := r.Live(t.Context(), in.Owner, []apply.Named{named("ConfigMap", "web"), named("ConfigMap", "gone"), named("Secret", "web"), named("ConfigMap", "kube-root-ca.crt")})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "yes", all[0]["data"].(map[string]any)["byHand"])
	require.NotContains(t, all[0]["metadata"], "managedFields")
	require.NotContains(t, all[0]["metadata"], "resourceVersion")
}

// TestCanonicalIsHowAnAPIServerWritesAnObject: quantities have one form, and an empty list is omitted.
func TestCanonicalIsHowAnAPIServerWritesAnObject(t *testing.T) {
	r := newRig(t, &apiOnly)
	text := `apiVersion: v1
kind: ResourceQuota
metadata: {name: most}
spec: {hard: {requests.cpu: 1000m, requests.memory: 1024Mi, limits.cpu: "0.5"}, scopes: []}
`
	in := r.instance("web", text)
	r.visit(in)
	all, err := r.Live(t.Context(), in.Owner, []apply.Named{{Object: apply.Object{Kind: "ResourceQuota", Namespace: r.team, Name: "most"}, Version: "v1"}})
	require.NoError(t, err)
	require.Len(t, all, 1)
	var desired map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &desired))
	require.Equal(t, all[0]["spec"], apply.Canonical(desired)["spec"])
	require.Equal(t, map[string]any{"requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "500m"}, all[0]["spec"].(map[string]any)["hard"])
	require.Contains(t, desired["spec"], "scopes", "the object itself is not changed")

	custom := map[string]any{"apiVersion": "example.dev/v1", "kind": "Thing", "spec": map[string]any{"cpu": "1000m", "list": []any{}}}
	require.Equal(t, custom["spec"], apply.Canonical(custom)["spec"], "of other kinds nobody knows a form")
}

// TestCanonicalReadsNoQuantityOfVeryManyDigits: it would take hours. No API server writes one, but whoever pretends to be one may.
func TestCanonicalReadsNoQuantityOfVeryManyDigits(t *testing.T) {
	hostile := map[string]any{"apiVersion": "v1", "kind": "ResourceQuota", "spec": map[string]any{
		"hard": map[string]any{"limits.cpu": "1234567890123456789e2000000000", "requests.cpu": "1000m"}, "scopes": []any{},
	}}
	require.Equal(t, hostile, apply.Canonical(hostile))

	commit := map[string]any{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": map[string]any{"annotations": map[string]any{"commit": "15e1234ab"}}, "spec": map[string]any{
		"hard": map[string]any{"requests.cpu": "1000m"},
	}}
	require.Equal(t, map[string]any{"requests.cpu": "1"}, apply.Canonical(commit)["spec"].(map[string]any)["hard"], "a text that begins as one is none")
}
