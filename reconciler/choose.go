package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// choose has promotion decide which releases the environment takes in this pass.
func (p *pass) choose(ctx context.Context, neighbours map[string]committed) *promotion.Choice {
	defer p.phase("choose")()
	health := &p.r.cache.health
	patience := patienceOf(p.platform, p.environment)
	p.loop.schedule.soak = patience.soak
	health.setPatience(p.loop.environment, patience)
	elsewhere := map[string]state.Records{}
	for name, current := range neighbours {
		elsewhere[name] = current.releases
	}
	steady := health.steady()
	view := ViewOf(ctx, p.platform, p.loop.environment, p.state.base, Sources{
		State: p.state.believed.Commit, Elsewhere: elsewhere, Renderer: &p.loop.renderer,
		Generation: p.r.Platform.Generation, At: atOf(p.loop.branch.repo), Later: p.later, Check: p.readChecks(),
		Now: health.clock(), Observe: func(environment string, k platform.RequestKey, cluster string) promotion.Observation {
			return health.read(environment, k, cluster, steady)
		},
	})
	view.Merged = func(file string) (commit, author string) { return p.merged(ctx, file) }
	view.Failures = p.loop.unrendered.of(p.platform.Commit)
	view.Told = health.toldBy(p.loop.environment)
	view.Memory = &p.loop.memory
	return view.Choose()
}

// readChecks returns how promotion reads the checks of the environment, and begins to note which it reads.
func (p *pass) readChecks() func(promotion.CheckSubject) promotion.Checked {
	if p.r.Checks == nil {
		return nil
	}
	p.answers = p.r.Checks.Begin(p.loop.environment, p.platform.CheckCost(p.loop.environment))
	return func(s promotion.CheckSubject) promotion.Checked {
		vars := map[string]any{
			"request":     map[string]any{"name": s.Of.Key.Name, "team": s.Of.Key.Team},
			"release":     map[string]any{"digest": s.Of.Digest, "offering": s.Of.Offering, "version": s.Of.Version},
			"environment": map[string]any{"name": p.environment.Name, "values": p.environment.Values},
		}
		if c := p.platform.Clusters[s.Cluster]; c != nil {
			revision, _, _ := strings.Cut(s.Revision, "+")
			vars["revision"], vars["cluster"] = revision, map[string]any{"name": c.Name, "labels": c.Labels}
		}
		return p.answers.Check(s, vars)
	}
}

// forgetChecks has nobody asked any more about releases that nobody waits for.
func (p *pass) forgetChecks() {
	if p.answers != nil {
		p.answers.End()
	}
}

// unrendered remembers in which order the rendering of instances failed at a platform commit, so that all get their turn.
type unrendered struct {
	commit string
	last   map[platform.RequestKey]int
	n      int
}

// of returns the number of an instance's last failure at a platform commit; 0: there was none.
func (u *unrendered) of(commit string) func(platform.RequestKey) int {
	if u.commit != commit {
		*u = unrendered{commit: commit, last: map[platform.RequestKey]int{}}
	}
	return func(k platform.RequestKey) int { return u.last[k] }
}

func (u *unrendered) add(keys []platform.RequestKey) {
	for _, k := range keys {
		u.n++
		u.last[k] = u.n
	}
}

// merged names the platform commit that brought a file, and its author, where they can be read.
func (p *pass) merged(ctx context.Context, file string) (commit, author string) {
	change, err := p.r.Platform.Changed(ctx, p.platform.Commit, file)
	if err != nil || change.Commit == "" {
		return "", ""
	}
	return change.Commit, fmt.Sprintf("%s <%s>", change.Author.Name, change.Author.Email)
}

// later reports whether a file was merged in a later commit than the last changes of others, as of a platform commit. Where that
// cannot be read it was not.
func (p *pass) later(ctx context.Context, file, commit string, others []string) bool {
	came, err := p.r.Platform.Arrived(ctx, p.platform.Commit, file)
	if err != nil || came.Commit == "" {
		return false
	}
	for _, other := range others {
		before, err := p.r.Platform.Arrived(ctx, commit, other)
		if err != nil || before.Commit == came.Commit {
			return false
		}
		if before.Commit == "" { // it was never there
			continue
		}
		if older, err := p.r.Platform.IsAncestor(ctx, before.Commit, came.Commit); err != nil || !older {
			return false
		}
	}
	return true
}

