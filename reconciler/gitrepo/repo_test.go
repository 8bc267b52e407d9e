package gitrepo_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// A bare is a bare repository made by git itself, the other end of every test here.
type bare struct {
	t   testing.TB
	dir string
}

func newBare(t testing.TB) *bare {
	b := &bare{t, filepath.Join(t.TempDir(), "origin.git")}
	b.run("", "init", "--quiet", "--bare", "--initial-branch=main", b.dir)
	return b
}

// git runs git on the repository and returns its output.
func (b *bare) git(args ...string) string {
	return b.run("", append([]string{"-C", b.dir}, args...)...)
}

// raw is git with its output as it is.
func (b *bare) raw(args ...string) []byte {
	b.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", b.dir}, args...)...).Output()
	require.NoError(b.t, err)
	return out
}

func (b *bare) run(stdin string, args ...string) string {
	b.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=dev", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=dev", "GIT_COMMITTER_EMAIL=dev@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(b.t, err, "git %s: %s", args, out)
	return strings.TrimSpace(string(out))
}

// commit puts files on top of branch main, as a person's push would, and returns the commit.
func (b *bare) commit(message string, files map[string]string) string {
	b.t.Helper()
	work := b.t.TempDir()
	index := filepath.Join(work, "index")
	git := func(args ...string) string {
		b.t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), "GIT_DIR="+b.dir, "GIT_INDEX_FILE="+index, "GIT_WORK_TREE="+work,
			"GIT_AUTHOR_NAME=dev", "GIT_AUTHOR_EMAIL=dev@example.com", "GIT_COMMITTER_NAME=dev", "GIT_COMMITTER_EMAIL=dev@example.com")
		out, err := cmd.CombinedOutput()
		require.NoError(b.t, err, "git %s: %s", args, out)
		return strings.TrimSpace(string(out))
	}
	args := []string{"commit-tree", "-m", message}
	if head := b.head(); head != "" {
		git("read-tree", head)
		args = append(args, "-p", head)
	}
	for name, content := range files {
		file := filepath.Join(work, name)
		require.NoError(b.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(b.t, os.WriteFile(file, []byte(content), 0o644))
		git("update-index", "--add", "--", name)
	}
	id := git(append(args, git("write-tree"))...)
	git("update-ref", "refs/heads/main", id)
	return id
}

// head returns the commit of branch main, "" if there is none.
func (b *bare) head() string {
	return strings.TrimSpace(b.git("for-each-ref", "--format=%(objectname)", "refs/heads/main"))
}

// hook installs a shell script as one of the repository's hooks.
func (b *bare) hook(name, script string) {
	require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, "hooks", name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

// remote returns a Remote for the repository by its path, with a mirror of its own.
func (b *bare) remote() *gitrepo.Remote {
	return &gitrepo.Remote{URL: b.dir, Branch: "main", Dir: filepath.Join(b.t.TempDir(), "mirror")}
}

func transom(message string, changes map[string][]byte) gitrepo.Commit {
	who := gitrepo.Signature{Name: "transom", Email: "transom@example.com"}
	return gitrepo.Commit{Message: message, Changes: changes, Author: who, Committer: who, When: time.Unix(1_700_000_000, 0).UTC()}
}

func readFile(t testing.TB, fsys fs.FS, name string) string {
	t.Helper()
	content, err := fs.ReadFile(fsys, name)
	require.NoError(t, err)
	return string(content)
}
