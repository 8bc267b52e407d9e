package fleet

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"transom.dev/fleet/apply"
)

// assignments are the parts of the environments' targets that concern one cluster, with what is known of how far they were
// followed. It is safe for concurrent use.
type assignments struct {
	mu            sync.Mutex
	byEnvironment map[string]*assignment
	foreign       map[string]bool      // environments that somebody else keeps on the cluster, as the last visit found
	unfetched     map[apply.Owner]bool // instances that wait for a new fetch of their state, and so for another assignment
	unproven      map[apply.Owner]bool // instances that wait for another proof
}

func newAssignments() *assignments {
	return &assignments{
		byEnvironment: map[string]*assignment{}, foreign: map[string]bool{},
		unfetched: map[apply.Owner]bool{}, unproven: map[apply.Owner]bool{},
	}
}

// replace makes an assignment the one of its environment. It returns the one before, or nil, and whether the last visit found
// that somebody else keeps the environment on the cluster.
func (s *assignments) replace(next *assignment) (prev *assignment, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prev = s.byEnvironment[next.Environment]
	s.byEnvironment[next.Environment] = next
	return prev, s.foreign[next.Environment]
}

// remove forgets an environment and returns how many there still are.
func (s *assignments) remove(environment string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byEnvironment, environment)
	return len(s.byEnvironment)
}

// of returns the assignment of an environment, or nil.
func (s *assignments) of(environment string) *assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byEnvironment[environment]
}

// all are the assignments, sorted by environment.
func (s *assignments) all() []*assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.byEnvironment), func(x, y *assignment) int { return cmp.Compare(x.Environment, y.Environment) })
}

// setForeign remembers whether somebody else keeps an environment on the cluster: then every new assignment is looked at.
func (s *assignments) setForeign(environment string, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreign[environment] = foreign
}

// awaitFetch remembers that an instance waits for another assignment than one, and returns false where there is another already.
func (s *assignments) awaitFetch(o apply.Owner, than *assignment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.byEnvironment[o.Environment]; now != nil && now != than {
		return false
	}
	s.unfetched[o] = true
	return true
}

// awaitProof remembers that an instance waits for another proof than one, and returns false where there is another already.
func (s *assignments) awaitProof(o apply.Owner, than Proof) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.byEnvironment[o.Environment]; now != nil && now.Proof != than {
		return false
	}
	s.unproven[o] = true
	return true
}

// takeUnfetched returns the instances of an environment that waited for an assignment.
func (s *assignments) takeUnfetched(environment string) []apply.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return takeOf(s.unfetched, environment)
}

// takeUnproven returns the instances of an environment that waited for another proof.
func (s *assignments) takeUnproven(environment string) []apply.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return takeOf(s.unproven, environment)
}

// takeOf removes the instances of an environment from a set and returns them.
func takeOf(waiting map[apply.Owner]bool, environment string) (taken []apply.Owner) {
	for o := range waiting {
		if o.Environment == environment {
			delete(waiting, o)
			taken = append(taken, o)
		}
	}
	return taken
}
