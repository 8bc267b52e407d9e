package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/reconciler/promotion"
	"transom.dev/reconciler/status"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// record tells status where the instances of the environment stand after a pass: all of them after the first, then those
// about which there was something to say in this pass or the last, and those of which the platform has other Problems than then.
func (p *pass) record(ctx context.Context, rendered *render.State, answers *Answers) {
	defer p.phase("record")()
	standings := answers.standings()
	mentioned := map[platform.RequestKey]bool{}
	for k := range standings {
		mentioned[k] = true
	}
	for _, problem := range rendered.Problems {
		if problem.Request != nil {
			mentioned[*problem.Request] = true
		}
	}
	last := p.loop.reported
	report, about := p.r.Board.Updated, maps.Clone(mentioned)
	maps.Copy(about, last.mentioned)
	for _, k := range slices.Concat(rendered.Touched, answers.Forget) {
		about[k] = true
	}
	if last.state != p.state {
		report, last.platform = p.r.Board.Reconciled, nil
		for k := range p.state.base.Releases {
			about[k] = true
		}
	}
	otherProblems(last.platform, p.platform, p.environment.Name, about)
	committed := map[platform.RequestKey]bool{}
	for _, k := range rendered.Touched {
		committed[k] = true
	}
	problems := p.problemsByRequest(rendered.Problems, about)
	list := make([]status.Instance, 0, len(about))
	for k := range about {
		list = append(list, p.instance(ctx, k, instanceFacts{
			problems: problems[k], standing: standings[k], committed: committed[k], mergedAt: p.mergedAt(ctx, k, len(about) > few),
		}))
	}
	report(p.environmentStatus(ctx, environmentFacts{
		problems: rendered.Problems, next: answers.next(), deletions: answers.Deletions, plan: answers.plan(),
	}), list)
	p.loop.reported = reported{p.state, p.platform, mentioned}
	for _, k := range rendered.Forgotten {
		p.r.cache.health.forget(p.loop.environment, k)
	}
}

// otherProblems adds the requests of which a platform has other Problems in an environment than the one before, or of which another
// is broken: a merge may leave very many Problems, and the passes after it are not to repeat them. The platform before may be nil.
func otherProblems(before, now *platform.Platform, environment string, about map[platform.RequestKey]bool) {
	if before == now {
		return
	}
	add := func(problem platform.Problem) {
		if problem.Request != nil {
			about[*problem.Request] = true
		}
	}
	var old []platform.Problem
	if before != nil {
		old = before.Problems
	}
	for _, problem := range now.Problems { // both lists are sorted
		for len(old) > 0 && old[0].Compare(problem) < 0 {
			add(old[0])
			old = old[1:]
		}
		same := len(old) > 0 && old[0].Compare(problem) == 0
		if same {
			old = old[1:]
		}
		if k := problem.Request; !same || k != nil && before.Broken(environment, *k) != now.Broken(environment, *k) {
			add(problem)
		}
	}
	for _, problem := range old {
		add(problem)
	}
}

// few is how many instances of a pass are looked into one by one.
const few = 20

// mergedAt is when the sources of an instance's release were merged: the later one of its request and its version. That walks through
// history, so where many are asked about at once it is the commit that last yielded them. Zero: that cannot be read.
func (p *pass) mergedAt(ctx context.Context, k platform.RequestKey, many bool) (at time.Time) {
	r := p.state.base.Releases[k]
	if r == nil || r.Commit == "" {
		return at
	}
	if !many && r.Offering != "" {
		for _, file := range []string{r.File, "offerings/" + r.Offering + "/" + r.Version} {
			if change, err := p.r.Platform.Changed(ctx, r.Commit, file); err == nil && change.When.After(at) {
				at = change.When
			}
		}
	}
	if info, err := p.r.Platform.Show(ctx, r.Commit); err == nil && at.IsZero() {
		return info.When
	}
	return at
}

