package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Renderer renders environments and remembers, in bounded caches, its findings about versions,
// overlays and manifests by their digest. The zero value is ready. It serves one caller at a time and renders
// instances in parallel inside.
type Renderer struct {
	guarded    cache[string, []platform.Problem] // by digest of a version or overlay
	skeletons  cache[string, *skeleton]          // by digest of version, components and overlays
	kinds      cache[string, []platform.Kind]    // defined by a version's CustomResourceDefinitions, by its digest
	fixed      cache[string, customFields]       // by a version's CustomResourceDefinitions, by its digest
	schemas    cache[string, customSchemas]      // by a version's CustomResourceDefinitions, by its digest
	objects    cache[string, []objectID]         // names of a manifest's objects, by revision
	namespaces cache[string, renderedNamespace]  // by digest of a namespace's inputs and components

	// Stepped, if set, is called whenever an instance has been built or found to be carried over, on any goroutine.
	Stepped func()

	// Ready, if set, has passes not wait for a build that takes long. It is a Problem of its instance until then, which
	// keeps its manifest, and Ready is called, on any goroutine, when another pass may find the result.
	Ready func()

	run kustomize.Runner // of builds, in tests; nil: a worker

	memories map[string]*memory // by environment

	contracts    perVersion[onceContract]
	examinations perVersion[examination]
}

// Render returns the state that the environment comes to with this platform. It fails only where the base cannot be
// read or the platform has no such environment; mistakes of people are Problems of the State.
func (r *Renderer) Render(p *platform.Platform, environment string, base *Base) (*State, error) {
	return r.Direct(p, environment, base, Direction{})
}

// Direct is Render for an environment that does not simply take the releases of the platform's head.
func (r *Renderer) Direct(p *platform.Platform, environment string, base *Base, d Direction) (*State, error) {
	pass, err := r.begin(p, environment, base)
	if err != nil || pass.environment.Broken {
		return pass.unchanged(), err
	}
	pass.direction = d
	if err := pass.restore(); err != nil {
		return nil, err
	}
	if !pass.overlaysAreSound() {
		return pass.keepAll()
	}
	pass.resolve()
	if err := pass.settle(); err != nil {
		return nil, err
	}
	pass.conclude()
	if err := pass.write(); err != nil {
		return nil, err
	}
	state := pass.state()
	pass.memory.remember(pass, state)
	return state, nil
}

// write changes the files of the concluded releases.
func (p *pass) write() error {
	if err := p.letGo(); err != nil {
		return err
	}
	p.forget()
	p.writeInstances()
	p.writeRestored()
	if err := p.writeNamespaces(); err != nil {
		return err
	}
	p.writeFleet()
	return nil
}

// keepAll renders nothing: the environment keeps its releases, but for those that its direction records and restores.
func (p *pass) keepAll() (*State, error) {
	if len(p.direction.Records)+len(p.direction.Restore) == 0 {
		return p.unchanged(), nil
	}
	p.continued = true // clusters that were not looked at are not let go either
	p.conclude()
	if err := p.write(); err != nil {
		return nil, err
	}
	return p.state(), nil
}

// A pass is one rendering of one environment.
type pass struct {
	renderer    *Renderer
	platform    *platform.Platform
	environment *platform.Environment
	base        *Base
	direction   Direction
	made        *state.Placement   // make everything as this record says; nil: anew
	definitions *definitions       // of the platform
	written     writtenObjects     // of the base
	policies    []*platform.Policy // of the environment, sorted by name

	index      *index  // of the base
	memory     *memory // of the environment
	continued  bool    // only requests that changed since the last pass are visited
	instances  []*platform.Instance
	byKey      map[platform.RequestKey]*candidate            // of the visited requests; nil: there is no instance
	candidates []*candidate                                  // the visited instances, sorted by request
	orphans    []platform.RequestKey                         // visited, without an instance, and in the base
	levels     [][]*candidate                                // providers before their consumers
	held       map[platform.RequestKey][]platform.RequestKey // gone, but consumers stay that are bound to them
	answers    map[platform.RequestKey]*state.Release        // to the proposals
	pending    map[platform.RequestKey]bool                  // proposed, and not admitted as a whole
	examined   func() time.Time                              // until when the pass waits for examinations of versions
	closing    bool                                          // nothing is built any more
	namespaces map[string][]byte                             // files to have, by path
	tenants    map[string][]*candidate                       // in each of them
	releases   map[platform.RequestKey]*state.Release        // that differ from the base
	fleet      state.Fleet
	changes    map[string][]byte
	touched    map[platform.RequestKey]bool
	problems   []platform.Problem
	gone       []string // clusters that are let go
	forgotten  []platform.RequestKey
}

