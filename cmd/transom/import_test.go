package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestImportedKindsOfOthersAreDeclared: a version has to say the scope of a kind that Kubernetes does not define.
func TestImportedKindsOfOthersAreDeclared(t *testing.T) {
	object := func(version, kind string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind}}
	}
	require.Empty(t, customKinds([]*unstructured.Unstructured{object("v1", "ConfigMap"), object("apps/v1", "Deployment"), object("networking.k8s.io/v1", "Ingress")}))
	require.Equal(t, "  kinds: # that others define\n  - {group: acme.io, kind: Widget, scope: Namespaced}\n  - {group: acme.io, kind: Gadget, scope: Namespaced}\n",
		customKinds([]*unstructured.Unstructured{object("acme.io/v1", "Widget"), object("acme.io/v1", "Widget"), object("acme.io/v1", "Gadget"), object("v1", "Service")}))
}
