package platform

import (
	"iter"
	"slices"
	"strings"
)

// An InstanceSet is the instances of an environment, in the order of their requests. It is never changed, so several goroutines may keep it:
// With makes the next one. Sets share the teams without a change, and so do those of one load and the next: the difference between two is found
// in the teams that they do not share. A nil set has no instance.
type InstanceSet struct{ teams []*teamInstances } // sorted by name

// teamInstances are those of a team in one environment.
type teamInstances struct {
	team       string
	list       []*Instance // sorted by request
	placements int         // of all of them
}

func (t *teamInstances) add(i *Instance) {
	t.list = append(t.list, i)
	t.placements += len(i.Clusters)
}

// NewInstanceSet makes a set of instances that are sorted by request.
func NewInstanceSet(sorted []*Instance) *InstanceSet {
	s := &InstanceSet{}
	for _, i := range sorted {
		if n := len(s.teams); n == 0 || s.teams[n-1].team != i.Request.Key.Team {
			s.teams = append(s.teams, &teamInstances{team: i.Request.Key.Team})
		}
		s.teams[len(s.teams)-1].add(i)
	}
	return s
}

// parts are the teams of the set.
func (s *InstanceSet) parts() []*teamInstances {
	if s == nil {
		return nil
	}
	return s.teams
}

// Of returns the instance of a request, or nil.
func (s *InstanceSet) Of(k RequestKey) *Instance {
	at, found := findTeam(s.parts(), k.Team)
	if !found {
		return nil
	}
	list := s.teams[at].list
	n, found := slices.BinarySearchFunc(list, k.Name, func(i *Instance, name string) int { return strings.Compare(i.Request.Key.Name, name) })
	if !found {
		return nil
	}
	return list[n]
}

func findTeam(teams []*teamInstances, name string) (int, bool) {
	return slices.BinarySearchFunc(teams, name, func(t *teamInstances, name string) int { return strings.Compare(t.team, name) })
}

// All are the instances.
func (s *InstanceSet) All() iter.Seq[*Instance] {
	return func(yield func(*Instance) bool) {
		for _, t := range s.parts() {
			for _, i := range t.list {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// List returns the instances in a list of its own.
func (s *InstanceSet) List() []*Instance {
	return slices.AppendSeq(make([]*Instance, 0, s.Len()), s.All())
}

// Len is how many instances there are.
func (s *InstanceSet) Len() (n int) {
	for _, t := range s.parts() {
		n += len(t.list)
	}
	return n
}

// Placements is how many placements they have.
func (s *InstanceSet) Placements() (n int) {
	for _, t := range s.parts() {
		n += t.placements
	}
	return n
}

// Differing are the requests whose instances are not the very same in two sets, in their order and each once.
func (s *InstanceSet) Differing(from *InstanceSet) iter.Seq[RequestKey] {
	return func(yield func(RequestKey) bool) {
		before, after := from.parts(), s.parts()
		for len(before)+len(after) > 0 {
			var old, now []*Instance
			switch order := compareFirst(before, after, func(t *teamInstances) string { return t.team }); {
			case order == 0 && before[0] == after[0]:
				before, after = before[1:], after[1:]
				continue
			case order == 0:
				old, now, before, after = before[0].list, after[0].list, before[1:], after[1:]
			case order < 0:
				old, before = before[0].list, before[1:]
			default:
				now, after = after[0].list, after[1:]
			}
			if !eachDiffering(old, now, yield) {
				return
			}
		}
	}
}

// eachDiffering visits the requests whose instances differ in two lists of one team, until visit returns false.
func eachDiffering(before, after []*Instance, visit func(RequestKey) bool) bool {
	for len(before)+len(after) > 0 {
		var k RequestKey
		switch order := compareFirst(before, after, func(i *Instance) string { return i.Request.Key.Name }); {
		case order == 0 && before[0] == after[0]:
			before, after = before[1:], after[1:]
			continue
		case order == 0:
			k, before, after = after[0].Request.Key, before[1:], after[1:]
		case order < 0:
			k, before = before[0].Request.Key, before[1:]
		default:
			k, after = after[0].Request.Key, after[1:]
		}
		if !visit(k) {
			return false
		}
	}
	return true
}

// compareFirst compares the names of the first of two sorted lists; a list at its end comes last.
func compareFirst[T comparable](a, b []T, name func(T) string) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	case a[0] == b[0]:
		return 0
	}
	return strings.Compare(name(a[0]), name(b[0]))
}

// With is the set with the instances of some requests instead of those that it has; of one that is nil there is none. It is the set itself
// where it has the very same.
func (s *InstanceSet) With(changes map[RequestKey]*Instance) *InstanceSet {
	byTeam := map[string]map[RequestKey]*Instance{}
	for k, i := range changes {
		if s.Of(k) == i {
			continue
		}
		if byTeam[k.Team] == nil {
			byTeam[k.Team] = map[RequestKey]*Instance{}
		}
		byTeam[k.Team][k] = i
	}
	if len(byTeam) == 0 {
		return s
	}
	next := &InstanceSet{teams: make([]*teamInstances, 0, len(s.parts())+len(byTeam))}
	for _, t := range s.parts() {
		if changed := byTeam[t.team]; changed != nil {
			t = t.with(changed)
			delete(byTeam, t.team)
		}
		if len(t.list) > 0 {
			next.teams = append(next.teams, t)
		}
	}
	for team, changed := range byTeam {
		if t := (&teamInstances{team: team}).with(changed); len(t.list) > 0 {
			next.teams = append(next.teams, t)
		}
	}
	slices.SortFunc(next.teams, func(a, b *teamInstances) int { return strings.Compare(a.team, b.team) })
	return next
}

// with is the team with some other instances.
func (t *teamInstances) with(changes map[RequestKey]*Instance) *teamInstances {
	next := &teamInstances{team: t.team}
	for _, i := range t.list {
		if _, changed := changes[i.Request.Key]; !changed {
			next.add(i)
		}
	}
	for _, i := range changes {
		if i != nil {
			next.add(i)
		}
	}
	slices.SortFunc(next.list, func(a, b *Instance) int { return strings.Compare(a.Request.Key.Name, b.Request.Key.Name) })
	return next
}
