package platform

import (
	"cmp"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
)

// A merge may bring very many requests, and everybody waits for the load of it. Where a Loader has a bound, new requests beyond it are
// deferred: nothing is concluded of them, and each comes as if it had been merged a little later. Their files are read first, a ration in
// each load, so that shares and names are right before one of them comes. Nothing that was removed goes before all came: one of them may be
// what takes its place.

// later are the names of the requests that this load defers, by team, of some teams. Those with few new requests come first, so that nobody waits behind
// a crowd of another team. Nothing is deferred for a Loader without a bound, and at the first load.
func later(l *Loader, p *Platform, teams []string) map[string][]string {
	if l.AtOnce == 0 || l.last == nil {
		return nil
	}
	waiting := map[string][]string{}
	for _, name := range teams {
		files := p.tree.teams[name]
		if files == nil {
			continue
		}
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
		if p.tree.teams[name].unread > 0 {
			continue
		}
		taken := min(free, len(waiting[name]))
		waiting[name] = waiting[name][taken:]
		free -= taken
	}
	return waiting
}

// unknown are the sorted names of the requests among files of a team that the last load did not resolve.
func (t *team) unknown(team string, files *teamFiles) (names []string) {
	for _, name := range sortedKeys(files.requests) {
		if !t.knows(RequestKey{team, name}) {
			names = append(names, name)
		}
	}
	return names
}

// withoutProviders returns which of those requests of a team that would be deferred are deferred: a request that is bound to another one
// comes after it or with it, so that nobody is told to wait for one that is only deferred. Files of those that come are read.
func withoutProviders(l *Loader, later, names []string, files []*requestFile, of *teamFiles) (map[string]bool, error) {
	if len(later) == 0 {
		return nil, nil
	}
	deferred := make(map[string]bool, len(later))
	for _, name := range later {
		deferred[name] = true
	}
	at, coming := make(map[string]int, len(files)), []int(nil)
	for i := range files {
		at[names[i]] = i
		if !deferred[names[i]] {
			coming = append(coming, i)
		}
	}
	for len(coming) > 0 {
		f := files[coming[len(coming)-1]]
		coming = coming[:len(coming)-1]
		for provider := range f.request.Spec.providers() {
			if !deferred[provider] {
				continue
			}
			delete(deferred, provider)
			i := at[provider]
			coming = append(coming, i)
			if err := readNow(l.fsys, of, provider); err != nil {
				return nil, err
			}
			files[i] = l.decodedOf(of, f.request.Key.Team, provider)
		}
	}
	return deferred, nil
}

// readNow reads the file of a request that a later load would read.
func readNow(fsys fs.FS, of *teamFiles, request string) error {
	f := of.requests[request]
	if !f.unread {
		return nil
	}
	data, err := fs.ReadFile(fsys, f.path)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	of.replace(request, &file{path: f.path, id: f.id, data: data})
	return nil
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

// unreadRequest is a request of which nothing is known but that it is there.
func unreadRequest(f *file, k RequestKey) *requestFile {
	return &requestFile{request: &Request{Key: k, File: f.path, Broken: true}}
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
