package render

import (
	"slices"
	"sync"
	"sync/atomic"
)

// passBytes is how many bytes of new manifests one pass of the daemon makes, and builtBytes how many of them are kept that were not admitted.
// A version of a megabyte and very many small requests for it would not go into memory otherwise.
const (
	passBytes  = 256 << 20
	builtBytes = 64 << 20
)

// A room is the bytes of manifests that a pass may still make. What finds none is made by the next pass, for which the first one asks.
type room struct {
	remaining atomic.Int64
	ask       func()
}

// newRoom returns the room of a pass that another one follows once somebody asks; nil: none does, and there is room for all.
func newRoom(ask func()) *room {
	if ask == nil {
		return nil
	}
	r := &room{ask: sync.OnceFunc(func() { go ask() })}
	r.remaining.Store(passBytes)
	return r
}

// spent reports whether there is no room, and then asks for another pass.
func (r *room) spent() bool {
	if r == nil || r.remaining.Load() > 0 {
		return false
	}
	r.ask()
	return true
}

func (r *room) take(bytes int) {
	if r != nil {
		r.remaining.Add(-int64(bytes))
	}
}

// runningFirst lists candidates with those first that have something already: a change of theirs does not wait for very many new requests.
func runningFirst(all []*candidate) []*candidate {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *candidate) int {
		switch {
		case (a.base == nil) == (b.base == nil):
			return 0
		case a.base == nil:
			return 1
		}
		return -1
	})
	return sorted
}
