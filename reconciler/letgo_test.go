package reconciler_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
)

// TestWhatAClusterSaidBeforeItWasLetGoIsForgotten so that nothing is healthy, nor soaks, on one that came back and has not
// said anything yet.
func TestWhatAClusterSaidBeforeItWasLetGoIsForgotten(t *testing.T) {
	s := newSystem(t)
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	s.stands("dev", s.git(s.clone(), "rev-parse", "HEAD"))
	s.rests("dev")

	require.NoError(t, os.Remove(filepath.Join(s.clone(), "clusters/dev.yaml")))
	s.commit("no cluster")
	s.Trigger.Fire("test")
	s.deployed("dev", func(t fleet.Target) bool { return len(t.Clusters) == 0 })

	s.fleet.says(nil)
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
