package gitrepo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

func TestAHeadContainsItsHistoryAlsoAfterItWasSetBack(t *testing.T) {
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
	for _, head := range []struct {
		commit   string
		contains []string
	}{
		{left, []string{base, left}},
		{later, []string{base, left, later}},
		{right, []string{base, right}},
		{merge, []string{base, left, right, later, merge}},
		{left, []string{base, left}},
	} {
		var contains []string
		for _, commit := range []string{base, left, right, later, merge, "0123456789012345678901234567890123456789", "no commit"} {
			found, err := r.Contains(t.Context(), head.commit, commit)
			require.NoError(t, err)
			if found {
				contains = append(contains, commit)
			}
		}
		require.ElementsMatch(t, head.contains, contains)
	}
}

func TestABranchThatWasEmptiedIsBegunAnew(t *testing.T) {
	b := newBare(t)
	b.commit("base", map[string]string{"a": "1"})
	r := b.remote()
	fetch(t, r)
	b.git("update-ref", "-d", "refs/heads/main")
	emptied := fetch(t, r)
	require.Empty(t, emptied.Commit)
	began, err := r.Commit(t.Context(), emptied, gitrepo.Commit{Message: "anew", Changes: map[string][]byte{"b": []byte("2")}})
	require.NoError(t, err)
	n, err := r.Generation(t.Context(), began.Commit)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestSpellingsOfOneRepository(t *testing.T) {
	b := newBare(t)
	link := t.TempDir() + "/link"
	require.NoError(t, os.Symlink(b.dir, link))
	for _, same := range [][]string{
		{b.dir, "file://" + b.dir, b.dir + "/", link, "file://localhost" + link + "/", b.dir + "/../" + filepath.Base(b.dir)},
		{
			"https://git.example.com/acme/platform.git", "https://GIT.example.com:443/acme/platform", "https://git.example.com//acme/platform.git/",
			"git@git.example.com:acme/platform.git", "ssh://git@git.example.com/acme/platform", "ssh://other@git.example.com:22/acme/platform.git/",
			"git@git.example.com:/acme/platform",
		},
		{"https://git.example.com:8443/acme/platform.git"},
		{"https://git.example.com/acme/state.git"},
	} {
		for _, spelling := range same {
			require.Equal(t, gitrepo.Canonical(same[0]), gitrepo.Canonical(spelling), spelling)
		}
	}
	require.NotEqual(t, gitrepo.Canonical("https://git.example.com:8443/acme/platform.git"), gitrepo.Canonical("https://git.example.com/acme/platform.git"))
	require.Equal(t, "git.example.com/acme/platform", gitrepo.Site("ssh://git@git.example.com:2222/acme/platform.git"))
	require.Equal(t, "git.example.com:8443/acme/platform", gitrepo.Site("https://git.example.com:8443/acme/platform.git"))
	require.Equal(t, "git.example.com/acme/platform", gitrepo.Site("git@git.example.com:acme/platform.git"))
	require.NotEqual(t, gitrepo.Canonical("https://git.example.com/acme/state.git"), gitrepo.Canonical("https://git.example.com/acme/platform.git"))
}