// recordFrozen tells status that the environment does not follow the platform.
func (p *pass) recordFrozen(ctx context.Context, why string) {
	var list []status.Instance
	problems := p.problemsByRequest(nil, nil)
	for k := range p.state.base.Releases {
		list = append(list, p.instance(ctx, k, instanceFacts{problems: problems[k]}))
	}
	p.r.Board.Reconciled(p.environmentStatus(ctx, environmentFacts{frozen: why}), list)
	p.loop.reported = reported{} // status has less than a pass says that decides
}

// environmentFacts are the facts of a pass that the status of its environment tells, beside those that the pass itself has.
type environmentFacts struct {
	problems        []platform.Problem // of rendering
	next            time.Time
	deletions, plan string
	frozen          string
}

// environmentStatus is the status of the environment itself.
func (p *pass) environmentStatus(ctx context.Context, facts environmentFacts) status.Environment {
	e := p.environment
	seen := status.Environment{
		Name: e.Name, StateURL: e.State.URL, StateBranch: e.State.Branch,
		Commit: p.loop.follow(p.platform), StateCommit: p.state.believed.Commit, PromotesFrom: e.PromotesFrom,
		Problems: facts.problems, Next: facts.next, Deletions: facts.deletions, Plan: facts.plan, Frozen: facts.frozen,
		Error: p.loop.inbox.unfollowed(),
	}
	for _, d := range p.platform.Decisions {
		if d.Environment == e.Name && inForce(d, p.r.Now()) {
			seen.Decisions = append(seen.Decisions, status.Decision{Kind: d.Kind, File: d.File, About: about(d), Team: teamOf(d), Reason: d.Reason, Until: d.Until})
		}
	}
	if info, err := p.loop.branch.repo.Show(ctx, p.state.believed.Commit); err == nil {
		seen.Did = strings.TrimPrefix(info.Subject, e.Name+": ")
	}
	for _, c := range p.clusters() {
		reason := ""
		if of := p.platform.Clusters[c.Name]; of != nil {
			reason = of.Reason
		}
		seen.Clusters = append(seen.Clusters, status.Cluster{
			Name: c.Name, State: string(c.State), Reason: reason, UID: c.UID, Wave: waveOf(e, p.platform.Clusters[c.Name]),
		})
	}
	return seen
}

// problemsByRequest are the Problems by which merged requests are not the ones that run in the environment: of those that its state
// has, and of those that the platform asks for but that could not be rendered. Those of other requests than the named ones are left
// out; nil: of none.
func (p *pass) problemsByRequest(rendering []platform.Problem, of map[platform.RequestKey]bool) map[platform.RequestKey][]platform.Problem {
	found := map[platform.RequestKey][]platform.Problem{}
	for _, problem := range slices.Concat(p.platform.Problems, rendering) {
		k := problem.Request
		elsewhere := problem.Environment != "" && problem.Environment != p.environment.Name
		if k == nil || problem.Warning || elsewhere || of != nil && !of[*k] {
			continue
		}
		here := problem.Environment != "" || p.state.base.Releases[*k] != nil || p.platform.Broken(p.environment.Name, *k)
		if here || len(found[*k]) > 0 {
			found[*k] = append(found[*k], problem)
		}
	}
	return found
}

// instanceFacts are the facts of a pass about an instance.
type instanceFacts struct {
	problems  []platform.Problem
	standing  *promotion.Standing // nil: nothing
	mergedAt  time.Time
	committed bool // this very pass committed it
}

