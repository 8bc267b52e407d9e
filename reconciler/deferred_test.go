package reconciler_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNewRequestsOfALargeMergeComeInTurns merges more new requests than one load resolves along with a neighbour's change: the change is in
// the first state commit, which has no more of the new requests than one load, and the merge is followed once all are there.
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
	require.Equal(t, atOnce, among(commits[before]))
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
