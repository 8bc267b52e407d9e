package reconciler_test

import (
	"context"
	"fmt"
	"path"
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

// TestNewRequestsOfALargeMergeComeInTurns merges more new requests than one load reads along with a neighbour's change: the change is in the
// first state commit, which has none of the new requests, no commit brings more of them than one load, and the merge is followed once all are
// there.
func TestNewRequestsOfALargeMergeComeInTurns(t *testing.T) {
	const atOnce, count = 2_000, 4_100
	s := newSystem(t)
	files := consumers(2)
	s.begins(files)
	s.rests("dev")
	before := s.commits("dev")

	for n := range count {
		name := fmt.Sprintf("n%05d", n)
		files["requests/a-crowd/"+name+".yaml"] = crowdRequest(name, "hello")
	}
	files["requests/payments/r0001.yaml"] = crowdRequest("r0001", "changed")
	s.merges("a crowd", files)

	repository := path.Join(s.dir, "state-dev.git")
	among := func(commit string) int {
		return len(strings.Fields(s.git(repository, "ls-tree", "--name-only", commit, "releases/a-crowd/")))
	}
	commits := strings.Fields(s.git(repository, "rev-list", "--reverse", "main"))
	require.Contains(t, s.git(repository, "show", commits[before]+":clusters/dev/payments/r0001.yaml"), "changed")
	require.Zero(t, among(commits[before]), "not all of them were counted by then")
	for there := 0; before < len(commits); before++ {
		now := among(commits[before])
		require.LessOrEqual(t, now-there, atOnce)
		there = now
	}
	require.Equal(t, count, among("main"), "the merge is followed once all of it is there")
	require.Empty(t, s.Board.Status().Platform.Problems, "nothing is deferred any more")
}

// TestADaemonThatStartsResolvesAllRequests has the same crowd there when the daemon starts: a restart on the way comes to the same.
func TestADaemonThatStartsResolvesAllRequests(t *testing.T) {
	const count = 2_100
	s := newSystem(t)
	files := consumers(2)
	for n := range count {
		name := fmt.Sprintf("n%05d", n)
		files["requests/a-crowd/"+name+".yaml"] = crowdRequest(name, "hello")
	}
	s.begins(files)
	require.Len(t, strings.Fields(s.git(path.Join(s.dir, "state-dev.git"), "ls-tree", "--name-only", "main", "releases/a-crowd/")), count)
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
	git := &leaving{Source: s.Platform}
	s.Platform = git
	files := consumers(2)
	s.begins(files)
	for n := range 4_100 {
		name := fmt.Sprintf("n%05d", n)
		files["requests/a-crowd/"+name+".yaml"] = crowdRequest(name, "hello")
	}
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
