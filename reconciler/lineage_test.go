package reconciler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

func committed(t fleet.Target) bool { return t.Commit != "" }

// seed pushes files to the state repository, as others do.
func (s *system) seed(files map[string]string) {
	s.t.Helper()
	dir := s.t.TempDir()
	s.git(dir, "clone", "-q", s.dir+"/state-dev.git", ".")
	s.git(dir, "checkout", "-q", "-B", "main")
	for name, content := range files {
		require.NoError(s.t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	s.git(dir, "add", "-A")
	s.git(dir, "commit", "-q", "-m", "theirs")
	s.git(dir, "push", "-q", "origin", "HEAD:main")
}

func (s *system) environment() status.Environment {
	for _, e := range s.Board.Status().Environments {
		if e.Name == "dev" {
			return e
		}
	}
	return status.Environment{}
}

func TestFirstContactWithAnotherRepositoryIsRefused(t *testing.T) {
	s := newSystem(t)
	s.seed(map[string]string{"offerings/app/offering.yaml": "{}\n", "clusters/dev.yaml": "{}\n", "README.md": "ours\n"})
	before := s.git(s.dir+"/state-dev.git", "rev-parse", "main")
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	require.Contains(t, s.environment().Frozen, "branch main of ../state-dev.git has no commit of Transom's, and holds clusters, offerings: ")
	require.Equal(t, before, s.git(s.dir+"/state-dev.git", "rev-parse", "main"))
	require.Empty(t, s.fleet.of("dev").Commit)

	s.git(s.dir+"/state-dev.git", "update-ref", "-d", "refs/heads/main")
	s.Trigger.Fire("test")
	s.Refetch("dev")
	s.deployed("dev", committed)
}

func TestFirstContactTakesABranchThatHoldsNothingOfOurs(t *testing.T) {
	s := newSystem(t)
	s.seed(map[string]string{"README.md": "the state of dev\n", ".github/CODEOWNERS": "* @acme\n", "docs/clusters/a.md": "a\n"})
	s.run()
	s.Trigger.Fire("test")
	target := s.deployed("dev", committed)
	require.Contains(t, s.git(s.dir+"/state-dev.git", "ls-tree", "-r", "--name-only", target.Commit), "README.md")
}

func TestStateOfBeforeIsKnown(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	first := s.deployed("dev", committed)
	dir := s.t.TempDir()
	s.git(dir, "clone", "-q", s.dir+"/state-dev.git", ".")
	fleetFile, err := os.ReadFile(filepath.Join(dir, "fleet.yaml"))
	require.NoError(t, err)
	var kept []string
	for line := range strings.Lines(string(fleetFile)) {
		if !strings.Contains(line, "identity:") && !strings.Contains(line, "format:") {
			kept = append(kept, line)
		}
	}
	require.Less(t, len(kept), strings.Count(string(fleetFile), "\n"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fleet.yaml"), []byte(strings.Join(kept, "")), 0o644))
	s.git(dir, "-c", "user.name=Transom", "-c", "user.email=transom@transom.dev", "checkout", "-q", "--orphan", "before")
	s.git(dir, "add", "-A")
	commit := s.commitAsTransom(dir, first.Commit)
	s.git(dir, "push", "-q", "-f", "origin", "HEAD:main")

	other := s.twin()
	other.run()
	other.Trigger.Fire("test")
	target := other.deployed("dev", committed)
	require.Equal(t, commit, target.Commit, "it is at rest")
	require.Empty(t, target.Lineage.Identity)
}

// commitAsTransom commits the staged files with the committer and the trailer that a state commit has.
func (s *system) commitAsTransom(dir, like string) string {
	s.t.Helper()
	message := s.git(dir, "log", "-1", "--format=%B", like)
	s.git(dir, "commit", "-q", "-m", message)
	tree, when := s.git(dir, "rev-parse", "HEAD^{tree}"), s.git(dir, "log", "-1", "--format=%ct", like)
	object := "tree " + tree + "\nauthor Transom <transom@transom.dev> " + when + " +0000\ncommitter Transom <transom@transom.dev> " + when +
		" +0000\n\n" + message + "\n"
	file := filepath.Join(s.t.TempDir(), "commit")
	require.NoError(s.t, os.WriteFile(file, []byte(object), 0o644))
	commit := s.git(dir, "hash-object", "-t", "commit", "-w", file)
	s.git(dir, "reset", "-q", "--hard", commit)
	return commit
}

func TestAStateRepositoryHasOneIdentityForEver(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	s.deployed("dev", committed)
	identity := func() string {
		f, err := state.DecodeFleet([]byte(s.git(s.dir+"/state-dev.git", "show", "main:fleet.yaml") + "\n"))
		require.NoError(t, err)
		return f.Identity
	}
	made := identity()
	require.Regexp(t, "^[0-9a-f]{32}$", made)

	other := s.twin()
	other.run()
	other.Trigger.Fire("test")
	target := other.deployed("dev", committed)
	require.Equal(t, made, target.Lineage.Identity)
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "requests", "demo", "more.yaml"), []byte(`apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: more}
spec: {offering: app, version: "1", parameters: {image: "registry.acme.example/more:1.0.0"}, environments: {dev: {}}}
`), 0o644))
	s.commit("another request")
	other.Trigger.Fire("test")
	next := other.deployed("dev", func(t fleet.Target) bool { return t.Commit != target.Commit })
	require.Equal(t, made, identity())
	for commit, contained := range map[string]bool{
		target.Commit: true, next.Commit: true, strings.Repeat("0", 40): false, "no commit": false, s.git(s.clone(), "rev-parse", "HEAD"): false,
	} {
		found, err := next.Lineage.Contains(t.Context(), commit)
		require.NoError(t, err)
		require.Equal(t, contained, found, commit)
	}
	before, err := target.Lineage.Contains(t.Context(), next.Commit)
	require.NoError(t, err)
	require.False(t, before, "the state that was deployed before does not contain it")
}

func TestWhatPeopleLetGoReachesTheFleet(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	require.Empty(t, s.deployed("dev", committed).Lineage.Takeover)
	commit := strings.Repeat("a", 40)
	require.NoError(t, os.MkdirAll(filepath.Join(s.clone(), "decisions/dev"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "decisions/dev/takeover.yaml"), []byte(document("Approval", "takeover")+"spec: {takeover: "+commit+"}\n"), 0o644))
	s.commit("take over")
	s.Trigger.Fire("test")
	target := s.deployed("dev", func(t fleet.Target) bool { return len(t.Lineage.Takeover) > 0 })
	require.Equal(t, []string{commit}, target.Lineage.Takeover)
}

// A cluster that somebody else keeps is unknown: nothing fails for it, nothing is rolled back, and people are told.
func TestAClusterThatSomebodyElseKeepsIsToldAndFailsNothing(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	target := s.deployed("dev", committed)
	foreign := &apply.Foreign{Commit: strings.Repeat("b", 40)}
	result := func(r apply.Result) fleet.Result {
		blobs, err := target.Snapshot.ReadFile("releases/demo/hello.yaml")
		require.NoError(t, err)
		release, err := state.DecodeRelease(blobs)
		require.NoError(t, err)
		return fleet.Result{
			Placement: fleet.Placement{Environment: "dev", Cluster: "dev", Team: "demo", Request: "hello"}, Commit: target.Commit,
			Revision: release.Clusters["dev"].Revision, Result: r,
		}
	}
	why := foreign.Of("dev", "dev")
	s.Placed(result(apply.Result{Foreign: foreign, Message: why, Health: state.Unknown, Settled: true}))
	require.Equal(t, why, s.environment().Clusters[0].Problem)
	placed := s.Board.Status().Instances[0].Placements[0]
	require.Equal(t, state.Unknown, placed.Health)
	require.Equal(t, status.Committed, placed.Stage)
	require.Equal(t, why, placed.Problems[0].Message)

	s.Placed(result(apply.Result{Health: state.Healthy, Settled: true}))
	require.Empty(t, s.environment().Clusters[0].Problem)
	require.Empty(t, s.Board.Status().Instances[0].Placements[0].Problems)
}
