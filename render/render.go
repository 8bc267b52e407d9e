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

	memories map[string]*memory // by environment

	contracts      map[string]contract // by a version's directory
	contractsMutex sync.Mutex
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
	state := pass.state()
	pass.memory.remember(pass, state)
	return state, nil
}

// A pass is one rendering of one environment.
type pass struct {
	renderer    *Renderer
	platform    *platform.Platform
	environment *platform.Environment
	base        *Base
	policies    []*platform.Policy // of the environment, sorted by name

	index      *index  // of the base
	memory     *memory // of the environment
	continued  bool    // only what changed since the last pass is visited
	instances  []*platform.Instance
	byKey      map[platform.RequestKey]*candidate            // of what is visited; nil: there is no instance
	candidates []*candidate                                  // the visited instances, sorted by request
	orphans    []platform.RequestKey                         // visited, without an instance, and in the base
	levels     [][]*candidate                                // providers before what is bound to them
	held       map[platform.RequestKey][]platform.RequestKey // gone, but consumers stay that are bound to them
	namespaces map[string][]byte                             // files to have, by path
	releases   map[platform.RequestKey]*platform.Release     // that differ from the base
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
		renderer: r, platform: p, environment: env, base: base, policies: judging(p, environment),
		index: base.indexed(environment), memory: r.memory(environment), byKey: map[platform.RequestKey]*candidate{},
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
		mark:        new(mark),
	}
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
	p.memory.keep(p)
	return nil
}

// unsettled reports whether something that went wrong after it was built changes what others were built with.
func (p *pass) unsettled() bool {
	rebound, held := p.rebind(), p.hold()
	return rebound || held
}

// keepBroken records what the candidates that succeeded come to. The others keep what they have.
func (p *pass) keepBroken() {
	for _, c := range p.candidates {
		p.problems = append(p.problems, c.problems...)
		if c.broken() {
			continue
		}
		if release := p.release(c); release != c.base {
			p.releases[c.key()] = release
		}
	}
}

// removeAbsent turns the releases of requests that are gone into tombstones, but for those that others are bound to.
func (p *pass) removeAbsent() {
	for _, k := range p.orphans {
		switch {
		case len(p.held[k]) > 0:
			p.keepHeld(k, p.base.Releases[k])
		case !p.stays(k):
			p.releases[k] = tombstone(p.base.Releases[k], p.platform.Commit)
		}
	}
}

// tombstone records a removal: it keeps what whoever prunes the objects must know.
func tombstone(r *platform.Release, commit string) *platform.Release {
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
