package reconciler_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

// A fleet that meets objects which another daemon applied waits for the state as it is now, even if that has not changed.
func TestDoubtIsAnsweredWithTheSameStateWhereNothingChanged(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	first := s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })
	for range 4 { // more often than the first commit wakes the loop again
		doubted := time.Now()
		s.Refetch("dev")
		again := s.deployed("dev", func(t fleet.Target) bool { return t.Fetched.After(doubted) })
		require.Equal(t, first.Commit, again.Commit)
	}
	s.Refetch("nowhere") // an environment that is gone meanwhile
}

func TestDoubtIsAnsweredWithWhatAnotherDaemonCommitted(t *testing.T) {
	s := newSystem(t)
	s.run()
	s.Trigger.Fire("test")
	first := s.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" })

	other := s.twin()
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "requests", "demo", "more.yaml"), []byte(`apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: more}
spec: {offering: app, version: "1", parameters: {image: "registry.acme.example/more:1.0.0"}, environments: {dev: {}}}
`), 0o644))
	s.commit("another request")
	other.run()
	other.Trigger.Fire("test")
	theirs := other.deployed("dev", func(t fleet.Target) bool { return t.Commit != "" && t.Commit != first.Commit })

	s.Refetch("dev") // and the platform is not even loaded anew
	require.Equal(t, theirs.Commit, s.deployed("dev", func(t fleet.Target) bool { return t.Commit != first.Commit }).Commit)
}

// twin is another daemon on the same repositories.
func (s *system) twin() *system {
	remote := func(name string) *gitrepo.Remote {
		return &gitrepo.Remote{URL: filepath.Join(s.dir, name+".git"), Branch: "main", Dir: filepath.Join(s.dir, "twin", name)}
	}
	other := &system{t: s.t, dir: s.dir, fleet: &deployments{latest: map[string]fleet.Target{}, told: make(chan struct{}, 1)}}
	other.Reconciler = &reconciler.Reconciler{
		PlatformURL: "platform.git",
		Platform:    remote("platform"),
		OpenState:   func(e *platform.Environment) (reconciler.StateRepo, error) { return remote("state-" + e.Name), nil },
		Fleet:       other.fleet,
		Board:       status.NewBoard(time.Now),
		Trigger:     trigger.New(),
		Logger:      slog.New(slog.DiscardHandler),
		Now:         time.Now,
	}
	return other
}
