package platform

import (
	"cmp"
	"maps"
	"slices"
)

// A team is its requests, resolved and bound to each other; none is bound to another team's. As long as its files and
// everything that they refer to stay the same, so does it.
type team struct {
	files     *teamFiles
	requests  []*Request // sorted by name
	resolved  map[RequestKey]*resolved
	instances map[string]*teamInstances // by environment
	broken    map[string]map[RequestKey]bool
	placed    map[string]map[string]int // placements of the instances, by environment and offering
	deferred  int
	named     map[string]bool // the names that files give themselves where they differ from the file's name
	problems  []Problem
}

// loadRequests resolves the requests of the teams that changed, or of all where something changed that they may all
// depend on. Teams that did not change are not even looked at, unless requests were deferred.
func (l *Loader) loadRequests(p *Platform) (err error) {
	last := l.last
	if last == nil {
		last = &Platform{}
	}
	p.counted = l.count(p)
	l.stages = l.stages.among(p.counted.crowd(p.Offerings))
	p.stages = l.stages
	kept := l.last != nil && last.stages == l.stages && maps.Equal(last.Offerings, p.Offerings)
	names := p.tree.changed
	if kept && last.deferred == 0 {
		p.teams, p.sums = maps.Clone(last.teams), last.next()
	} else {
		names, p.teams, p.sums = sortedKeys(p.tree.teams), make(map[string]*team, len(p.tree.teams)), sums{}.next()
	}
	waiting := later(l, p, names)
	for _, name := range names {
		files, was, made := p.tree.teams[name], p.teams[name], last.teams[name]
		if files == nil {
			delete(p.teams, name)
			p.replace(name, was, nil)
			continue
		}
		if !kept || made == nil || made.files != files || made.deferred > 0 {
			if made, err = l.loadTeam(p, name, files, made, waiting[name]); err != nil {
				return err
			}
		}
		p.teams[name] = made
		p.deferred += made.deferred
		p.replace(name, was, made)
	}
	for _, name := range sortedKeys(p.troubled) {
		p.Problems = append(p.Problems, p.troubled[name].problems...)
	}
	return nil
}

// loadTeam resolves the requests of a team but for those that a later load does. Results that did not change since the last time are taken
// over.
func (l *Loader) loadTeam(p *Platform, name string, files *teamFiles, last *team, later []string) (*team, error) {
	t := &team{files: files, resolved: make(map[RequestKey]*resolved, len(files.requests)), named: map[string]bool{}}
	names := sortedKeys(files.requests)
	all := make([]*resolved, len(names))
	decoded := make([]*requestFile, len(names))
	forAll(len(names), func(i int) {
		decoded[i] = l.decodedOf(files, name, names[i])
	})
	waits, err := withoutProviders(l, later, names, decoded, files)
	if err != nil {
		return nil, err
	}
	forAll(len(names), func(i int) {
		f, key := decoded[i], RequestKey{name, names[i]}
		if last != nil {
			all[i] = last.resolved[key]
		}
		if waits[names[i]] {
			all[i] = deferred(f, all[i])
			return
		}
		if r := all[i]; r == nil || r.file != f || !r.fits(l.stages) || r.offering != p.Offerings[f.request.Spec.Offering] || r.offering == nil {
			all[i] = resolveGuarded(p, f, l.stages, r)
		}
	})
	for i, r := range all {
		t.resolved[RequestKey{name, names[i]}] = r
		if named := r.file.named; named != "" && named != names[i] {
			t.named[named] = true
		}
		t.requests = append(t.requests, r.request)
		t.problems = append(t.problems, r.file.problems...)
	}
	t.deferred = len(waits)
	t.problems = append(t.problems, t.strayValues(name, files)...)
	t.bindRequests(p)
	return t, nil
}

