package reconciler_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
)

// letGo waits until all instances are healthy, and deletes the file of dev's only cluster. From then on no cluster says
// anything.
func (s *system) letGo() fleet.Target {
	s.t.Helper()
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	s.rests("dev")

	require.NoError(s.t, os.Remove(filepath.Join(s.clone(), "clusters/dev.yaml")))
	s.commit("no cluster")
	s.Trigger.Fire("test")
	target := s.deployed("dev", func(t fleet.Target) bool { return len(t.Clusters) == 0 })
	s.fleet.says(nil)
	return target
}

// TestWhatAClusterSaidBeforeItWasLetGoIsForgotten so that nothing is healthy, nor soaks, on one that came back and has not
// said anything yet.
func TestWhatAClusterSaidBeforeItWasLetGoIsForgotten(t *testing.T) {
	s := newSystem(t)
	s.letGo()
	head := s.push("it is back", "../examples/minimal")
	s.Trigger.Fire("test")
	s.stands("dev", head)
	require.NoError(t, os.WriteFile(filepath.Join(s.clone(), "README.md"), []byte("again\n"), 0o644))
	head = s.commit("words")
	s.Trigger.Fire("test")
	s.stands("dev", head)
	require.NotNil(t, s.Board.Status().Instances[0].Rollout, "nobody knows whether it is healthy")

	s.fleet.says(s.Placed)
	require.NoError(t, s.fleet.Deploy(s.fleet.of("dev")))
	s.rests("dev")
}

// TestWhatMayNotComeBackYetIsAwaited by the cluster whose file came back, so that nothing is deleted there: only the first of
// the instances enters at once.
func TestWhatMayNotComeBackYetIsAwaited(t *testing.T) {
	s := newSystem(t)
	s.replace(consumers(2))
	s.commit("two")
	s.letGo()
	s.git(s.clone(), "revert", "--no-edit", "HEAD")
	s.git(s.clone(), "push", "-q", "origin", "HEAD:main")
	s.Trigger.Fire("test")
	target := s.deployed("dev", func(t fleet.Target) bool { return len(t.Clusters) > 0 })
	first := apply.Owner{Environment: "dev", Team: "payments", Request: "r0000"}
	second := apply.Owner{Environment: "dev", Team: "payments", Request: "r0001"}
	require.True(t, target.Awaited("dev", second))
	require.False(t, target.Awaited("dev", first), "it came")
	require.False(t, target.Awaited("prod", second), "nobody asks for it there")

	s.fleet.says(s.Placed)
	require.NoError(t, s.fleet.Deploy(target))
	s.deployed("dev", func(t fleet.Target) bool { return !t.Awaited("dev", second) })
}