// instance is the status of an instance: as its record says, with the facts of the pass. One that has no record is asked for by the
// platform but could not be rendered, or has not come yet, or is gone.
func (p *pass) instance(ctx context.Context, k platform.RequestKey, facts instanceFacts) status.Instance {
	in := status.Instance{Environment: p.environment.Name, Request: k, Problems: facts.problems, MergedAt: facts.mergedAt}
	r := p.state.base.Releases[k]
	switch {
	case r != nil:
		in.Offering, in.Version, in.Release, in.Commit = r.Offering, r.Version, r.Digest, r.Commit
		in.File, in.Absent, in.Outputs, in.Display = r.File, r.Absent, r.Outputs, shown(p.platform, p.environment.Name, r)
		in.Links = links(p.platform, p.environment, r)
		in.Placements = p.placements(r, facts.committed)
		in.Remember(r.Promotion)
	case len(facts.problems) > 0:
		in.File = facts.problems[0].File
	default:
		in.Absent = true
	}
	if s := facts.standing; s != nil {
		in.Debts, in.Candidate = s.Debts, p.candidate(ctx, s, r)
		for _, g := range s.Gates {
			in.Waiting = append(in.Waiting, status.Gate(g))
		}
		if in.Rollout != nil {
			in.Rollout.Deadline = s.Deadline
		}
		if s.Candidate != nil {
			in.Skipped = s.Overtaken
		}
	}
	return in
}

// candidate is the release that an instance would take next, and how it differs from the one that the instance has; nil: there is none.
func (p *pass) candidate(ctx context.Context, s *promotion.Standing, has *state.Release) *status.Candidate {
	c := s.Candidate
	if c == nil {
		return nil
	}
	next := &status.Candidate{Release: c.Digest, Offering: c.Offering, Version: c.Version, Commit: c.Commit, Absent: s.Removal}
	if info, err := p.r.Platform.Show(ctx, c.Commit); err == nil {
		next.MergedAt = info.When
	}
	if has != nil && has.Offering == c.Offering {
		next.Changes = platform.Differences(p.environment.Name, has.Request, c.Spec)
	}
	return next
}

// placements are those that a Release file records. Since when they are committed this process knows only of those that this very
// pass committed.
func (p *pass) placements(r *state.Release, committed bool) (all []status.Placement) {
	var at time.Time
	if committed {
		at = p.r.Now()
	}
	for cluster, placed := range r.Clusters {
		all = append(all, status.Placement{
			Cluster: cluster, Revision: placed.Revision, StateCommit: p.state.believed.Commit, Release: placed.Release, Version: placed.Version,
			Stage: status.Committed, Health: state.Unknown, Message: "not looked at yet", CommittedAt: at,
			Outputs: r.OutputsOn(cluster),
		})
	}
	return all
}

// shown are the parameters of a release that its version has shown, as long as the platform has that version.
func shown(p *platform.Platform, environment string, r *state.Release) []platform.Shown {
	v := p.Offerings[r.Offering].Version(r.Version)
	if v == nil || r.Absent {
		return nil
	}
	return v.Shown(r.Request, environment)
}

// links are those that the offering of a record declares.
func links(p *platform.Platform, e *platform.Environment, r *state.Release) []platform.Link {
	if r.Absent {
		return nil
	}
	return p.Offerings[r.Offering].LinksOf(r.Key, e, r.Version, r.Request, r.Outputs)
}

// waveOf names the wave of a cluster; nothing where there is one for all.
func waveOf(e *platform.Environment, c *platform.Cluster) (name string) {
	for _, w := range e.Rollout.Waves {
		switch {
		case w.Clusters == nil && name == "":
			name = w.Name
		case w.Clusters != nil && c != nil && w.Clusters.Matches(labels.Set(c.Labels)):
			return w.Name
		}
	}
	return name
}

// selects says whether a cluster belongs to an environment by its labels.
func selects(e *platform.Environment, c *platform.Cluster) bool {
	return !c.Broken && e.Clusters != nil && e.Clusters.Matches(labels.Set(c.Labels))
}

// errBroken says why an environment is not reconciled.
func errBroken(e *platform.Environment) error {
	return fmt.Errorf("%s has a Problem: the environment keeps what it has until that is mended", e.File)
}
