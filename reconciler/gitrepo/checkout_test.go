package gitrepo_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// clone returns a work tree of b and a function that runs git in it.
func clone(b *bare) (dir string, git func(args ...string) string) {
	dir = b.t.TempDir()
	git = func(args ...string) string { return b.run("", append([]string{"-C", dir}, args...)...) }
	git("clone", "--quiet", b.dir, ".")
	return dir, git
}

func TestCheckoutReadsRevisions(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	b.commit("second", map[string]string{"f": "2"})
	b.commit("third", map[string]string{"f": "3"})
	dir, git := clone(b)
	git("tag", "v1", first)
	git("tag", "-a", "-m", "annotated", "v1-annotated", first)
	git("branch", "topic", "HEAD~1")
	git("gc", "--quiet")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("not committed"), 0o644))
	c, err := gitrepo.Open(dir)
	require.NoError(t, err)
	for revision, want := range map[string]string{
		"HEAD": "3", "HEAD~1": "2", "main~2": "1", "v1": "1", "v1-annotated": "1", "topic": "2", "origin/main": "3", first: "1", first[:8]: "1",
	} {
		s, err := c.At(revision)
		require.NoError(t, err, revision)
		require.Equal(t, want, readFile(t, s, "f"), revision)
		require.Equal(t, git("rev-parse", revision+"^{commit}"), s.Commit)
	}
	_, err = c.At("nowhere")
	require.EqualError(t, err, dir+`: no revision "nowhere" in this clone (reference not found); `+
		"fetch it, with its history if the clone is shallow: git fetch --unshallow origin")
}

func TestCheckoutWithoutACommitSaysToCommitFirst(t *testing.T) {
	dir := t.TempDir()
	newBare(t).run("", "-C", dir, "init", "--quiet")
	c, err := gitrepo.Open(dir)
	require.NoError(t, err)
	_, err = c.At("HEAD")
	require.EqualError(t, err, dir+`: no revision "HEAD": nothing is committed here yet; commit first: git add -A && git commit`)
}

func TestCheckoutOfADirectoryBelowTheRoot(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"other/f": "1"})
	b.commit("second", map[string]string{"examples/acme/requests/a.yaml": "2"})
	dir, _ := clone(b)
	c, err := gitrepo.Open(filepath.Join(dir, "examples", "acme"))
	require.NoError(t, err)
	s, err := c.At("HEAD")
	require.NoError(t, err)
	require.Equal(t, "2", readFile(t, s, "requests/a.yaml"))
	s, err = c.At("HEAD~1")
	require.NoError(t, err)
	entries, err := fs.ReadDir(s, ".")
	require.NoError(t, err)
	require.Empty(t, entries, "the directory did not exist yet")
}

func TestCheckoutInALinkedWorkTree(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	_, git := clone(b)
	linked := filepath.Join(t.TempDir(), "linked")
	git("worktree", "add", "--quiet", linked, "-b", "topic")
	c, err := gitrepo.Open(linked)
	require.NoError(t, err)
	s, err := c.At("HEAD")
	require.NoError(t, err)
	require.Equal(t, "1", readFile(t, s, "f"))
}

func TestCheckoutThatIsNone(t *testing.T) {
	dir := t.TempDir()
	_, err := gitrepo.Open(dir)
	require.EqualError(t, err, dir+": not in a Git repository; run this in a clone of the platform repository")
}
