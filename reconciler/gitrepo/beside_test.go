package gitrepo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

func TestCheckoutKnowsItsOriginAndHistory(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	dir, git := clone(b)
	later := b.commit("later", map[string]string{"f": "2"})
	c, err := gitrepo.Open(dir)
	require.NoError(t, err)
	require.Equal(t, b.dir, c.Origin())
	for commit, want := range map[string]bool{first: true, later: false, "0123456789012345678901234567890123456789": false} {
		contains, err := c.Contains(commit)
		require.NoError(t, err)
		require.Equal(t, want, contains, commit)
	}
	_, err = c.Contains("main")
	require.Error(t, err, "only whole commits are asked for")
	git("remote", "remove", "origin")
	require.Empty(t, c.Origin())
}

func TestShallowCheckoutContainsWhatItHas(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	second := b.commit("second", map[string]string{"f": "2"})
	dir, git := clone(b)
	git("fetch", "--quiet", "--depth", "1", "file://"+b.dir, "main")
	c, err := gitrepo.Open(dir)
	require.NoError(t, err)
	contains, err := c.Contains(second)
	require.NoError(t, err)
	require.True(t, contains)
	_, err = c.Contains(first)
	require.NoError(t, err)
}

func TestBranchIsReadInPlace(t *testing.T) {
	b := newBare(t)
	empty, err := gitrepo.OpenBranch(b.dir, "main")
	require.NoError(t, err)
	require.Empty(t, empty.Commit)
	head := b.commit("first", map[string]string{"f": "1"})
	s, err := gitrepo.OpenBranch(b.dir, "main")
	require.NoError(t, err)
	require.Equal(t, head, s.Commit)
	require.Equal(t, "1", readFile(t, s, "f"))
	dir, _ := clone(b)
	s, err = gitrepo.OpenBranch(dir, "main")
	require.NoError(t, err)
	require.Equal(t, head, s.Commit, "a clone is a repository, too")
	_, err = gitrepo.OpenBranch(t.TempDir(), "main")
	require.ErrorContains(t, err, "open the Git repository")
}
