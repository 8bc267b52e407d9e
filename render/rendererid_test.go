package render_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

// TestRendererNamesKustomize: an update of Kustomize is a new renderer, and one of Helm is for charts.
func TestRendererNamesKustomize(t *testing.T) {
	gomod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	_, version, _ := strings.Cut(render.RendererID, "kustomize/")
	require.Contains(t, string(gomod), "sigs.k8s.io/kustomize/api "+version+"\n")
	_, version, found := strings.Cut(string(gomod), "helm.sh/helm/v4 ")
	require.True(t, found)
	version, _, _ = strings.Cut(version, "\n")
	require.True(t, render.Renders(render.RendererID+" helm/"+version), "the records of charts name Helm's version")
}
