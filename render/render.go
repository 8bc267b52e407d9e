package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"transom.dev/render/platform"
)

// A Renderer renders environments and remembers, in bounded caches, what it has already found out about versions,
// overlays and manifests by their digest. The zero value is ready. It serves one caller at a time and renders
// instances in parallel inside.
type Renderer struct {
	guarded    cache[[]platform.Problem] // by digest of a version or overlay
	skeletons  cache[*skeleton]          // by digest of version, components and overlays
	kinds      cache[[]platform.Kind]    // defined by a version's CustomResourceDefinitions, by its digest
	objects    cache[[]object]           // by revision
	namespaces cache[renderedNamespace]  // by digest of a namespace's inputs and components

	evaluations map[string]map[*platform.Instance]*evaluation // by environment
}

// Render returns what the environment's state becomes with this platform. It fails only where the base cannot be
// read or the platform has no such environment; mistakes of people are Problems of the State.
func (r *Renderer) Render(p *platform.Platform, environment string, base *Base) (*State, error) {
	pass, err := r.begin(p, environment, base)
	if err != nil || pass.environment.Broken || !pass.overlaysAreSound() {
		return pass.unchanged(), err
	}
	pass.resolve()
	for again := true; again; again = pass.unsettled() {
		if err := pass.build(); err != nil {
			return nil, err
		}
		pass.settleNamespaces()
		if err := pass.settleCollisions(); err != nil {
			return nil, err
		}
	}
	pass.keepBroken()
	pass.removeAbsent()
	if err := pass.letGo(); err != nil {
		return nil, err
	}
	pass.writeInstances()
	if err := pass.writeNamespaces(); err != nil {
		return nil, err
	}
	pass.writeFleet()
	return pass.state(), nil
}

// A pass is one rendering of one environment.
type pass struct {
	renderer    *Renderer
	platform    *platform.Platform
	environment *platform.Environment
	base        *Base
	policies    []*platform.Policy // of the environment, sorted by name

	taken      taken
	candidates []*candidate // the environment's instances, sorted by request
	byKey      map[platform.RequestKey]*candidate
	levels     [][]*candidate                                // providers before what is bound to them
	held       map[platform.RequestKey][]platform.RequestKey // gone, but consumers stay that are bound to them
	namespaces map[string][]byte                             // files to have, by path
	releases   map[platform.RequestKey]*platform.Release
	fleet      platform.Fleet
	changes    map[string][]byte
	touched    map[platform.RequestKey]bool
	problems   []platform.Problem
	gone       []string // clusters that are let go

	defined     []platform.Kind // by any version of the platform; filled once
	definedOnce sync.Once
}

func (r *Renderer) begin(p *platform.Platform, environment string, base *Base) (*pass, error) {
	env := p.Environments[environment]
	if env == nil {
		return nil, fmt.Errorf("render %s: the platform has no such environment", environment)
	}
	if base == nil {
		base = &Base{}
	}
	return &pass{
		renderer: r, platform: p, environment: env, base: base, taken: takenVersions(base), policies: judging(p, environment),
		releases:   map[platform.RequestKey]*platform.Release{},
		changes:    map[string][]byte{},
		namespaces: map[string][]byte{},
		touched:    map[platform.RequestKey]bool{},
		held:       map[platform.RequestKey][]platform.RequestKey{},
	}, nil
}

// unchanged is the State of an environment that keeps all it has.
func (p *pass) unchanged() *State {
	if p == nil {
		return nil
	}
	return &State{
		Environment: p.environment.Name,
		Changes:     map[string][]byte{},
		Releases:    maps.Clone(p.base.Releases),
		Fleet:       p.base.Fleet,
		Problems:    p.problems,
	}
}

func (p *pass) state() *State {
	slices.SortFunc(p.problems, platform.Problem.Compare)
	return &State{
		Environment: p.environment.Name,
		Changes:     p.changes,
		Releases:    p.releases,
		Fleet:       p.fleet,
		LetGo:       p.gone,
		Touched:     slices.SortedFunc(maps.Keys(p.touched), platform.RequestKey.Compare),
		Problems:    p.problems,
	}
}

// resolve makes a candidate of every instance that the environment can have.
func (p *pass) resolve() {
	for _, instance := range p.platform.Instances(p.environment.Name) {
		p.candidates = append(p.candidates, &candidate{
			instance:   instance,
			base:       p.base.Releases[instance.Request.Key],
			evaluation: p.renderer.evaluations[p.environment.Name][instance],
		})
	}
	p.order()
	p.oneVerbatim()
}

// build evaluates and renders the candidates, providers first and each level in parallel. Each works on its own; what
// they share is the caches and the outputs of lower levels.
func (p *pass) build() error {
	for _, level := range p.levels {
		failures := make([]error, len(level))
		parallel(len(level), func(i int) { failures[i] = p.prepare(level[i]) })
		if err := errors.Join(failures...); err != nil {
			return fmt.Errorf("render %s: %w", p.environment.Name, err)
		}
	}
	p.renderer.remember(p.environment.Name, p.candidates)
	return nil
}

// unsettled reports whether something that went wrong after it was built changes what others were built with.
func (p *pass) unsettled() bool {
	rebound, held := p.rebind(), p.hold()
	return rebound || held
}

// remember keeps the evaluations of an environment's present instances, and no others.
func (r *Renderer) remember(environment string, candidates []*candidate) {
	if r.evaluations == nil {
		r.evaluations = map[string]map[*platform.Instance]*evaluation{}
	}
	present := make(map[*platform.Instance]*evaluation, len(candidates))
	for _, c := range candidates {
		if c.evaluation != nil {
			present[c.instance] = c.evaluation
		}
	}
	r.evaluations[environment] = present
}

// keepBroken carries over the releases of requests that exist but cannot be rendered.
func (p *pass) keepBroken() {
	for _, c := range p.candidates {
		p.problems = append(p.problems, c.problems...)
		switch {
		case !c.broken():
			p.releases[c.key()] = p.release(c)
		case c.base != nil:
			p.releases[c.key()] = c.base
		}
	}
	for k, release := range p.base.Releases {
		if p.releases[k] == nil && p.platform.Broken(p.environment.Name, k) {
			p.releases[k] = release
		}
	}
}

// removeAbsent turns the releases of requests that are gone into tombstones, but for those that others are bound to.
func (p *pass) removeAbsent() {
	for k, release := range p.base.Releases {
		if p.releases[k] != nil {
			continue
		}
		if len(p.held[k]) > 0 {
			p.keepHeld(k, release)
		} else {
			p.releases[k] = tombstone(release, p.platform.Commit)
		}
	}
}

// tombstone records a removal: it keeps what whoever prunes the objects must know.
func tombstone(r *platform.Release, commit string) *platform.Release {
	if r.Absent {
		return r
	}
	return &platform.Release{
		Key: r.Key,
		Digest: platform.Digest(map[string]any{
			"team": r.Key.Team, "request": r.Key.Name, "absent": true, "release": r.Digest,
		}),
		Absent:        true,
		Offering:      r.Offering,
		Version:       r.Version,
		VersionDigest: r.VersionDigest,
		Commit:        commit,
		File:          r.File,
		Scope:         r.Scope,
		Deletion:      r.Deletion,
	}
}
