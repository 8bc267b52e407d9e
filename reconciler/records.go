package reconciler

import (
	"sync"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// records has all that the loops know of each other: the records that each environment's state has, as of the last commit
// that its own loop saw or made. A loop decides by nothing else of another environment but the health of its clusters.
type records struct {
	mu    sync.Mutex
	known map[string]committed // by environment
}

// committed are the records of one state commit.
type committed struct {
	commit   string
	releases state.Records
}

// publish keeps the records of an environment and reports whether they are news to the others.
func (s *records) publish(environment string, state *stateContent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.known[environment]; known && last.commit == state.believed.Commit {
		return false
	}
	if s.known == nil {
		s.known = map[string]committed{}
	}
	s.known[environment] = committed{state.believed.Commit, state.base.Records()}
	return true
}

// of returns the records of an environment as they were published last.
func (s *records) of(environment string) state.Records {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[environment].releases
}

// forget drops an environment that the platform no longer has.
func (s *records) forget(environment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, environment)
}

// elsewhere returns the known records of the environments whose releases an environment's decisions depend on. One whose
// loop has not come that far is not among them.
func (s *records) elsewhere(p *platform.Platform, environment string) map[string]committed {
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
