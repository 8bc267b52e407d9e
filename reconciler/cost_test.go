package reconciler_test

import (
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// merged merges another text of a crowd's request, and returns what says of a state that its release was healthy.
func (s *system) merged(i int, text string) (healthy func(fleet.Snapshot) bool) {
	s.t.Helper()
	file, name := crowdFile(i), fmt.Sprintf("r%05d", i)
	require.NoError(s.t, os.WriteFile(filepath.Join(s.clone(), file), crowdRequest(name, text), 0o644))
	commit := s.commit("one")
	record := state.ReleaseFile(platform.RequestKey{Team: path.Base(path.Dir(file)), Name: name})
	return func(at fleet.Snapshot) bool { return settled(s.t, at, record, commit) }
}

// TestAChangeLooksAtNothingThatRests: all passes after the load of a change meet instances that rest without anything in them but their
// keys, so that a pass which looks at all of them comes upon a fault.
func TestAChangeLooksAtNothingThatRests(t *testing.T) {
	const n = 150
	f, s := &promptFleet{}, newSystem(t)
	var empty atomic.Bool
	var emptied atomic.Int64
	known := map[*platform.Instance]bool{}
	s.Further = func(p *platform.Platform) []platform.Problem {
		now := map[*platform.Instance]bool{}
		first := empty.CompareAndSwap(true, false)
		for _, i := range p.Instances("dev") {
			if now[i] = true; first && known[i] && i.Request.Key.Name != "r00000" {
				*i = platform.Instance{Request: &platform.Request{Key: i.Request.Key}}
				emptied.Add(1)
			}
		}
		known = now
		return nil
	}
	s.crowd(n, f)
	healthy := s.merged(0, "first") // the pass after one that changed many looks at these once more
	s.Trigger.Fire("test")
	f.reaches(t, healthy)

	empty.Store(true)
	healthy = s.merged(n/2, "changed")
	changed, end := s.Board.Subscribe()
	defer end()
	s.Trigger.Fire("test")
	for !healthy(s.state("dev")) {
		require.Empty(t, s.Board.Status().Environments[0].Error)
		<-changed
	}
	require.EqualValues(t, n-2, emptied.Load(), "all but the two that changed")
}

// TestAChangeTakesNoMoreMemoryAmongManyRequests counts the bytes that are allocated from a merge until its release was healthy: among ten
// times as many requests, of ten times as many teams, they are hardly more, as only the lists of teams are longer. The least of some changes
// is taken, as mirrors merge their packs now and then.
func TestAChangeTakesNoMoreMemoryAmongManyRequests(t *testing.T) {
	const few, factor = 200, 10
	taken := func(n int) float64 {
		f, s := &promptFleet{}, newSystem(t)
		s.crowd(n, f)
		least := uint64(math.MaxUint64)
		for i := range 8 {
			healthy := s.merged(i*n/8, fmt.Sprint("t", i))
			var began, ended runtime.MemStats
			runtime.ReadMemStats(&began)
			s.Trigger.Fire("test")
			f.reaches(t, healthy)
			runtime.ReadMemStats(&ended)
			least = min(least, ended.TotalAlloc-began.TotalAlloc)
		}
		return float64(least)
	}
	before, after := taken(few), taken(factor*few)
	t.Logf("%.0f and %.0f KiB", before/1024, after/1024)
	require.LessOrEqual(t, (after-before)/1024, 64.0, "KiB, for thirty-six more teams")
}
