package platform

import "math"

// A merge may bring very many requests, and everybody waits for the load of it. Where a Loader has a bound, new requests beyond it are
// deferred: their files are read and counted, so that shares and names are right from the first load on, and nothing is concluded of them.
// Each comes as if it had been merged a little later.

// room is how many more new requests a load may resolve.
type room struct{ free int }

func newRoom(l *Loader) *room {
	if l.AtOnce == 0 || l.last == nil {
		return &room{math.MaxInt}
	}
	return &room{l.AtOnce}
}

// without returns those requests of a team, among sorted names, for which there is no room. A request that the last load resolved needs
// none.
func (r *room) without(last *team, name string, requests []string) map[string]bool {
	later := map[string]bool{}
	for _, request := range requests {
		if last != nil {
			if known := last.resolved[RequestKey{name, request}]; known != nil && !known.request.Deferred {
				continue
			}
		}
		if r.free == 0 {
			later[request] = true
		} else {
			r.free--
		}
	}
	return later
}

// deferred is the resolution of a request that a later load resolves, after that of the last load.
func deferred(f *requestFile, last *resolved) *resolved {
	if last != nil && last.file == f {
		return last
	}
	r := *f.request
	r.Broken, r.Deferred = true, true
	return &resolved{file: f, request: &r}
}
