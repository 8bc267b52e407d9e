package gitrepo_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGenerationOrdersHistory(t *testing.T) {
	b := newBare(t)
	base := b.commit("base", map[string]string{"a": "1"})
	left := b.commit("left", map[string]string{"a": "2"})
	later := b.commit("left again", map[string]string{"a": "3"})
	b.git("update-ref", "refs/heads/main", base)
	right := b.commit("right", map[string]string{"b": "2"})
	merge := b.git("commit-tree", "-p", right, "-p", later, "-m", "merge", "main^{tree}")
	b.git("update-ref", "refs/heads/main", merge)

	r := b.remote()
	fetch(t, r)
	for commit, want := range map[string]int{base: 1, left: 2, right: 2, later: 3, merge: 4} {
		n, err := r.Generation(context.Background(), commit)
		require.NoError(t, err)
		require.Equal(t, want, n, b.git("log", "-1", "--format=%s", commit))
	}
	_, err := r.Generation(context.Background(), "0123456789012345678901234567890123456789")
	require.Error(t, err)
}
