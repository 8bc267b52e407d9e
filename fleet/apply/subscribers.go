package apply

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// subscribers are the owners that visits were made for: events about their objects are told. An owner is added by its first
// visit, and removed once nothing of it remains.
type subscribers struct {
	onEvent func(Owner) // nil: nobody listens

	mu     sync.Mutex
	byTeam map[string]map[Owner]bool // true while the owner waits for a kind that the cluster does not serve

	// assessed are the built-in kinds for which an owner's version has a health entry, so that every change of an object
	// of theirs is told.
	assessed map[Owner]map[schema.GroupKind]bool
}

func newSubscribers(onEvent func(Owner)) *subscribers {
	return &subscribers{onEvent: onEvent, byTeam: map[string]map[Owner]bool{}, assessed: map[Owner]map[schema.GroupKind]bool{}}
}

// add records that a visit is made for an owner.
func (s *subscribers) add(o Owner) { s.set(o, false) }

// waitForKind records that an owner waits for a kind that the cluster does not serve.
func (s *subscribers) waitForKind(o Owner) { s.set(o, true) }

func (s *subscribers) set(o Owner, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTeam[o.Team] == nil {
		s.byTeam[o.Team] = map[Owner]bool{}
	}
	s.byTeam[o.Team][o] = waits
}

// remove forgets an owner of which nothing remains.
func (s *subscribers) remove(o Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byTeam[o.Team], o)
	delete(s.assessed, o)
}

// has says whether visits are made for an owner.
func (s *subscribers) has(o Owner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.byTeam[o.Team][o]
	return known
}

// assess records that an owner's version has a health entry for a built-in kind.
func (s *subscribers) assess(o Owner, gk schema.GroupKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.assessed[o] == nil {
		s.assessed[o] = map[schema.GroupKind]bool{}
	}
	s.assessed[o][gk] = true
}

// assesses says whether an owner's version has a health entry for a built-in kind.
func (s *subscribers) assesses(o Owner, gk schema.GroupKind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.assessed[o][gk]
}

// notify tells that something about an owner's objects changed. A change of an object of a team's namespace file concerns
// every instance of the team.
func (s *subscribers) notify(o Owner) {
	if o.Request == "" {
		s.tell(o.Team, func(known Owner) bool { return known.Environment == o.Environment })
		return
	}
	if s.onEvent != nil && s.has(o) { // most events are of one instance, and a team may have thousands
		s.onEvent(o)
	}
}

// notifyRequest is notify where the environment is not known, as with pods.
func (s *subscribers) notifyRequest(team, request string) {
	s.tell(team, func(known Owner) bool { return known.Request == request })
}

// notifyWaiting is notify for all owners that wait for a kind.
func (s *subscribers) notifyWaiting() {
	s.mu.Lock()
	teams := slices.Collect(maps.Keys(s.byTeam))
	waiting := map[Owner]bool{}
	for _, owners := range s.byTeam {
		for o, waits := range owners {
			waiting[o] = waits
		}
	}
	s.mu.Unlock()
	for _, team := range teams {
		s.tell(team, func(o Owner) bool { return waiting[o] })
	}
}

// notifyEnvironment tells that an environment was written to for another state: whoever listens tells its instances.
func (s *subscribers) notifyEnvironment(o Owner) {
	if s.onEvent != nil {
		s.onEvent(o)
	}
}

// tell tells of the owners of a team that an event concerns.
func (s *subscribers) tell(team string, concerned func(Owner) bool) {
	if s.onEvent == nil {
		return
	}
	var told []Owner
	s.mu.Lock()
	for o := range s.byTeam[team] {
		if concerned(o) {
			told = append(told, o)
		}
	}
	s.mu.Unlock()
	for _, o := range told {
		s.onEvent(o)
	}
}
