package reconciler_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
)

// fewAtOnce is how many new requests a load of these tests resolves. What the daemon does with its own bound is in TestCrowdsCostOnlyThemselves.
const fewAtOnce = 20

// addCrowd adds so many new requests.
func addCrowd(files map[string][]byte, count int) {
	for n := range count {
		name := fmt.Sprintf("n%05d", n)
		files["requests/a-crowd/"+name+".yaml"] = crowdRequest(name, "hello")
	}
}

// crowdOf lists the commits of an environment's state, and returns how many of the crowd are in one of them.
func (s *system) crowdOf(environment string) (commits []string, among func(commit string) int) {
	repository := path.Join(s.dir, "state-"+environment+".git")
	return strings.Fields(s.git(repository, "rev-list", "--reverse", "main")), func(commit string) int {
		return len(strings.Fields(s.git(repository, "ls-tree", "--name-only", commit, "releases/a-crowd/")))
	}
}

// TestNewRequestsOfALargeMergeComeInTurns merges more new requests than one load reads along with a neighbour's change: the change is in the
// first state commit, which has none of the new requests, no commit brings more of them than one load, and the merge is followed once all are
// there.
func TestNewRequestsOfALargeMergeComeInTurns(t *testing.T) {
	const count = 2*fewAtOnce + 1
	s := newSystem(t)
	reconciler.ResolveAtOnce(s.Reconciler, fewAtOnce)
	files := consumers(2)
	s.begins(files)
	s.rests("dev")
	before := s.commits("dev")

	addCrowd(files, count)
	files["requests/payments/r0001.yaml"] = crowdRequest("r0001", "changed")
	s.merges("a crowd", files)

	commits, among := s.crowdOf("dev")
	require.Contains(t, s.git(path.Join(s.dir, "state-dev.git"), "show", commits[before]+":clusters/dev/payments/r0001.yaml"), "changed")
	require.Zero(t, among(commits[before]), "not all of them were counted by then")
	for there := 0; before < len(commits); before++ {
		now := among(commits[before])
		require.Less(t, now-there, count, "a pass may meet two turns, and never all")
		there = now
	}
	require.Equal(t, count, among("main"), "the merge is followed once all of it is there")
	require.Empty(t, s.Board.Status().Platform.Problems, "nothing is deferred any more")
}

// TestADaemonThatStartsResolvesAllRequests has the same crowd there when the daemon starts: a restart on the way comes to the same.
func TestADaemonThatStartsResolvesAllRequests(t *testing.T) {
	const count = 2*fewAtOnce + 1
	s := newSystem(t)
	reconciler.ResolveAtOnce(s.Reconciler, fewAtOnce)
	files := consumers(2)
	addCrowd(files, count)
	s.begins(files)
	commits, among := s.crowdOf("dev")
	require.Equal(t, count, among("main"))
	for _, commit := range commits {
		require.Contains(t, []int{0, count}, among(commit), "all of them come together")
	}
}

// A leaving is a platform repository that cannot be fetched any more once a commit was.
type leaving struct {
	reconciler.Source
	after  atomic.Value // the commit
	failed atomic.Int32
}

func (l *leaving) Fetch(ctx context.Context) (*gitrepo.Snapshot, error) {
	if after, is := l.after.Load().(string); is && l.failed.Load() > 0 {
		l.failed.Add(1)
		return nil, fmt.Errorf("%s: nobody answers", after)
	}
	head, err := l.Source.Fetch(ctx)
	if err == nil && head.Commit == l.after.Load() {
		l.failed.Add(1)
	}
	return head, err
}

// TestDeferredRequestsDoNotWaitForGit has the platform's Git go away after the fetch of a large merge: all of that comes, and people are
// told of Git all the time.
func TestDeferredRequestsDoNotWaitForGit(t *testing.T) {
	s := newSystem(t)
	reconciler.ResolveAtOnce(s.Reconciler, fewAtOnce)
	git := &leaving{Source: s.Platform}
	s.Platform = git
	files := consumers(2)
	s.begins(files)
	addCrowd(files, 2*fewAtOnce+1)
	s.replace(files)
	merged := s.commit("a crowd")
	git.after.Store(merged)

	changed, end := s.Board.Subscribe()
	defer end()
	s.Trigger.Fire("test")
	follows := func(e status.Environment) bool { return e.Name == "dev" && e.Commit == merged }
	for limit := time.After(time.Minute); !slices.ContainsFunc(s.Board.Status().Environments, follows); {
		select {
		case <-changed:
			s.Trigger.Fire("an interval")
		case <-limit:
			require.FailNow(t, "the rest waits for Git")
		}
	}
	require.Greater(t, git.failed.Load(), int32(2), "Git was asked meanwhile")
	require.Contains(t, s.Board.Status().Platform.Error, "nobody answers")
}

