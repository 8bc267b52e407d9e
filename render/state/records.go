package state

import (
	"iter"
	"maps"

	"transom.dev/render/platform"
)

// Records are the Release files that a state has, by request. A value is never changed, so several goroutines may keep it: With
// makes the next value, which shares the teams without a change. So the difference between two values is found in the teams that
// they do not share. The zero value has no record.
type Records struct{ teams map[string]*teamRecords }

type teamRecords struct{ byName map[string]*Release }

// RecordsOf are the records of a map.
func RecordsOf(all map[platform.RequestKey]*Release) Records { return Records{}.With(all) }

// With are the records with some changed; one that is nil goes.
func (r Records) With(changes map[platform.RequestKey]*Release) Records {
	if len(changes) == 0 {
		return r
	}
	teams := make(map[string]*teamRecords, len(r.teams))
	maps.Copy(teams, r.teams)
	for k, record := range changes {
		if teams[k.Team] == r.teams[k.Team] {
			own := map[string]*Release{}
			maps.Insert(own, r.byName(k.Team))
			teams[k.Team] = &teamRecords{own}
		}
		if record == nil {
			delete(teams[k.Team].byName, k.Name)
		} else {
			teams[k.Team].byName[k.Name] = record
		}
	}
	return Records{teams}
}

// Of returns the record of a request, or nil.
func (r Records) Of(k platform.RequestKey) *Release {
	if t := r.teams[k.Team]; t != nil {
		return t.byName[k.Name]
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
		for team := range r.teams {
			for k, record := range r.OfTeam(team) {
				if !yield(k, record) {
					return
				}
			}
		}
	}
}

// OfTeam are the records of a team, in no order.
func (r Records) OfTeam(team string) iter.Seq2[platform.RequestKey, *Release] {
	return func(yield func(platform.RequestKey, *Release) bool) {
		for name, record := range r.byName(team) {
			if !yield(platform.RequestKey{Team: team, Name: name}, record) {
				return
			}
		}
	}
}

func (r Records) byName(team string) iter.Seq2[string, *Release] {
	if t := r.teams[team]; t != nil {
		return maps.All(t.byName)
	}
	return func(func(string, *Release) bool) {}
}

// Differing are the requests whose records are not the very same in two values, in no order and each once.
func (r Records) Differing(from Records) iter.Seq[platform.RequestKey] {
	return func(yield func(platform.RequestKey) bool) {
		for team, now := range r.teams {
			if now == from.teams[team] {
				continue
			}
			for k, record := range r.OfTeam(team) {
				if record != from.Of(k) && !yield(k) {
					return
				}
			}
		}
		for team, before := range from.teams {
			if before == r.teams[team] {
				continue
			}
			for k := range from.OfTeam(team) {
				if r.Of(k) == nil && !yield(k) {
					return
				}
			}
		}
	}
}
