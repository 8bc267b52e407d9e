package gitrepo_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func fetch(t testing.TB, r *gitrepo.Remote) *gitrepo.Snapshot {
	t.Helper()
	s, err := r.Fetch(context.Background())
	require.NoError(t, err)
	return s
}

func commit(t testing.TB, r *gitrepo.Remote, parent *gitrepo.Snapshot, changes map[string][]byte) *gitrepo.Snapshot {
	t.Helper()
	s, err := r.Commit(context.Background(), parent, transom("change", changes))
	require.NoError(t, err)
	return s
}

func TestFirstCommitCreatesTheBranch(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		r := o.remote()
		s := fetch(t, r)
		require.Empty(t, s.Commit)
		entries, err := fs.ReadDir(s, ".")
		require.NoError(t, err)
		require.Empty(t, entries)

		s = commit(t, r, s, map[string][]byte{"a/b.txt": []byte("one"), "c": []byte("two")})
		require.Equal(t, o.head(), s.Commit)
		require.Equal(t, "one", readFile(t, s, "a/b.txt"))
		require.Equal(t, "one", o.git("show", "main:a/b.txt"))
		require.Equal(t, s.Commit, fetch(t, o.remote()).Commit)
		o.git("fsck", "--strict")
	})
}

func TestNothingIsPushedThatMayNotBe(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		r := o.remote()
		lost := errors.New("somebody else leads")
		r.PushAllowed = func() error { return lost }
		s := fetch(t, r)
		_, err := r.Commit(t.Context(), s, transom("change", map[string][]byte{"a": []byte("one")}))
		require.ErrorIs(t, err, lost)
		require.Empty(t, fetch(t, o.remote()).Commit, "nothing has arrived")
		lost = nil
		s = commit(t, r, s, map[string][]byte{"a": []byte("one")})
		require.Equal(t, o.head(), s.Commit)
	})
}

func TestFetchFollowsTheBranch(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		first := o.commit("first", map[string]string{"requests/payments/db.yaml": "v1"})
		r := o.remote()
		before := fetch(t, r)
		require.Equal(t, first, before.Commit)

		second := o.commit("second", map[string]string{"requests/payments/db.yaml": "v2"})
		after := fetch(t, r)
		require.Equal(t, second, after.Commit)
		require.Equal(t, "v2", readFile(t, after, "requests/payments/db.yaml"))
		require.Equal(t, "v1", readFile(t, before, "requests/payments/db.yaml"), "a snapshot never changes")

		yes, err := r.IsAncestor(context.Background(), first, second)
		require.NoError(t, err)
		require.True(t, yes)

		o.git("update-ref", "refs/heads/main", first)
		require.Equal(t, first, fetch(t, r).Commit, "a rewound branch is shown as it is")
		no, err := r.IsAncestor(context.Background(), second, first)
		require.NoError(t, err)
		require.False(t, no)
	})
}

func TestCommitChangesWhatItSays(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.commit("first", map[string]string{"a/b/one": "1", "a/two": "2", "z": "26", "a.b": "sorted before a/"})
		r := o.remote()
		before := fetch(t, r)
		after := commit(t, r, before, map[string][]byte{"a/b/one": nil, "a/two": []byte("zwei"), "n/e/w": []byte("neu"), "empty": {}})
		require.Equal(t, after.Commit, o.head())
		require.Equal(t, before.Commit, o.git("rev-parse", "main~1"))
		require.Equal(t, "a.b\na/two\nempty\nn/e/w\nz", o.git("ls-tree", "-r", "--name-only", "main"))
		require.Equal(t, "zwei", o.git("show", "main:a/two"))
		require.Equal(t, "transom <transom@example.com> 1700000000", o.git("log", "-1", "--format=%an <%ae> %at"))
		require.Equal(t, "zwei", readFile(t, after, "a/two"))
		require.Equal(t, "26", readFile(t, after, "z"))

		same, err := r.Commit(context.Background(), after, transom("again", map[string][]byte{"a/two": []byte("zwei"), "gone": nil}))
		require.NoError(t, err)
		require.Same(t, after, same, "no change, no commit")
		o.git("fsck", "--strict")
	})
}

func TestCommitLosesTheRace(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.commit("first", map[string]string{"f": "1"})
		r := o.remote()
		stale := fetch(t, r)
		theirs := o.commit("theirs", map[string]string{"f": "2"})
		_, err := r.Commit(context.Background(), stale, transom("ours", map[string][]byte{"f": []byte("3")}))
		require.ErrorIs(t, err, gitrepo.ErrRaced)
		require.Equal(t, theirs, o.head())

		o.git("update-ref", "-d", "refs/heads/main")
		_, err = r.Commit(context.Background(), stale, transom("ours", map[string][]byte{"f": []byte("3")}))
		require.ErrorIs(t, err, gitrepo.ErrRaced)
		require.Empty(t, o.head())
	})
}

func TestCommitLosesTheRaceForAnEmptyRepository(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		r := o.remote()
		empty := fetch(t, r)
		theirs := o.commit("theirs", map[string]string{"f": "2"})
		_, err := r.Commit(context.Background(), empty, transom("ours", map[string][]byte{"f": []byte("3")}))
		require.ErrorIs(t, err, gitrepo.ErrRaced)
		require.Equal(t, theirs, o.head())
	})
}