func (r *Renderer) begin(p *platform.Platform, environment string, base *Base) (*pass, error) {
	env := p.Environments[environment]
	if env == nil {
		return nil, fmt.Errorf("render %s: the platform has no such environment", environment)
	}
	if base == nil {
		base = &Base{}
	}
	r.skeletons.generation = skeletonGeneration
	return &pass{
		renderer: r, platform: p, environment: env, base: base, policies: judging(p, environment), definitions: r.definitionsOf(p),
		written: writtenObjects{base, &r.objects},
		index:   base.indexed(environment), memory: r.memory(environment), byKey: map[platform.RequestKey]*candidate{},
		releases:   map[platform.RequestKey]*state.Release{},
		changes:    map[string][]byte{},
		namespaces: map[string][]byte{},
		touched:    map[platform.RequestKey]bool{},
		held:       map[platform.RequestKey][]platform.RequestKey{},
		answers:    map[platform.RequestKey]*state.Release{},
		pending:    map[platform.RequestKey]bool{},
		examined:   sync.OnceValue(func() time.Time { return time.Now().Add(examiningTime) }),
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
	for i := range p.problems {
		p.problems[i] = p.problems[i].Cleaned()
	}
	slices.SortFunc(p.problems, platform.Problem.Compare)
	return &State{
		Environment: p.environment.Name,
		Changes:     p.changes,
		Releases:    p.releases,
		Fleet:       p.fleet,
		LetGo:       p.gone,
		Forgotten:   p.forgotten,
		Touched:     slices.SortedFunc(maps.Keys(p.touched), platform.RequestKey.Compare),
		Problems:    p.problems,
		mark:        new(mark),
		custom:      p.renderer.custom(p.platform),
	}
}

// build evaluates and renders the candidates, providers first and each level in parallel. Each works on its own; they
// share the caches and the outputs of lower levels alone.
func (p *pass) build() error {
	for _, level := range p.levels {
		failures := make([]error, len(level))
		parallel(len(level), func(i int) {
			defer level[i].recovered()
			failures[i] = p.prepare(level[i])
			if p.renderer.Stepped != nil {
				p.renderer.Stepped()
			}
		})
		if err := errors.Join(failures...); err != nil {
			return fmt.Errorf("render %s: %w", p.environment.Name, err)
		}
	}
	p.memory.keep(p)
	return nil
}

// unsettled reports whether a fault that was found after a build, or a refused admission, changes the inputs that others were
// built with.
func (p *pass) unsettled() bool {
	rebound, held := p.rebind(), p.hold()
	return rebound || held
}

// tombstone records the removal of a request's release from the environment: it keeps all that whoever prunes the objects must
// know. A removal that is under way goes on.
func (p *pass) tombstone(k platform.RequestKey) *state.Release {
	r := p.had(k)
	if r.Absent {
		rest := *r
		rest.Clusters = nil
		return &rest
	}
	return &state.Release{
		Key:           r.Key,
		Digest:        r.RemovalDigest(),
		Absent:        true,
		Offering:      r.Offering,
		Version:       r.Version,
		VersionDigest: r.VersionDigest,
		Commit:        p.platform.Commit,
		File:          r.File,
		Promotion:     r.Promotion,
		Scope:         r.Scope,
		Deletion:      r.Deletion,
		OnRemoval:     r.OnRemoval,
	}
}
