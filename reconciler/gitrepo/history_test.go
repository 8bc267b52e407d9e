package gitrepo_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func subjects(log []gitrepo.CommitInfo) []string {
	var s []string
	for _, c := range log {
		s = append(s, c.Subject)
	}
	return s
}

func TestLogFollowsAPath(t *testing.T) {
	b := newBare(t)
	b.commit("one: a", map[string]string{"dir/a": "1"})
	b.commit("two: b", map[string]string{"dir/b": "1"})
	b.commit("three: a", map[string]string{"dir/a": "2"})
	b.commit("four: elsewhere", map[string]string{"c": "1"})
	r := b.remote()
	s := fetch(t, r)
	s = commit(t, r, s, map[string][]byte{"dir/a": nil})
	commit(t, r, s, map[string][]byte{"c": []byte("2")})

	for path, want := range map[string][]string{
		"dir/a": {"change", "three: a", "one: a"},
		"dir/b": {"two: b"},
		"dir":   {"change", "three: a", "two: b", "one: a"},
		".":     {"change", "change", "four: elsewhere", "three: a", "two: b", "one: a"},
		"never": nil,
	} {
		log, err := r.Log(context.Background(), path, 10)
		require.NoError(t, err)
		require.ElementsMatch(t, want, subjects(log), path)
		if len(log) > 0 {
			require.Equal(t, want[0], log[0].Subject, path)
		}
	}
	log, err := r.Log(context.Background(), ".", 2)
	require.NoError(t, err)
	require.Len(t, log, 2)
	_, err = r.Log(context.Background(), "/dir", 2)
	require.EqualError(t, err, b.dir+`: log of "/dir": no path in a repository`)
	log, err = newBare(t).remote().Log(context.Background(), ".", 2)
	require.NoError(t, err)
	require.Empty(t, log)
}

func TestLastChangeIsAsOfACommit(t *testing.T) {
	b := newBare(t)
	one := b.commit("one", map[string]string{"a": "1"})
	two := b.commit("two", map[string]string{"b": "1"})
	three := b.commit("three", map[string]string{"a": "2"})
	r := b.remote()
	fetch(t, r)
	for _, c := range []struct{ commit, path, want string }{{two, "a", one}, {three, "a", three}, {three, "b", two}, {one, "b", ""}} {
		info, err := r.Changed(context.Background(), c.commit, c.path)
		require.NoError(t, err)
		require.Equal(t, c.want, info.Commit)
	}
	_, err := r.Changed(context.Background(), "0123456789012345678901234567890123456789", "a")
	require.Error(t, err)
}

func TestLogFollowsTheSideThatChanged(t *testing.T) {
	b := newBare(t)
	base := b.commit("base", map[string]string{"a": "1", "b": "1"})
	left := b.commit("left: a", map[string]string{"a": "2"})
	b.git("update-ref", "refs/heads/main", base)
	right := b.commit("right: b", map[string]string{"b": "2"})
	b.git("update-ref", "refs/heads/main", base)
	b.commit("content of the merge", map[string]string{"a": "2", "b": "2"})
	merge := b.git("-c", "user.name=dev", "-c", "user.email=dev@example.com", "commit-tree", "-p", left, "-p", right, "-m", "merge", "main^{tree}")
	b.git("update-ref", "refs/heads/main", merge)

	r := b.remote()
	log, err := r.Log(context.Background(), "a", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"left: a", "base"}, subjects(log))
	log, err = r.Log(context.Background(), ".", 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"merge", "left: a", "right: b", "base"}, subjects(log))
	for _, c := range []struct{ commit, path, want string }{
		{merge, "b", merge}, {merge, "a", left}, {right, "b", right}, {left, "b", base}, {merge, "never", ""},
	} {
		arrived, err := r.Arrived(context.Background(), c.commit, c.path)
		require.NoError(t, err)
		require.Equal(t, c.want, arrived.Commit, "the merge is what brought %s", c.path)
	}
	for _, commit := range []string{base, left, right, merge} {
		yes, err := r.IsAncestor(context.Background(), commit, merge)
		require.NoError(t, err)
		require.True(t, yes)
	}
	no, err := r.IsAncestor(context.Background(), left, right)
	require.NoError(t, err)
	require.False(t, no)
}

func TestShowTellsWhatACommitSays(t *testing.T) {
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	r := b.remote()
	s, err := r.Commit(context.Background(), fetch(t, r), transom(`payments/orders-db: deploy 1.5.0

A body: with a colon.

Transom-Platform-Commit: 0123
Transom-Release: payments/orders-db sha256:12
Transom-Release: payments/web sha256:34
Co-authored-by: Developer
  <developer@example.com>
`, map[string][]byte{"f": []byte("2")}))
	require.NoError(t, err)
	info, err := r.Show(context.Background(), s.Commit)
	require.NoError(t, err)
	require.Equal(t, "payments/orders-db: deploy 1.5.0", info.Subject)
	require.Equal(t, []string{first}, info.Parents)
	require.Equal(t, gitrepo.Signature{Name: "transom", Email: "transom@example.com"}, info.Author)
	require.Equal(t, int64(1_700_000_000), info.When.Unix())
	require.Equal(t, []string{"0123"}, info.Trailer("Transom-Platform-Commit"))
	require.Equal(t, []string{"payments/orders-db sha256:12", "payments/web sha256:34"}, info.Trailer("Transom-Release"))
	require.Equal(t, []string{"Developer <developer@example.com>"}, info.Trailer("Co-authored-by"))

	info, err = r.Show(context.Background(), first)
	require.NoError(t, err)
	require.Equal(t, gitrepo.Signature{Name: "dev", Email: "dev@example.com"}, info.Author)
	require.Empty(t, info.Trailers)
}

func TestTrailersAreTheLastParagraphAlone(t *testing.T) {
	b := newBare(t)
	r := b.remote()
	s := fetch(t, r)
	for i, message := range []string{"Key: the subject", "s\n\nKey: value\nno trailer", "s\n\nKey: value\n\nlast words", "s\n\n  Key: indented"} {
		var err error
		s, err = r.Commit(context.Background(), s, transom(message, map[string][]byte{"f": {byte('0' + i)}}))
		require.NoError(t, err)
		info, err := r.Show(context.Background(), s.Commit)
		require.NoError(t, err)
		require.Empty(t, info.Trailers, message)
	}
}
