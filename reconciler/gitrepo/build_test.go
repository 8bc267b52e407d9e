package gitrepo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func TestChangesThatCannotBe(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"dir/file": "1", "file": "2"})
	r := b.remote()
	s := fetch(t, r)
	for want, changes := range map[string]map[string][]byte{
		`"../up" is no path of a file in a repository`:                              {"../up": nil},
		`"/abs" is no path of a file in a repository`:                               {"/abs": nil},
		`"a//b" is no path of a file in a repository`:                               {"a//b": {}},
		`"." is no path of a file in a repository`:                                  {".": {}},
		`"a/.GIT/config" is no path of a file in a repository`:                      {"a/.GIT/config": {}},
		"dir: cannot be a file, as there are files below it":                        {"dir": []byte("x")},
		"new: cannot be a file, as there are files below it":                        {"new": []byte("x"), "new/file": []byte("x")},
		"dir: is a directory; remove the files below it":                            {"dir": nil},
		"file: is a file, so nothing can be below it; remove it in the same change": {"file/below": []byte("x")},
	} {
		_, err := r.Commit(context.Background(), s, transom("x", changes))
		require.EqualError(t, err, "commit to "+b.dir+": "+want)
	}
	require.Equal(t, first, b.head())
}

func TestFilesAndDirectoriesChangePlaces(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"dir/sub/file": "1", "file": "2", "other": "3"})
	r := b.remote()
	s := commit(t, r, fetch(t, r), map[string][]byte{
		"dir": []byte("a file now"), "dir/sub/file": nil, "file": nil, "file/below": []byte("x"), "other/nothing": nil,
	})
	require.Equal(t, "dir\nfile/below\nother", b.git("ls-tree", "-r", "--name-only", "main"))
	require.Equal(t, "a file now", readFile(t, s, "dir"))

	s = commit(t, r, s, map[string][]byte{"dir": nil, "file/below": nil, "other": nil})
	require.Empty(t, b.git("ls-tree", "-r", "--name-only", "main"), "a commit with nothing left")
	require.Equal(t, s.Commit, b.head())
	again, err := r.Commit(context.Background(), s, transom("x", map[string][]byte{"gone": nil}))
	require.NoError(t, err)
	require.Same(t, s, again)
	s = commit(t, b.remote(), fetch(t, b.remote()), map[string][]byte{"back": []byte("x")})
	require.Equal(t, "back", b.git("ls-tree", "-r", "--name-only", "main"))
	require.Equal(t, "x", readFile(t, s, "back"))
	b.git("fsck", "--strict")
}

// Directories that a commit replaced are not kept in memory, and can be read all the same.
func TestReplacedDirectoriesAreNotKept(t *testing.T) {
	b := newBare(t)
	r := b.remote()
	first := commit(t, r, fetch(t, r), map[string][]byte{"a/b/f": []byte("0"), "c/h": []byte("3")})
	s := first
	for _, content := range []string{"1", "2", "3", "4"} {
		s = commit(t, r, s, map[string][]byte{"a/b/f": []byte(content)})
		require.Equal(t, 4, s.TreesInMemory(), "the root, a, a/b and c")
	}
	require.Equal(t, "0", readFile(t, first, "a/b/f"))
	require.Equal(t, "4", readFile(t, s, "a/b/f"))
}

func TestModesBecomePlain(t *testing.T) {
	b := newBare(t)
	odd(b)
	r := b.remote()
	commit(t, r, fetch(t, r), map[string][]byte{"run.sh": []byte("#!/bin/sh\n"), "link": nil})
	require.True(t, strings.HasPrefix(b.git("ls-tree", "main", "run.sh"), "100644 blob "))
	require.Empty(t, b.git("ls-tree", "main", "link"))
}

// odd commits entries that are neither a plain file nor a directory.
func odd(b *bare) {
	work := b.t.TempDir()
	sh := func(args ...string) { b.run("", append([]string{"-C", work}, args...)...) }
	sh("clone", "--quiet", b.dir, ".")
	sh("checkout", "--quiet", "-B", "main")
	require.NoError(b.t, os.WriteFile(filepath.Join(work, "run.sh"), []byte("#!/bin/sh\n"), 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(work, "plain"), []byte("plain"), 0o644))
	require.NoError(b.t, os.Symlink("/etc/passwd", filepath.Join(work, "link")))
	sh("add", ".")
	sh("update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,module")
	sh("commit", "--quiet", "-m", "odd")
	sh("push", "--quiet", "origin", "main")
}

func TestNothingThatPeopleWriteHarmsACommit(t *testing.T) {
	b := newBare(t)
	r := b.remote()
	s := fetch(t, r)
	names := []string{"", "Dev\nparent 0123", "<script>", "A\x00B", "\xff\xfe", "  . ", strings.Repeat("long ", 200)}
	for i, name := range names {
		var err error
		s, err = r.Commit(context.Background(), s, gitrepo.Commit{
			Message:   name + "\n\nbody\x00 of " + name + "\n\nSigned-off-by: " + name,
			Changes:   map[string][]byte{"f": fmt.Append(nil, i), "on off.yaml": []byte(name), "Grüße/ß": []byte("ü")},
			Author:    gitrepo.Signature{Name: name, Email: name},
			Committer: gitrepo.Signature{Name: name, Email: name},
			When:      time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -9*3600-30*60)),
		})
		require.NoError(t, err)
		require.Equal(t, s.Commit, b.head())
	}
	b.git("fsck", "--strict")
	require.Equal(t, fmt.Sprint(len(names)), b.git("rev-list", "--count", "main"))
	require.Equal(t, "unknown <unknown> 2026-01-02T03:04:05-09:30", b.git("log", "--reverse", "--format=%an <%ae> %aI", "--max-count=1", "main~6"))
}
