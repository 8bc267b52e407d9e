package platform

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// A merge may bring very many requests, and everybody waits for the load of it. Where a Loader has a bound, new requests beyond it are
// deferred: their files are read and counted, so that shares and names are right from the first load on, and nothing is concluded of them.
// Each comes as if it had been merged a little later. Nothing that was removed goes before all came: one of them may be what takes its place.

// later are the names of the requests that this load defers, by team. Teams with few new requests come first, so that nobody waits behind
// a crowd of another team. Nothing is deferred for a Loader without a bound, and at the first load.
func later(l *Loader, p *Platform) map[string][]string {
	if l.AtOnce == 0 || l.last == nil {
		return nil
	}
	waiting := map[string][]string{}
	for name, files := range p.tree.teams {
		if last := l.last.teams[name]; last == nil || last.files != files || last.deferred > 0 {
			if added := last.unknown(name, files); len(added) > 0 {
				waiting[name] = added
			}
		}
	}
	free := l.AtOnce
	for _, name := range slices.SortedFunc(maps.Keys(waiting), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(waiting[a]), len(waiting[b])), cmp.Compare(a, b))
	}) {
		taken := min(free, len(waiting[name]))
		waiting[name] = waiting[name][taken:]
		free -= taken
	}
	return waiting
}

// unknown are the sorted names of the requests among files of a team that the last load did not resolve.
func (t *team) unknown(team string, files *teamFiles) (names []string) {
	for _, name := range sortedKeys(files.requests) {
		if t != nil {
			if known := t.resolved[RequestKey{team, name}]; known != nil && !known.request.Deferred {
				continue
			}
		}
		names = append(names, name)
	}
	return names
}

// withoutProviders returns which of those requests of a team that would be deferred are deferred: a request that is bound to another one
// comes after it or with it, so that nobody is told to wait for one that is only deferred.
func withoutProviders(later, names []string, files []*requestFile) map[string]bool {
	if len(later) == 0 {
		return nil
	}
	deferred := make(map[string]bool, len(later))
	for _, name := range later {
		deferred[name] = true
	}
	byName, coming := make(map[string]*requestFile, len(files)), []*requestFile(nil)
	for i, f := range files {
		byName[names[i]] = f
		if !deferred[names[i]] {
			coming = append(coming, f)
		}
	}
	for len(coming) > 0 {
		f := coming[len(coming)-1]
		coming = coming[:len(coming)-1]
		for provider := range f.request.Spec.providers() {
			if deferred[provider] {
				delete(deferred, provider)
				coming = append(coming, byName[provider])
			}
		}
	}
	return deferred
}

// providers are the names of the requests that a request is bound to in any environment, some of them more than once.
func (s *RequestSpec) providers() iter.Seq[string] {
	return func(yield func(string) bool) {
		all := []map[string]string{s.Bindings}
		for _, in := range s.Environments {
			all = append(all, in.Bindings)
		}
		for _, bindings := range all {
			for _, name := range bindings {
				if !yield(name) {
					return
				}
			}
		}
	}
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
