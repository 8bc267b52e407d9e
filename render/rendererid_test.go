package render_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
)

// TestRendererNamesKustomize: an update of Kustomize is a new renderer.
func TestRendererNamesKustomize(t *testing.T) {
	gomod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	_, version, _ := strings.Cut(render.RendererID, "kustomize/")
	require.Contains(t, string(gomod), "sigs.k8s.io/kustomize/api "+version+"\n")
}
