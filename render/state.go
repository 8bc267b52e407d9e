package render

import (
	"maps"
	"slices"
	"strings"

	"transom.dev/render/internal/immutable"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A State is the next content of an environment's state repository.
type State struct {
	Environment string

	// Changes are the files that differ from the base, by path: their new content, or nil where they are removed.
	// Empty: there is nothing to commit.
	Changes map[string][]byte

	Releases map[platform.RequestKey]*state.Release // those that change; all others are as in the base
	Fleet    state.Fleet                            // after the change

	// Touched are the requests whose release or manifests changed, sorted.
	Touched []platform.RequestKey

	// LetGo are the clusters whose file is gone, sorted: the state forgets them, and nothing on them is touched.
	LetGo []string

	// Forgotten are the tombstones whose file goes, sorted.
	Forgotten []platform.RequestKey

	// Problems are those of rendering, each with its Environment and, where it is one request's, its Request. A request that
	// has one keeps all that it has in the base.
	Problems []platform.Problem

	// FixedFields are those that may not change, by the platform's definitions of custom kinds.
	FixedFields immutable.Lookup

	mark *mark
}

// A mark tells a State from every other.
type mark struct{ _ byte }

// Then joins a State with the one that follows it: the changes of both, as one State, relative to the base of the first.
func (s *State) Then(next *State) *State {
	both := *next
	both.Changes, both.Releases = map[string][]byte{}, map[platform.RequestKey]*state.Release{}
	for _, part := range []*State{s, next} {
		maps.Copy(both.Changes, part.Changes)
		maps.Copy(both.Releases, part.Releases)
	}
	for _, k := range next.Forgotten {
		delete(both.Releases, k)
	}
	both.LetGo, both.Forgotten = joined(strings.Compare, s.LetGo, next.LetGo), joined(platform.RequestKey.Compare, s.Forgotten, next.Forgotten)
	both.Touched = joined(platform.RequestKey.Compare, s.Touched, next.Touched)
	return &both
}

// joined has the elements of all the lists, sorted, each once.
func joined[T comparable](compare func(T, T) int, lists ...[]T) []T {
	all := slices.Concat(lists...)
	slices.SortFunc(all, compare)
	return slices.Compact(all)
}
