package state

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// Records are the Release files that a state has, by request. A value is never changed, so several goroutines may keep it: With
// makes the next value, which shares the teams without a change. So the difference between two values is found in the teams that
// they do not share. The zero value has no record.
type Records struct{ teams []*teamRecords } // sorted by name

type teamRecords struct {
	team   string
	byName map[string]*Release
}

// RecordsOf are the records of a map.
func RecordsOf(all map[platform.RequestKey]*Release) Records { return Records{}.With(all) }

// With are the records with some changed; one that is nil goes.
func (r Records) With(changes map[platform.RequestKey]*Release) Records {
	if len(changes) == 0 {
		return r
	}
	next, added := Records{slices.Clone(r.teams)}, map[string]*teamRecords{}
	for k, record := range changes {
		own := added[k.Team]
		if at, known := r.find(k.Team); own == nil && known {
			if own = next.teams[at]; own == r.teams[at] {
				own = &teamRecords{k.Team, maps.Clone(own.byName)}
				next.teams[at] = own
			}
		} else if own == nil {
			own = &teamRecords{k.Team, map[string]*Release{}}
			added[k.Team] = own
		}
		if record == nil {
			delete(own.byName, k.Name)
		} else {
			own.byName[k.Name] = record
		}
	}
	if len(added) > 0 {
		next.teams = slices.AppendSeq(next.teams, maps.Values(added))
		slices.SortFunc(next.teams, func(a, b *teamRecords) int { return strings.Compare(a.team, b.team) })
	}
	return next
}

// find returns where a team is, and whether it is there.
func (r Records) find(team string) (int, bool) {
	return slices.BinarySearchFunc(r.teams, team, func(t *teamRecords, team string) int { return strings.Compare(t.team, team) })
}

// Of returns the record of a request, or nil.
func (r Records) Of(k platform.RequestKey) *Release {
	if at, known := r.find(k.Team); known {
		return r.teams[at].byName[k.Name]
	}
	return nil
}

// Len is how many records there are.
func (r Records) Len() (n int) {
	for _, t := range r.teams {
		n += len(t.byName)
	}
	return n
}

// All are the records, in no order.
func (r Records) All() iter.Seq2[platform.RequestKey, *Release] {
	return func(yield func(platform.RequestKey, *Release) bool) {
		for _, t := range r.teams {
			for name, record := range t.byName {
				if !yield(platform.RequestKey{Team: t.team, Name: name}, record) {
					return
				}
			}
		}
	}
}

// OfTeam are the records of a team, in no order.
func (r Records) OfTeam(team string) iter.Seq2[platform.RequestKey, *Release] {
	if at, known := r.find(team); known {
		return Records{r.teams[at : at+1]}.All()
	}
	return Records{}.All()
}

// Differing are the requests whose records are not the very same in two values, in no order and each once.
func (r Records) Differing(from Records) iter.Seq[platform.RequestKey] {
	return func(yield func(platform.RequestKey) bool) {
		before, now := from.teams, r.teams
		for len(before)+len(now) > 0 {
			none := teamRecords{}
			was, is := &none, &none
			order := compareFirst(before, now)
			if order <= 0 {
				was, before = before[0], before[1:]
			}
			if order >= 0 {
				is, now = now[0], now[1:]
			}
			if was != is && !eachDiffering(was, is, yield) {
				return
			}
		}
	}
}

// compareFirst compares the names of the first of two sorted lists of teams, of which one has any; a list at its end comes last.
func compareFirst(a, b []*teamRecords) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	case a[0] == b[0]:
		return 0
	}
	return strings.Compare(a[0].team, b[0].team)
}

// eachDiffering visits the requests whose records differ in a team as it was and as it is, until visit returns false.
func eachDiffering(was, is *teamRecords, visit func(platform.RequestKey) bool) bool {
	for name, record := range is.byName {
		if record != was.byName[name] && !visit(platform.RequestKey{Team: is.team, Name: name}) {
			return false
		}
	}
	for name := range was.byName {
		if is.byName[name] == nil && !visit(platform.RequestKey{Team: was.team, Name: name}) {
			return false
		}
	}
	return true
}