func TestCommitLosesTheRaceWhileTheHookRuns(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.commit("first", map[string]string{"f": "1"})
		theirs := o.commit("theirs", map[string]string{"f": "2"})
		o.git("update-ref", "refs/heads/main", theirs+"~1")
		o.hook("pre-receive", "env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main "+theirs)
		r := o.remote()
		_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("3")}))
		require.ErrorIs(t, err, gitrepo.ErrRaced)
		require.Equal(t, theirs, o.head())
		require.Equal(t, theirs, fetch(t, r).Commit)
	})
}

func TestCommitIsRejectedByAHook(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		first := o.commit("first", map[string]string{"f": "1"})
		o.hook("pre-receive", `printf 'state is \033[31mfrozen\033[0m\nuntil Monday\n' >&2; exit 1`)
		r := o.remote()
		parent := fetch(t, r)
		_, err := r.Commit(context.Background(), parent, transom("ours", map[string][]byte{"f": []byte("3")}))
		var rejected *gitrepo.RejectedError
		require.ErrorAs(t, err, &rejected)
		require.Equal(t, "pre-receive hook declined", rejected.Status)
		require.Equal(t, "state is frozen until Monday", rejected.Message)
		require.Equal(t, first, o.head())

		o.hook("pre-receive", "exit 0")
		after := commit(t, r, parent, map[string][]byte{"f": []byte("3")})
		require.Equal(t, after.Commit, o.head())
	})
}

func TestPostReceiveHookRunsToItsEnd(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.hook("post-receive", `echo started; sleep 0.2; echo done > "$GIT_DIR/seen"`)
		r := o.remote()
		commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("1")})
		require.FileExists(t, filepath.Join(o.dir, "seen"))
	})
}

func TestRemoteIsUsedByManyAtOnce(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.commit("first", map[string]string{"shared": "0"})
		r := o.remote()
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				name := fmt.Sprintf("file-%d", i)
				for {
					s, err := r.Fetch(context.Background())
					if err == nil {
						s, err = r.Commit(context.Background(), s, transom("one", map[string][]byte{name: []byte(name)}))
					}
					if errors.Is(err, gitrepo.ErrRaced) {
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					if content, err := s.ReadFile(name); err != nil || string(content) != name {
						t.Errorf("%s: %q, %v", name, content, err)
					}
					return
				}
			})
		}
		all.Wait()
		require.Equal(t, "7", o.git("rev-list", "--count", "main"))
		o.git("fsck", "--strict")
	})
}

func TestBranchThatHeadNames(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.git("symbolic-ref", "HEAD", "refs/heads/trunk")
		id := o.commit("on main", map[string]string{"f": "main"})
		o.git("update-ref", "refs/heads/trunk", id)
		theirs := o.commit("on main", map[string]string{"f": "main 2"})
		r := o.remote()
		r.Branch = ""
		s := fetch(t, r)
		require.Equal(t, id, s.Commit)
		after := commit(t, r, s, map[string][]byte{"f": []byte("trunk")})
		require.Equal(t, after.Commit, o.git("rev-parse", "trunk"))
		require.Equal(t, theirs, o.head())
	})
}

func TestBranchThatDoesNotExistYet(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		main := o.commit("on main", map[string]string{"f": "main"})
		r := o.remote()
		r.Branch = "environments/prod"
		s := fetch(t, r)
		require.Empty(t, s.Commit)
		require.Equal(t, []string{"main"}, r.OtherBranches())
		s = commit(t, r, s, map[string][]byte{"g": []byte("prod")})
		require.Equal(t, s.Commit, o.git("rev-parse", "environments/prod"))
		require.Equal(t, main, o.head())
		require.Equal(t, s.Commit, fetch(t, r).Commit)
	})
}

func TestNoSuchRepository(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		r := o.remote()
		r.URL += "-not-there"
		_, err := r.Fetch(context.Background())
		require.ErrorContains(t, err, "-not-there: ")
		_, err = r.Commit(context.Background(), &gitrepo.Snapshot{}, transom("ours", map[string][]byte{"f": nil, "g": []byte("g")}))
		require.ErrorContains(t, err, "-not-there: ")
	})
}

func TestRepositoryOfSHA256IsToldAsSuch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new.git")
	for _, args := range [][]string{
		{"init", "--quiet", "--object-format=sha256", dir},
		{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--allow-empty", "-m", "new"},
	} {
		out, err := exec.Command("git", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	_, err := (&gitrepo.Remote{URL: dir, Branch: "main", Dir: t.TempDir()}).Fetch(t.Context())
	require.ErrorContains(t, err, "names its objects by SHA-256, which is not supported")
}

func TestSnapshotIsAFileSystem(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		o.commit("first", map[string]string{"a/b/c": "1", "a/d": "2", "a.b": "3", "README.md": "4"})
		s := fetch(t, o.remote())
		require.NoError(t, fstest.TestFS(s, "a/b/c", "a/d", "a.b", "README.md"))
	})
}

func TestAtReadsEarlierCommits(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		first := o.commit("first", map[string]string{"f": "1"})
		o.commit("second", map[string]string{"f": "2"})
		r := o.remote()
		s, err := r.At(context.Background(), first)
		require.NoError(t, err)
		require.Equal(t, "1", readFile(t, s, "f"))

		_, err = r.At(context.Background(), "0123456789012345678901234567890123456789")
		require.ErrorContains(t, err, "the branch has no such commit: 0123456789012345678901234567890123456789")
		_, err = r.At(context.Background(), "HEAD")
		require.ErrorContains(t, err, `"HEAD" is no commit id; give all 40 hexadecimal digits`)
	})
}
