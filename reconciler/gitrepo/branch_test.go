package gitrepo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

func TestBranchHasTheHistoryOfAFile(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1", "g": "1"})
	b.commit("another file", map[string]string{"g": "2"})
	b.commit("second", map[string]string{"f": "2"})
	s, err := gitrepo.OpenHistory(b.dir, "main")
	require.NoError(t, err)
	log, err := s.Log(t.Context(), "f", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"second", "first"}, subjects(log))
	log, err = s.Log(t.Context(), ".", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"second", "another file"}, subjects(log))
	then, err := s.At(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, "1", readFile(t, then, "f"))
	info, err := s.Show(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, "first", info.Subject)
	_, err = s.At(t.Context(), "0123456789012345678901234567890123456789")
	require.Error(t, err)
	_, err = s.Log(t.Context(), "../f", 2)
	require.ErrorContains(t, err, "no path in a repository")
}

func TestBranchWithoutCommitsHasNoHistory(t *testing.T) {
	s, err := gitrepo.OpenHistory(newBare(t).dir, "main")
	require.NoError(t, err)
	require.Empty(t, s.Head.Commit)
	log, err := s.Log(t.Context(), ".", 10)
	require.NoError(t, err)
	require.Empty(t, log)
}

func TestCheckoutHasTheHistoryOfAFile(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"in/f": "1"})
	b.commit("second", map[string]string{"in/f": "2", "g": "2"})
	b.commit("third", map[string]string{"g": "3"})
	dir, _ := clone(b)
	c, err := gitrepo.Open(dir + "/in")
	require.NoError(t, err)
	log, err := c.Log(t.Context(), "f", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"second", "first"}, subjects(log), "paths are within the directory that was opened")
	info, err := c.Show(t.Context(), log[1].Commit)
	require.NoError(t, err)
	require.Equal(t, log[1], info)
	_, err = c.Show(t.Context(), "0123456789012345678901234567890123456789")
	require.ErrorContains(t, err, "fetch it, with its history if the clone is shallow")
}
