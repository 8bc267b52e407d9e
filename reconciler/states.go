package reconciler

import (
	"maps"
	"sync"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// states holds all that the lanes know of each other: the records that each environment's state holds, as of the last commit
// that its own lane saw or made. A lane decides by nothing else of another environment but the health of its clusters.
type states struct {
	mu    sync.Mutex
	known map[string]committed // by environment
}

// committed are the records of one state commit. They are never changed.
type committed struct {
	commit   string
	releases map[platform.RequestKey]*state.Release
}

// publish notes the records of a lane and reports whether that is news to the others.
func (s *states) publish(environment string, h *held) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.known[environment]; known && last.commit == h.ours.Commit {
		return false
	}
	if s.known == nil {
		s.known = map[string]committed{}
	}
	s.known[environment] = committed{h.ours.Commit, maps.Clone(h.base.Releases)}
	return true
}

// forget drops an environment that the platform no longer has.
func (s *states) forget(environment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, environment)
}

// around returns the known records of the environments whose releases an environment's decisions depend on. One whose lane
// has not come that far is not among them.
func (s *states) around(p *platform.Platform, environment string) map[string]committed {
	s.mu.Lock()
	defer s.mu.Unlock()
	near := map[string]committed{}
	for _, name := range p.Graph.Neighbours(environment) {
		if state, known := s.known[name]; known && name != environment {
			near[name] = state
		}
	}
	return near
}
