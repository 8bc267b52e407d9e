package reconciler_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/reconciler"
)

// traced keeps the changes and results that it is told.
type traced struct {
	mu      sync.Mutex
	changes []reconciler.Change
	results []fleet.Result
}

func (t *traced) Committed(c reconciler.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes = append(t.changes, c)
}

func (t *traced) Placed(r fleet.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results = append(t.results, r)
}

// TestEachStateCommitIsTraced, once, with the phases of its pass and the revisions that the fleet then reports.
func TestEachStateCommitIsTraced(t *testing.T) {
	s := newSystem(t)
	told := &traced{}
	s.Traces = told
	s.fleet.says(s.Placed)
	s.run()
	s.Trigger.Fire("test")
	target := s.deployed("dev", committed)
	s.rests("dev")
	s.stop()
	require.NoError(t, <-s.stopped)
	s.stopped <- nil
	require.NotEmpty(t, told.changes)
	c := told.changes[0]
	require.Equal(t, "dev", c.Environment)
	require.Equal(t, s.git(s.clone(), "rev-parse", "HEAD"), c.Platform)
	require.Equal(t, s.git(s.dir+"/state-dev.git", "rev-list", "--max-parents=0", "main"), c.Commit)
	require.Equal(t, s.git(s.dir+"/state-dev.git", "rev-list", "--count", "main"), fmt.Sprint(len(told.changes)), "each commit has one")
	var phases []string
	for i, phase := range c.Phases {
		phases = append(phases, phase.Name)
		require.False(t, phase.Ended.Before(phase.Began))
		require.True(t, i == 0 || !phase.Began.Before(c.Phases[i-1].Ended), "one after the other")
	}
	require.Subset(t, phases, []string{"fetch", "render", "commit"})
	hello := fleet.Placement{Environment: "dev", Cluster: "dev", Team: "demo", Request: "hello"}
	require.Len(t, c.Revisions, 1)
	require.True(t, slices.ContainsFunc(told.results, func(r fleet.Result) bool {
		return r.Placement == hello && r.Revision == c.Revisions[hello]
	}), "%+v", told.results)
	require.NotEmpty(t, target.Commit)
}
