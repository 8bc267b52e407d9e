// Package examples_test renders every example and compares the result with the state that it shows.
package examples_test

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

var update = flag.Bool("update", false, "rewrite the state that the examples show")

// commit stands for the platform commit that Release files name: the examples are not commits of their own.
const commit = "0000000000000000000000000000000000000000"

func TestExamplesRenderToTheStateTheyShow(t *testing.T) {
	for _, example := range []string{"minimal", "acme"} {
		t.Run(example, func(t *testing.T) {
			p, err := platform.Load(os.DirFS(example))
			require.NoError(t, err)
			require.Empty(t, p.Problems)
			p.Commit = commit

			var r render.Renderer
			for _, environment := range slices.Sorted(maps.Keys(p.Environments)) {
				state, err := r.Render(p, environment, &render.Base{})
				require.NoError(t, err)
				require.Empty(t, state.Problems)
				require.NotEmpty(t, state.Touched)

				shown := filepath.Join(example, ".state", environment)
				if *update {
					rewrite(t, shown, state.Changes)
				}
				require.Equal(t, text(state.Changes), read(t, shown), "run go test ./examples -update and review the diff")
			}
		})
	}
}

// TestExamplesAtRest: an example renders to the state that it shows, so that nothing remains to commit.
func TestExamplesAtRest(t *testing.T) {
	for _, example := range []string{"minimal", "acme"} {
		p, err := platform.Load(os.DirFS(example))
		require.NoError(t, err)
		p.Commit = commit
		for environment := range p.Environments {
			base, err := render.ReadBase(os.DirFS(filepath.Join(example, ".state", environment)))
			require.NoError(t, err)
			var r render.Renderer
			state, err := r.Render(p, environment, base)
			require.NoError(t, err)
			require.Empty(t, state.Changes, "%s of %s", environment, example)
		}
	}
}

func rewrite(t *testing.T, dir string, files map[string][]byte) {
	require.NoError(t, os.RemoveAll(dir))
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, content, 0o644))
	}
}

func read(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		files[name] = string(content)
		return err
	})
	require.NoError(t, err)
	return files
}

func text(files map[string][]byte) map[string]string {
	out := make(map[string]string, len(files))
	for name, content := range files {
		out[name] = string(content)
	}
	return out
}
