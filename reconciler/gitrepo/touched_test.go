package gitrepo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

// TestTouchedAreTheFilesThatACommitChanged: against its first parent, a file that became a directory included, at or below a path.
func TestTouchedAreTheFilesThatACommitChanged(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"a": "1", "dir/a": "1", "dir/deep/b": "1", "same/c": "1"})
	r := b.remote()
	s := fetch(t, r)
	require.Equal(t, first, r.Head())
	s = commit(t, r, s, map[string][]byte{"a": nil, "dir/a": []byte("2"), "dir/deep/b": nil, "dir/deep/c/d": []byte("1")})
	second := s.Commit
	s = commit(t, r, s, map[string][]byte{"dir/a": nil, "dir/a/x": []byte("1")})

	for _, one := range []struct {
		commit, below string
		want          []gitrepo.TouchedFile
	}{
		{first, ".", []gitrepo.TouchedFile{{Path: "a", Added: true}, {Path: "dir/a", Added: true}, {Path: "dir/deep/b", Added: true}, {Path: "same/c", Added: true}}},
		{second, ".", []gitrepo.TouchedFile{{Path: "a", Removed: true}, {Path: "dir/a"}, {Path: "dir/deep/b", Removed: true}, {Path: "dir/deep/c/d", Added: true}}},
		{second, "dir/deep", []gitrepo.TouchedFile{{Path: "dir/deep/b", Removed: true}, {Path: "dir/deep/c/d", Added: true}}},
		{second, "dir/a", []gitrepo.TouchedFile{{Path: "dir/a"}}},
		{second, "same", nil},
		{second, "nowhere", nil},
		{s.Commit, ".", []gitrepo.TouchedFile{{Path: "dir/a", Removed: true}, {Path: "dir/a/x", Added: true}}},
	} {
		files, more, err := r.Touched(t.Context(), one.commit, one.below, 10)
		require.NoError(t, err)
		require.Equal(t, one.want, files, "%s of %s", one.below, one.commit)
		require.False(t, more)
	}
	files, more, err := r.Touched(t.Context(), second, ".", 2)
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.True(t, more)
	_, _, err = r.Touched(t.Context(), second, "../x", 2)
	require.ErrorContains(t, err, "no path in a repository")

	require.True(t, r.Has(second))
	for _, unknown := range []string{"0123456789012345678901234567890123456789", "no commit", ""} {
		require.False(t, r.Has(unknown))
	}
}
