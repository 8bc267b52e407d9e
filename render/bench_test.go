package render_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// BenchmarkRenderOneChange renders three environments of 1,000 requests after one of them changed, from the reload of
// the platform on: the part of push-to-live that is not Git or a cluster.
func BenchmarkRenderOneChange(b *testing.B) {
	files := thousand()
	var loader platform.Loader
	environments := []string{"dev", "staging", "prod"}
	renderers, bases := map[string]*render.Renderer{}, map[string]*render.Base{}
	p := reload(b, &loader, files)
	for _, environment := range environments {
		renderers[environment] = &render.Renderer{}
		state, err := renderers[environment].Render(p, environment, &render.Base{})
		require.NoError(b, err)
		require.Empty(b, state.Problems)
		files := commit(fstest.MapFS{}, state.Changes)
		bases[environment] = &render.Base{Releases: state.Releases, Fleet: state.Fleet, Files: files}
	}
	b.ResetTimer()
	for n := 0; b.Loop(); n++ {
		put(files, "requests/team-07/r042.yaml", request("r042", fmt.Sprintf(
			"  parameters: {text: change-%d}\n  environments: {dev: {}, staging: {}, prod: {}}\n", n)))
		p := reload(b, &loader, files)
		for _, environment := range environments {
			state, err := renderers[environment].Render(p, environment, bases[environment])
			require.NoError(b, err)
			require.Len(b, state.Touched, 1)
			bases[environment].Releases, bases[environment].Fleet = state.Releases, state.Fleet
			for name, content := range state.Changes {
				put(bases[environment].Files.(fstest.MapFS), name, content)
			}
		}
	}
}

// BenchmarkRenderFirst renders an environment of 1,000 requests from nothing.
func BenchmarkRenderFirst(b *testing.B) {
	p := load(b, thousand())
	for b.Loop() {
		var r render.Renderer
		state, err := r.Render(p, "dev", nil)
		require.NoError(b, err)
		require.Len(b, state.Releases, 1000)
	}
}

// BenchmarkRenderAfterRestart renders it with empty caches on top of what is there.
func BenchmarkRenderAfterRestart(b *testing.B) {
	p := load(b, thousand())
	var r render.Renderer
	state, err := r.Render(p, "dev", nil)
	require.NoError(b, err)
	files := commit(fstest.MapFS{}, state.Changes)
	for b.Loop() {
		base, err := render.ReadBase(files)
		require.NoError(b, err)
		var r render.Renderer
		state, err := r.Render(p, "dev", base)
		require.NoError(b, err)
		require.Empty(b, state.Changes)
	}
}

func reload(b *testing.B, loader *platform.Loader, files fstest.MapFS) *platform.Platform {
	b.Helper()
	p, err := loader.Load(files)
	require.NoError(b, err)
	p.Commit = "c0ffee"
	return p
}

// thousand is a platform of ten teams with a hundred requests each, in three environments.
func thousand() fstest.MapFS {
	files := common()
	put(files, "environments/staging.yaml", []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: staging}\n"+
		"spec:\n  state: {url: https://git.example.com/state-staging.git, branch: main}\n  clusters: {matchLabels: {environment: dev}}\n"))
	for team := range 10 {
		for n := range 100 {
			name := fmt.Sprintf("r%03d", n)
			put(files, fmt.Sprintf("requests/team-%02d/%s.yaml", team, name),
				request(name, "  environments: {dev: {}, staging: {}, prod: {}}\n"))
		}
	}
	return files
}