// A listener hears what is logged.
type listener struct {
	slog.Handler
	heard func(message string, deferred int64)
}

func (l listener) Enabled(context.Context, slog.Level) bool { return true }

func (l listener) Handle(_ context.Context, r slog.Record) error {
	var deferred int64
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "deferred" {
			deferred = a.Value.Int64()
		}
		return true
	})
	l.heard(r.Message, deferred)
	return nil
}

// An asking is a platform repository that tells of each fetch.
type asking struct {
	reconciler.Source
	asked atomic.Value // chan struct{}
}

func (a *asking) Fetch(ctx context.Context) (*gitrepo.Snapshot, error) {
	a.asked.Load().(chan struct{}) <- struct{}{}
	return a.Source.Fetch(ctx)
}

// TestDeferredRequestsWaitForTheirCommit freezes the platform between two turns of a large merge: the rest does not come, whatever asks for it.
func TestDeferredRequestsWaitForTheirCommit(t *testing.T) {
	key, line := newSigner(t)
	_, other := newSigner(t)
	for says, prepare := range map[string]func(s *system) (freeze func()){
		"no commit of its branch is signed": func(s *system) func() {
			set := s.signers()
			set(line)
			return func() { set(other) }
		},
		"has no branch main": func(s *system) func() {
			return func() { s.git(filepath.Join(s.dir, "platform.git"), "branch", "-m", "main", "gone") }
		},
		"nothing of it is taken in": func(s *system) func() { return s.tooLarge },
	} {
		t.Run(says, func(t *testing.T) {
			s := newSystem(t)
			reconciler.ResolveAtOnce(s.Reconciler, fewAtOnce)
			s.freezes(key, says, prepare(s))
		})
	}
}

// tooLarge adds a commit to the platform whose folder docs/requests has 10^7 paths.
func (s *system) tooLarge() {
	dir := filepath.Join(s.dir, "platform.git")
	mktree := func(entries string) string {
		file := filepath.Join(s.t.TempDir(), "entries")
		require.NoError(s.t, os.WriteFile(file, []byte(entries), 0o600))
		return s.git(dir, "-c", "alias.tree=!git mktree <"+file, "tree")
	}
	tree := mktree("100644 blob " + s.git(dir, "rev-parse", "main:README.md") + "\ta\n")
	for range 7 {
		var entries strings.Builder
		for n := range 10 {
			fmt.Fprintf(&entries, "040000 tree %s\td%d\n", tree, n)
		}
		tree = mktree(entries.String())
	}
	all := mktree(s.git(dir, "ls-tree", "main") + "\n040000 tree " + mktree("040000 tree "+tree+"\trequests\n") + "\tdocs\n")
	s.git(dir, "update-ref", "refs/heads/main", s.git(dir, "commit-tree", "-p", "main", "-m", "too large", all))
}

// freezes has the platform frozen once some requests of a merge are resolved, until status says so, and requires that no others are.
func (s *system) freezes(key *gitrepo.SigningKey, says string, freeze func()) {
	t := s.t
	git := &asking{Source: s.Platform}
	git.asked.Store(make(chan struct{}, 100))
	s.Platform = git
	var frozen atomic.Bool
	loaded := make(chan int64, 100) // after the platform was frozen
	s.Logger = slog.New(listener{slog.DiscardHandler, func(message string, deferred int64) {
		switch {
		case message != "platform loaded":
		case frozen.Load():
			loaded <- deferred
		case deferred > 0:
			frozen.Store(true)
			freeze()
			s.Trigger.Fire("an interval")
		}
	}})
	files := consumers(2)
	s.replace(files)
	s.commit("before")
	first := s.merge(key, "README.md", "one\n")
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", first)

	s.git(s.clone(), "pull", "-q", "origin", "main")
	addCrowd(files, 2*fewAtOnce+1)
	s.replace(files)
	s.commit("a crowd")
	s.merge(key, "README.md", "two\n")
	changed, end := s.Board.Subscribe()
	defer end()
	s.Trigger.Fire("test")
	for limit := time.After(time.Minute); !strings.Contains(s.Board.Status().Platform.Error, says); {
		select {
		case <-changed:
		case <-limit:
			require.FailNow(t, "the platform is not frozen", s.Board.Status().Platform.Error)
		}
	}
	git.asked.Store(make(chan struct{}, 100))
	s.Trigger.Fire("requests are deferred") // as the passes over the turn before do
	select {
	case deferred := <-loaded:
		require.FailNow(t, "more of the commit was resolved", "%d are left", deferred)
	case <-git.asked.Load().(chan struct{}):
	}
	require.Empty(t, loaded, "more of the commit was resolved")
}
