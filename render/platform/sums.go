package platform

import (
	"maps"
	"slices"
	"strings"
)

// sums are facts about all teams together. A load takes them over from the one before and replaces the teams that changed: to add up all teams anew takes as long as there are many.
type sums struct {
	instances map[string]*InstanceSet   // by environment
	placed    map[string]map[string]int // placements of the instances, by environment and offering
	troubled  map[string]*team          // those that have a Problem

	fresh map[string]bool // environments whose instances and placements are of this load alone
}

// next are the sums of a load that begins with these.
func (s sums) next() sums {
	n := sums{instances: maps.Clone(s.instances), placed: maps.Clone(s.placed), troubled: maps.Clone(s.troubled), fresh: map[string]bool{}}
	if s.instances == nil {
		n.instances, n.placed, n.troubled = map[string]*InstanceSet{}, map[string]map[string]int{}, map[string]*team{}
	}
	return n
}

// own makes the instances and placements of an environment those of this load alone.
func (s *sums) own(environment string) *InstanceSet {
	if !s.fresh[environment] {
		s.fresh[environment] = true
		s.instances[environment] = &InstanceSet{teams: slices.Clone(s.instances[environment].parts())}
		if s.placed[environment] = maps.Clone(s.placed[environment]); s.placed[environment] == nil {
			s.placed[environment] = map[string]int{}
		}
	}
	return s.instances[environment]
}

// replace takes in a team as it is now instead of as it was; nil: it is not there.
func (s *sums) replace(name string, was, is *team) {
	if delete(s.troubled, name); is != nil && len(is.problems) > 0 {
		s.troubled[name] = is
	}
	if was == is {
		return
	}
	if was == nil {
		was = &team{}
	}
	if is == nil {
		is = &team{}
	}
	for environment := range was.instances {
		if is.instances[environment] == nil {
			s.own(environment).remove(name)
		}
		s.count(environment, was.placed[environment], -1)
	}
	for environment, instances := range is.instances {
		s.own(environment).put(instances)
		s.count(environment, is.placed[environment], 1)
	}
	for environment := range was.instances {
		if len(s.instances[environment].teams) == 0 {
			delete(s.instances, environment)
			delete(s.placed, environment)
			delete(s.fresh, environment)
		}
	}
}

// count adds the placements of a team in an environment so many times.
func (s *sums) count(environment string, placed map[string]int, times int) {
	s.own(environment)
	for offering, n := range placed {
		if s.placed[environment][offering] += times * n; s.placed[environment][offering] == 0 {
			delete(s.placed[environment], offering)
		}
	}
}

// put takes in the instances of a team. Only the load that made the set may call it.
func (s *InstanceSet) put(t *teamInstances) {
	at, found := len(s.teams), false
	if at > 0 && strings.Compare(s.teams[at-1].team, t.team) >= 0 { // teams come in their order as a rule
		at, found = findTeam(s.teams, t.team)
	}
	if found {
		s.teams[at] = t
	} else {
		s.teams = slices.Insert(s.teams, at, t)
	}
}

// remove takes the instances of a team out. Only the load that made the set may call it.
func (s *InstanceSet) remove(team string) {
	if at, found := findTeam(s.teams, team); found {
		s.teams = slices.Delete(s.teams, at, at+1)
	}
}
