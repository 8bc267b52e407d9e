package render

import (
	"slices"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/worker"
)

// A Renderer renders environments and remembers, in bounded caches, its findings about versions,
// overlays and manifests by their digest. The zero value is ready. It serves one caller at a time and renders
// instances in parallel inside.
type Renderer struct {
	findings    findings
	definitions definitionCache
	objects     cache[string, []objectID]        // names of a manifest's objects, by revision
	namespaces  cache[string, renderedNamespace] // by digest of a namespace's inputs and components
	memories    memories

	// Stepped, if set, is called whenever an instance has been built or found to be carried over, on any goroutine.
	Stepped func()

	// Ready, if set, has passes not wait for a build that takes long. It is a Problem of its instance until then, which
	// keeps its manifest, and Ready is called, on any goroutine, when another pass may find the result.
	Ready func()

	// Unwritten has States of Problems only, for whoever looks at nothing else: no record is encoded, and no Changes are kept.
	Unwritten bool

	run kustomize.Runner // of builds, in tests; nil: a worker
}

// Render returns the state that the environment comes to with this platform. It fails only where the base cannot be
// read or the platform has no such environment; mistakes of people are Problems of the State.
func (r *Renderer) Render(p *platform.Platform, environment string, base *Base) (*State, error) {
	return r.Direct(p, environment, base, Direction{Examples: true})
}

// Direct is Render for an environment that does not simply take the releases of the platform's head: select the requests to
// render, build and admit them in turn, conclude, write.
func (r *Renderer) Direct(p *platform.Platform, environment string, base *Base, d Direction) (*State, error) {
	s, err := newSnapshot(p, environment, base, d)
	if err != nil {
		return nil, err
	}
	if s.environment.Broken {
		return s.unchanged(nil), nil
	}
	if err := s.checkRestorations(r.written(s)); err != nil {
		return nil, err
	}
	if problems := r.examiner().overlayProblems(s.environment); len(problems) > 0 {
		return r.keepAll(s, problems)
	}
	s.continued = r.memories.of(environment).continues(s)
	pass := newPass(r, s)
	if err := pass.buildAndAdmit(d.Admit); err != nil {
		return nil, err
	}
	outcome := pass.admission.conclude()
	namespaces, waiting, err := pass.namespaces.admitted(pass.admission) // ⇄ d.AdmitNamespaces
	if err != nil {
		return nil, err
	}
	for _, c := range waiting {
		outcome.pending[c.key()] = true
	}
	state, err := r.write(pass.admission, outcome, namespaces)
	if err == nil && !r.Unwritten {
		r.memories.of(environment).remember(pass.admission, outcome, state)
	}
	return state, err
}

// buildAndAdmit builds the candidates and has them admitted, until none was built with outputs that are not admitted.
func (p *pass) buildAndAdmit(admit func([]state.Proposal) []*state.Release) error {
	for asked := 1; ; asked++ {
		if err := p.build(); err != nil {
			return err
		}
		proposals := p.admission.propose()
		if admit == nil || len(proposals) == 0 {
			clear(p.admission.answers)
			return nil
		}
		whole, err := p.admission.accept(proposals, admit(proposals)) // ⇄ whoever directs the pass
		if err != nil || whole {
			return err
		}
		p.admission.closing = asked == admissions
		if err := p.postpone(); err != nil || p.admission.closing || !p.admission.outdated() {
			return err
		}
	}
}

// keepAll renders nothing: the environment keeps its releases, but for those that its direction records and restores.
func (r *Renderer) keepAll(s *snapshot, problems []platform.Problem) (*State, error) {
	if len(s.direction.Records)+len(s.direction.Restore) == 0 {
		return s.unchanged(problems), nil
	}
	s.instances, s.continued = nil, true // nothing is visited; clusters that were not looked at are not let go either
	a := newAdmission(&selection{snapshot: s})
	outcome := a.conclude()
	outcome.problems = slices.Concat(problems, outcome.problems)
	return r.write(a, outcome, nil)
}

// write returns the State of an outcome.
func (r *Renderer) write(a *admission, o *outcome, namespaces map[string][]byte) (*State, error) {
	w := writer{snapshot: a.snapshot, admission: a, releases: o.releases, namespaces: namespaces}
	state := &State{Environment: a.environment.Name}
	if !r.Unwritten {
		var err error
		if state, err = w.write(); err != nil {
			return nil, err
		}
	}
	for _, problem := range o.problems {
		state.Problems = append(state.Problems, problem.Cleaned())
	}
	slices.SortFunc(state.Problems, platform.Problem.Compare)
	state.FixedFields = r.FixedFields(a.platform)
	return state, nil
}

// written reads and remembers the objects of the manifests of a base.
func (r *Renderer) written(s *snapshot) writtenObjects { return writtenObjects{s.base, &r.objects} }

// examiner returns an examiner that remembers its findings in the renderer.
func (r *Renderer) examiner() examiner {
	r.findings.skeletons.generation = skeletonGeneration
	r.findings.prints.generation, r.findings.printed.generation = chartGeneration, chartGeneration
	r.findings.prints.most, r.findings.printed.most = chartBytes, chartBytes
	return examiner{&r.findings, r.runner(), r.Ready}
}

// runner has Kustomize run in workers, whose results a pass waits for unless the renderer is told when they are there.
func (r *Renderer) runner() kustomize.Runner {
	if r.run != nil {
		return r.run
	}
	if r.Ready == nil {
		return worker.Run
	}
	return worker.Soon(r.Ready)
}