// decodedOf reads the file of a team's request, with its sealed values.
func (l *Loader) decodedOf(files *teamFiles, team, request string) *requestFile {
	f := files.requests[request]
	decoded := l.decoded(f, RequestKey{team, request}).sealing(files.sealed[request])
	f.decoded = decoded
	return decoded
}

// decoded reads a request's file, once.
func (l *Loader) decoded(f *file, key RequestKey) *requestFile {
	if f.decoded == nil && f.unread {
		f.decoded = unreadRequest(f, key)
	} else if f.decoded == nil {
		wrong := guarded(f.path, func() {
			d := openFor(f, &key)
			l.latest.keep(f.data, d.object)
			f.decoded = decodeRequest(d, key, source{f.data, l.latest})
		})
		if wrong != nil {
			wrong.Request = &key
			unknown := unreadRequest(f, key)
			unknown.problems = []Problem{*wrong}
			f.decoded = unknown
		}
	}
	return f.decoded.(*requestFile)
}

// count counts the files of requests: those of the last load, but for the teams that changed.
func (l *Loader) count(p *Platform) counted {
	c := counted{byOffering: map[string]int{}}
	if l.last == nil || l.last.counted.partly || l.last.deferred > 0 {
		for name, files := range p.tree.teams {
			c.add(files, l.countByOffering(name, files), 1)
		}
		return c
	}
	c.all = l.last.counted.all
	maps.Copy(c.byOffering, l.last.counted.byOffering)
	for _, name := range p.tree.changed {
		if was := l.last.tree.teams[name]; was != nil {
			c.add(was, was.byOffering, -1)
		}
		if is := p.tree.teams[name]; is != nil {
			c.add(is, l.countByOffering(name, is), 1)
		}
	}
	return c
}

// countByOffering counts the requests of a team that were read, once: its files never change.
func (l *Loader) countByOffering(team string, files *teamFiles) map[string]int {
	if files.byOffering != nil {
		return files.byOffering
	}
	names := sortedKeys(files.requests)
	offerings := make([]string, len(names))
	forAll(len(names), func(i int) {
		offerings[i] = l.decoded(files.requests[names[i]], RequestKey{team, names[i]}).request.Spec.Offering
	})
	files.byOffering = map[string]int{}
	for i, offering := range offerings {
		if !files.requests[names[i]].unread {
			files.byOffering[offering]++
		}
	}
	return files.byOffering
}

// bindRequests binds the requests to each other, and lists by environment the instances that result and the requests that are
// broken.
func (t *team) bindRequests(p *Platform) {
	t.instances, t.broken, t.placed = map[string]*teamInstances{}, map[string]map[RequestKey]bool{}, map[string]map[string]int{}
	b := &binder{platform: p, team: t}
	b.findCycles()
	for _, request := range t.requests {
		resolutions, problems := b.bind(t.resolved[request.Key])
		t.problems = append(t.problems, problems...)
		for env, in := range resolutions {
			if in.instance != nil {
				t.add(env, in.instance)
			} else if p.Environments[env] != nil {
				if t.broken[env] == nil {
					t.broken[env] = map[RequestKey]bool{}
				}
				t.broken[env][request.Key] = true
			}
		}
	}
}

// add takes in an instance of an environment.
func (t *team) add(environment string, i *Instance) {
	if t.instances[environment] == nil {
		t.instances[environment], t.placed[environment] = &teamInstances{team: i.Request.Key.Team}, map[string]int{}
	}
	t.instances[environment].add(i)
	t.placed[environment][i.Offering.Name] += len(i.Clusters)
}

// names says whether a file of the team that has another name calls itself so: renaming a file must not delete a database.
func (t *team) names(request string) bool { return t != nil && t.named[request] }

// request returns a request of the team, or nil.
func (t *team) request(name string) *Request {
	if t == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(t.requests, name, func(r *Request, name string) int { return cmp.Compare(r.Key.Name, name) })
	if !found {
		return nil
	}
	return t.requests[i]
}
