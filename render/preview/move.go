package preview

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Move is a change of version that several requests of an environment make together: the blast radius of a version.
type Move struct {
	Offering string                `json:"offering"`
	From     string                `json:"from"`
	To       string                `json:"to"`
	Requests []platform.RequestKey `json:"requests"` // that move, sorted
	Stay     []platform.RequestKey `json:"stay"`     // of the same offering, that do not, sorted
}

// Moves says which requests of the environment change from one version of their offering to another.
func Moves(before *render.Base, after *render.State) []Move {
	type step struct{ offering, from, to string }
	moving := map[step][]platform.RequestKey{}
	for _, k := range slices.SortedFunc(maps.Keys(after.Releases), platform.RequestKey.Compare) {
		now, was := after.Releases[k], before.Releases[k]
		if !now.Absent && was != nil && !was.Absent && was.Offering == now.Offering && was.Version != now.Version {
			s := step{now.Offering, was.Version, now.Version}
			moving[s] = append(moving[s], k)
		}
	}
	var moves []Move
	for s, requests := range moving {
		stay := slices.DeleteFunc(users(before, after, s.offering), func(k platform.RequestKey) bool {
			_, moves := slices.BinarySearchFunc(requests, k, platform.RequestKey.Compare)
			return moves
		})
		moves = append(moves, Move{s.offering, s.from, s.to, requests, stay})
	}
	slices.SortFunc(moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.Offering, b.Offering), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return moves
}

// users lists the requests that the environment runs for an offering afterwards, sorted.
func users(before *render.Base, after *render.State, offering string) (keys []platform.RequestKey) {
	runs := func(r *state.Release) bool { return r != nil && !r.Absent && r.Offering == offering }
	for k, release := range before.Releases {
		if after.Releases[k] == nil && runs(release) {
			keys = append(keys, k)
		}
	}
	for k, release := range after.Releases {
		if runs(release) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	return keys
}

// A Rename is a request that is removed while another with the same content is added. Nothing but a person's intention
// tells it from a removal and an addition, and that is how it is carried out.
type Rename struct {
	From platform.RequestKey `json:"from"`
	To   platform.RequestKey `json:"to"`
}

// Renames finds the requests that look renamed, or moved to another team, sorted by their old names.
func Renames(before *render.Base, after *render.State) []Rename {
	added := map[string][]platform.RequestKey{} // by content
	for _, k := range slices.SortedFunc(maps.Keys(after.Releases), platform.RequestKey.Compare) {
		was := before.Releases[k]
		ran := was != nil && !was.Absent
		if !ran && !after.Releases[k].Absent {
			content := contentOf(after.Releases[k])
			added[content] = append(added[content], k)
		}
	}
	var renames []Rename
	for _, k := range slices.SortedFunc(maps.Keys(after.Releases), platform.RequestKey.Compare) {
		was := before.Releases[k]
		if was == nil || was.Absent || !after.Releases[k].Absent {
			continue
		}
		content := contentOf(was)
		if i := likeliest(k, added[content]); i >= 0 {
			renames = append(renames, Rename{k, added[content][i]})
			added[content] = slices.Delete(added[content], i, i+1)
		}
	}
	return renames
}

func contentOf(r *state.Release) string {
	return platform.Digest([]any{r.Request, r.Offering, r.Version})
}

// likeliest prefers the same name in another team, then another name in the same team. -1: there is none.
func likeliest(k platform.RequestKey, candidates []platform.RequestKey) int {
	if i := slices.IndexFunc(candidates, func(c platform.RequestKey) bool { return c.Name == k.Name }); i >= 0 {
		return i
	}
	if i := slices.IndexFunc(candidates, func(c platform.RequestKey) bool { return c.Team == k.Team }); i >= 0 {
		return i
	}
	return len(candidates[:min(1, len(candidates))]) - 1
}
