package rights_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"transom.dev/cmd/transom/internal/rights"
)

func TestKindsOfAPlatformAreThoseOfItsFiles(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	kinds, err := rights.Kinds(fstest.MapFS{
		"offerings/web/1.0.0/all.yaml":           file("apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: v1\nkind: Service\n---\nno: kind\n"),
		"offerings/web/1.0.0/kustomization.yaml": file("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nconfigMapGenerator: [{name: x}]\n"),
		"offerings/web/1.0.0/version.yaml":       file("apiVersion: transom.dev/v1alpha1\nkind: Version\n"),
		"offerings/web/1.0.0/broken.yaml":        file("{"),
		"offerings/web/README.md":                file("apiVersion: v1\nkind: Secret\n"),
		"environments/prod/quota.yml":            file("apiVersion: v1\nkind: ResourceQuota\n"),
		"requests/a/b.yaml":                      file("apiVersion: v1\nkind: Secret\n"),
	})
	require.NoError(t, err)
	require.Equal(t, []schema.GroupKind{{Kind: "ConfigMap"}, {Group: "apps", Kind: "Deployment"}, {Kind: "ResourceQuota"}, {Kind: "Service"}}, kinds)

	none, err := rights.Kinds(fstest.MapFS{})
	require.NoError(t, err)
	require.Empty(t, none)
	acme, err := rights.Kinds(os.DirFS("../../../../examples/acme"))
	require.NoError(t, err)
	require.Contains(t, acme, schema.GroupKind{Group: "apps", Kind: "StatefulSet"})
}

// TestRightsGiveNoRightsAway: no rule lets Transom raise its own rights or be somebody else, and none is for everything.
func TestRightsGiveNoRightsAway(t *testing.T) {
	for _, r := range append(rights.Fixed("transom"), rights.For([]schema.GroupResource{{Resource: "services"}, {Group: "apps", Resource: "deployments"}})...) {
		require.NotEmpty(t, r.Reason)
		require.NotContains(t, r.Rule.APIGroups, "*")
		require.NotContains(t, r.Rule.Resources, "*")
		for _, verb := range []string{"*", "escalate", "bind", "impersonate"} {
			require.NotContains(t, r.Rule.Verbs, verb, r)
		}
	}
	require.Equal(t, "deployments, statefulsets of apps: get, list, watch, create, patch, delete", rights.For([]schema.GroupResource{
		{Group: "apps", Resource: "statefulsets"}, {Group: "apps", Resource: "deployments"}, {Group: "apps", Resource: "deployments"},
	})[0].String())
}
