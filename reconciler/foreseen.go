package reconciler

import (
	"maps"
	"slices"

	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Foreseen is the future of one environment, in three steps of which each begins from the outcome of the one before. How
// fast a step goes depends on waves and to rollouts over many instances, and when it begins to the windows and Approvals
// that Standings tell of.
type Foreseen struct {
	Before *render.Base // the state that the environment has

	// Now has the changes that it takes without anything else being proven: its own changes, for the releases that it has,
	// and the releases that a decision or a proof on record lets in. One that promotes from no other takes the releases of
	// the head.
	Now     *render.State
	Entered *render.Base

	// Promoted has the changes that follow once environments before it have proven it, or a person has approved it
	// unproven.
	Promoted *render.State
	Later    *render.Base

	// Blocked has the changes that follow once a person or another release lets them: those that a Hold, a Pin, a failure or
	// a limit of deletions keeps back, and removals that a person has to approve.
	Blocked *render.State
	Last    *render.Base

	Soon      map[platform.RequestKey]*state.Release      // the records once it has taken the changes of Now, waves apart
	Rest      map[platform.RequestKey]*state.Release      // the records once nothing moves by itself any more
	Standings map[platform.RequestKey]*promotion.Standing // of the instances that wait then
	Plan      string                                      // the digest of its own changes that wait for an Approval; empty: none do
	Problems  []platform.Problem
}

// Waits says that a request of the environment waits for more than its turn, the health of others and time.
func (f *Foreseen) Waits(k platform.RequestKey) bool {
	return f.Standings[k] != nil && len(f.Standings[k].Gates) > 0
}

// Keeps says that a request stays as it is until a person or another release lets it go on.
func (f *Foreseen) Keeps(k platform.RequestKey) bool {
	return f.Standings[k].Kept()
}

func (f *Foresight) foresee(soon, rest *simulation, name string) (*Foreseen, error) {
	to := &Foreseen{
		Before: f.States[name].Base, Soon: soon.bases[name].Releases, Rest: rest.bases[name].Releases, Standings: rest.standings(name),
	}
	if pass := soon.passes[name]; pass != nil {
		to.Plan = pass.plan()
	}
	g := &futureSteps{Foresight: f, name: name, to: to, head: f.Platform.InstanceSet(name)}
	now, err := g.step(soon.bases[name], g.now)
	if err != nil {
		return nil, err
	}
	to.Problems = append(now.Problems, g.problems...)
	if to.Now = now; soon.states[name] != nil {
		to.Now = soon.states[name].Then(now)
	}
	if to.Entered, err = soon.bases[name].After(now); err != nil {
		return nil, err
	}
	if to.Promoted, err = g.step(to.Entered, g.promoted); err != nil {
		return nil, err
	}
	if to.Later, err = to.Entered.After(to.Promoted); err != nil {
		return nil, err
	}
	if to.Blocked, err = g.step(to.Later, g.all); err != nil {
		return nil, err
	}
	if to.Last, err = to.Later.After(to.Blocked); err != nil {
		return nil, err
	}
	to.Problems = withoutRepeats(slices.Concat(to.Problems, to.Promoted.Problems, to.Blocked.Problems))
	return to, nil
}

// withoutRepeats sorts Problems and leaves out those that are there already.
func withoutRepeats(all []platform.Problem) (list []platform.Problem) {
	slices.SortStableFunc(all, platform.Problem.Compare)
	type identity struct {
		text    string
		request platform.RequestKey
	}
	listed := map[identity]bool{}
	for _, problem := range all {
		id := identity{text: problem.String()}
		if problem.Request != nil {
			id.request = *problem.Request
		}
		if !listed[id] {
			listed[id], list = true, append(list, problem)
		}
	}
	return list
}

// futureSteps chooses the instances that an environment renders in each step.
type futureSteps struct {
	*Foresight
	name     string
	to       *Foreseen
	head     *platform.InstanceSet
	problems []platform.Problem // of releases that it has and cannot have any more
}

// step renders the choice of choose for each request: an instance, or that it stays as it is, or neither, and it goes.
func (g *futureSteps) step(base *render.Base, choose func(platform.RequestKey) (*platform.Instance, bool)) (*render.State, error) {
	if e := g.Platform.Environments[g.name]; e == nil || e.Broken {
		return g.Renderer.Render(g.Platform, g.name, base)
	}
	d := render.Direction{Keep: map[platform.RequestKey]bool{}, Examples: true}
	var instances []*platform.Instance
	all := map[platform.RequestKey]bool{}
	for k := range base.Releases {
		all[k] = true
	}
	for i := range g.head.All() {
		all[i.Request.Key] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(all), platform.RequestKey.Compare) {
		switch i, stays := choose(k); {
		case i != nil:
			instances = append(instances, i)
		case stays:
			d.Keep[k] = true
		}
	}
	d.Instances = platform.NewInstanceSet(instances)
	return g.Renderer.Direct(g.Platform, g.name, base, d)
}

// now stays with the release that the environment has, or, where it promotes from no other, goes where nothing is to be
// proven.
func (g *futureSteps) now(k platform.RequestKey) (*platform.Instance, bool) {
	switch {
	case g.to.Keeps(k):
		return nil, true
	case len(g.Platform.Environments[g.name].PromotesFrom) == 0:
		return g.next(k)
	}
	i, stays := g.standing(k, g.to.Soon[k])
	return i, stays
}

func (g *futureSteps) promoted(k platform.RequestKey) (*platform.Instance, bool) {
	if g.to.Keeps(k) {
		return nil, true
	}
	return g.next(k)
}

func (g *futureSteps) all(k platform.RequestKey) (*platform.Instance, bool) { return g.next(k) }

// next is the instance that a request comes to: the one that waits, or else that of the head, even where that cannot be
// rendered, so that its Problems are in the plan.
func (g *futureSteps) next(k platform.RequestKey) (*platform.Instance, bool) {
	s, r, head := g.to.Standings[k], g.to.Rest[k], g.headOf(k)
	switch {
	case g.to.Waits(k) && s.Removal:
		return nil, false
	case r != nil && r.Absent && g.to.Soon[k] != nil && !g.to.Soon[k].Absent:
		return nil, false // its removal follows that of an environment before
	case g.to.Waits(k) && s.Candidate != nil:
		i, _ := g.resolve(k, *s.Candidate)
		return i, i == nil
	case head != nil && (r == nil || r.Digest != head.Release) && !g.pins(k, ""):
		return head, false
	case head == nil && g.Platform.Broken(g.name, k):
		return nil, r != nil
	}
	return g.standing(k, r)
}

// standing is the instance of a record, and whether it stays as it is because it has none any more. A release that a Pin
// names stays also when the environment changes.
func (g *futureSteps) standing(k platform.RequestKey, r *state.Release) (*platform.Instance, bool) {
	if r == nil || r.Absent {
		return nil, r != nil
	}
	if g.pins(k, r.Digest) {
		return nil, true
	}
	i, problems := g.resolve(k, promotion.ContentOf(r))
	if leaves := g.Platform.Request(k) == nil && !g.Platform.Broken(g.name, k); leaves {
		problems = nil // it needs nothing, not even the offering that perhaps goes with it
	}
	for _, problem := range problems {
		problem.Environment = g.name
		g.problems = append(g.problems, problem)
	}
	if i == nil || i.Release != r.Digest { // where the environment chooses another version by itself, that is promoted
		return nil, true
	}
	return i, false
}

// pins reports whether a Pin is in force for a request; with a release: one that names that.
func (g *futureSteps) pins(k platform.RequestKey, release string) bool {
	s := g.to.Standings[k]
	return s != nil && slices.ContainsFunc(g.Platform.Decisions, func(d *platform.Decision) bool {
		return d.Kind == decision.Pin && s.Owes(d.File) && (release == "" || d.Request != nil && d.Release == release)
	})
}

// resolve is the instance of a content: the head's own where it is that.
func (g *futureSteps) resolve(k platform.RequestKey, c promotion.Content) (*platform.Instance, []platform.Problem) {
	if head := g.headOf(k); head != nil && head.Release == c.Digest {
		return head, nil
	}
	return g.Platform.InstanceOf(g.name, k, c.Spec, c.Version, c.VersionDigest, c.File)
}

// headOf is the instance that the platform asks for, or nil.
func (g *futureSteps) headOf(k platform.RequestKey) *platform.Instance { return g.head.Of(k) }
