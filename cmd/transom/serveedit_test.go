package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// gitOf runs git in a directory, and returns its output.
func gitOf(t *testing.T, dir string) func(args ...string) string {
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@acme.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@acme.example", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
}

// TestAnEditKeepsTheFile: its comments, its order and its layout, as the platform's head has them.
func TestAnEditKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	git := gitOf(t, dir)
	const file = "requests/store/shop.yaml"
	const before = "# whose it is: store\nkind: Request\nspec:\n  offering: web # the old one\n  parameters:\n    image: shop:1 # do not pin\n    list: [a, b]\n  environments: {dev: {}}\n"
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "requests/store"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(before), 0o600))
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-qm", "begin")
	board := status.NewBoard(time.Now)
	traces := &tracer{board: board, platform: &gitrepo.Remote{URL: dir, Branch: "main", Dir: filepath.Join(t.TempDir(), "mirror")}}
	_, err := traces.edited(t.Context(), file, nil)
	require.ErrorContains(t, err, "the platform is not read yet")
	board.Loaded(dir, &platform.Platform{Commit: git("rev-parse", "HEAD")})

	after, err := traces.edited(t.Context(), file, []console.Assignment{
		{Path: []string{"parameters", "image"}, Value: "shop:2"}, {Path: []string{"parameters", "env", "feature.x"}, Value: "on"},
	})
	require.NoError(t, err)
	require.Contains(t, after, "    image: shop:2 # do not pin\n    list: [a, b]\n")
	require.Contains(t, after, "feature.x: \"on\"")
	require.Contains(t, after, "# whose it is: store\nkind: Request\nspec:\n  offering: web # the old one\n")
	same, err := traces.edited(t.Context(), file, nil)
	require.NoError(t, err)
	require.Equal(t, before, same)
	_, err = traces.edited(t.Context(), "requests/store/none.yaml", nil)
	require.Error(t, err)
}
