package render_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// autoscaled is an offering of which a version has a Deployment with replicas and an autoscaler.
func autoscaled(version string) map[string][]byte {
	files := kept(version, "", "", false)
	file := "offerings/kept/" + version + "/objects.yaml"
	files[file] = append(files[file], `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 4, maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: a, image: a}]}}
`...)
	files[file] = append(files[file], "# "+version+"\n"...)
	return files
}

// TestReplicasThatRunStay: the manifest that the renderers before made of a workload that is scaled stays until something
// else changes, and is made again as it was.
func TestReplicasThatRunStay(t *testing.T) {
	for name, renderer := range map[string]string{"the first": "", "the second": "2 kustomize/v0.21.2"} {
		t.Run(name, func(t *testing.T) {
			p := keptPlatform(t, `"1"`, autoscaled("1.0.0"))
			made := map[platform.RequestKey]*state.Release{shop: {Clusters: map[string]state.Placement{"dev": {Renderer: renderer}}}}
			repo := &repository{}
			rendered, err := repo.renderer.Direct(p, "dev", &render.Base{}, render.Direction{Made: made})
			require.NoError(t, err)
			require.Empty(t, rendered.Problems)
			repo.files = commit(fstest.MapFS{}, rendered.Changes)
			require.Contains(t, string(repo.files[keptFile].Data), "\n  replicas: 2\n")
			const record = "releases/payments/shop.yaml"
			text := string(repo.files[record].Data)
			require.Contains(t, text, "      renderer: "+render.RendererID+"\n")
			line := "      renderer: " + renderer + "\n"
			if renderer == "" {
				line = ""
			}
			repo.files[record] = &fstest.MapFile{Data: []byte(strings.Replace(text, "      renderer: "+render.RendererID+"\n", line, 1))}

			require.Empty(t, repo.render(t, p, "dev").Changes, "a new binary is no reason to commit")
			base, err := render.ReadBase(repo.files)
			require.NoError(t, err)
			again, err := new(render.Renderer).Again(p, "dev", p.Instances("dev"), base.Releases, shop, "dev")
			require.NoError(t, err)
			require.Equal(t, string(repo.files[keptFile].Data), string(again.Manifest))

			next := repo.render(t, keptPlatform(t, `"1"`, autoscaled("1.0.0"), autoscaled("1.1.0")), "dev")
			require.NotContains(t, string(next.Changes[keptFile]), "replicas: 2")
			require.Equal(t, render.RendererID, next.Releases[shop].Clusters["dev"].Renderer)
		})
	}
}