// Sources are where a View of one environment gets the facts that are not in the platform.
type Sources struct {
	State      string                                                  // the commit of the environment's state
	Elsewhere  map[string]state.Records                                // of other environments
	Renderer   *render.Renderer                                        //
	Generation func(ctx context.Context, commit string) (int, error)   // of platform commits; nil: none is older
	At         func(ctx context.Context, commit string) (fs.FS, error) // of the environment's state; nil: the past cannot be read
	Check      func(promotion.CheckSubject) promotion.Checked          // the answer of another party; nil: none is there

	Now     promotion.Clock
	Observe func(environment string, k platform.RequestKey, cluster string) promotion.Observation // of clusters; nil: nobody looks

	// Later answers promotion.Lookup's question; nil: nobody knows, and each file is taken for later.
	Later func(ctx context.Context, file, commit string, others []string) bool
}

// ViewOf is the View that promotion decides from in one environment, from its sources. The daemon and a plan look at a platform through it.
func ViewOf(ctx context.Context, p *platform.Platform, environment string, base *render.Base, s Sources) *promotion.View {
	e := p.Environments[environment]
	elsewhere := maps.Clone(s.Elsewhere)
	delete(elsewhere, environment)
	if s.Observe == nil {
		s.Observe = func(string, platform.RequestKey, string) promotion.Observation { return promotion.Observation{} }
	}
	return &promotion.View{
		Platform: p, Environment: e, Head: p.InstanceSet(environment),
		Lookup: &lookup{ctx: ctx, platform: p, environment: environment, base: base, sources: s},
		State:  s.State, Releases: base.Records(), Elsewhere: elsewhere,
		Now: s.Now, Observe: s.Observe,
		Merged: func(string) (commit, author string) { return "", "" },
		Check:  s.Check,
	}
}

// A lookup answers promotion's questions out of the renderer and the mirrors. Its answers are good for one pass.
type lookup struct {
	ctx         context.Context //nolint:containedctx // it lives as long as one call of Choose
	platform    *platform.Platform
	environment string
	base        *render.Base
	sources     Sources
}

func (s *lookup) Broken(k platform.RequestKey) bool {
	return s.platform.Broken(s.environment, k)
}

func (s *lookup) Resolve(k platform.RequestKey, c promotion.Content) (*platform.Instance, []platform.Problem) {
	if c.VersionDigest == "" {
		c.VersionDigest = s.published(c.Offering, c.Version)
	}
	return s.platform.InstanceOf(s.environment, k, c.Spec, c.Version, c.VersionDigest, c.File)
}

// published is the digest that a version has at the head: a person who names a version means that one.
func (s *lookup) published(offering, version string) string {
	if v := s.platform.Offerings[offering].Version(version); v != nil {
		return v.Digest
	}
	return ""
}

func (s *lookup) Keys(i *platform.Instance) (map[string]string, []platform.Problem) {
	return s.sources.Renderer.Keys(s.platform, s.environment, s.base, i)
}

// Older says whether a commit is nearer to the beginning of history than another. A commit that history does not have any more
// is not.
func (s *lookup) Older(a, b string) bool {
	if a == b || s.sources.Generation == nil {
		return false
	}
	first, err := s.sources.Generation(s.ctx, a)
	if err != nil {
		return false
	}
	second, err := s.sources.Generation(s.ctx, b)
	return err == nil && first < second
}

func (s *lookup) Later(file, commit string, others ...string) bool {
	return s.sources.Later == nil || s.sources.Later(s.ctx, file, commit, others)
}

func (s *lookup) Ran(commit string, k platform.RequestKey) (*state.Release, error) {
	if s.sources.At == nil {
		return nil, errors.New("the history of the state is not at hand")
	}
	past, err := s.sources.At(s.ctx, commit)
	if err != nil {
		return nil, err
	}
	return readRelease(past, k)
}

// readRelease reads the Release file of a request.
func readRelease(at fs.FS, k platform.RequestKey) (*state.Release, error) {
	content, err := fs.ReadFile(at, state.ReleaseFile(k))
	if err != nil {
		return nil, err
	}
	return state.DecodeRelease(content)
}

func atOf(repo StateRepo) func(context.Context, string) (fs.FS, error) {
	return func(ctx context.Context, commit string) (fs.FS, error) { return repo.At(ctx, commit) }
}

// patienceOf says how soak is measured in an environment: with the least grace and the longest soak that an environment
// asks for that promotes from it, or one of its own waves.
func patienceOf(p *platform.Platform, e *platform.Environment) patience {
	var of patience
	for _, name := range p.Graph.Downstream(e.Name) {
		down := p.Environments[name]
		if !p.Graph.Reaches(e.Name, name) {
			continue
		}
		of.soak = max(of.soak, down.Gates.Soak)
		if of.grace == 0 || down.Gates.Grace < of.grace {
			of.grace = down.Gates.Grace
		}
	}
	if of.grace == 0 {
		of.grace = e.Gates.Grace
	}
	for _, w := range e.Rollout.Waves {
		of.soak = max(of.soak, w.Soak)
	}
	return of
}
