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
// about which there was something to say in this pass or the last.
func (p *pass) record(ctx context.Context, rendered *render.State, answers *Answers) {
	defer p.phase("record")()
	seen := p.environmentStatus(ctx)
	seen.Problems, seen.Next = rendered.Problems, answers.next()
	seen.Deletions, seen.Plan = answers.Deletions, answers.plan()
	standings := answers.standings()
	mentioned := map[platform.RequestKey]bool{}
	for k := range standings {
		mentioned[k] = true
	}
	for _, problem := range slices.Concat(p.platform.Problems, rendered.Problems) {
		if problem.Request != nil {
			mentioned[*problem.Request] = true
		}
	}
	report, about := p.r.Board.Updated, maps.Clone(mentioned)
	maps.Copy(about, p.loop.reported.mentioned)
	for _, k := range slices.Concat(rendered.Touched, answers.Forget) {
		about[k] = true
	}
	if p.loop.reported.state != p.state {
		report = p.r.Board.Reconciled
		for k := range p.state.base.Releases {
			about[k] = true
		}
	}
	list := p.instances(rendered.Problems, about)
	p.setCommittedAt(list, rendered.Touched)
	for i := range list {
		list[i].MergedAt = p.mergedAt(ctx, &list[i], len(list) > few)
		p.addStanding(ctx, &list[i], standings[list[i].Request])
	}
	report(seen, list)
	p.loop.reported = reported{p.state, mentioned}
	for _, k := range rendered.Forgotten {
		p.r.cache.health.forget(p.loop.environment, k)
	}
}

// setCommittedAt sets the time of commit of the instances that this very pass committed. Since when the rest is there this process
// does not know.
func (p *pass) setCommittedAt(list []status.Instance, touched []platform.RequestKey) {
	now := map[platform.RequestKey]bool{}
	for _, k := range touched {
		now[k] = true
	}
	for _, in := range list {
		for i := range in.Placements {
			if now[in.Request] {
				in.Placements[i].CommittedAt = p.r.Now()
			}
		}
	}
}

// few is how many instances of a pass are looked into one by one.
const few = 20

// addStanding adds to an instance the gates that it waits for, the deadline of its rollout, its candidate, and how that differs from
// the release that it has.
func (p *pass) addStanding(ctx context.Context, in *status.Instance, s *promotion.Standing) {
	if s == nil {
		return
	}
	in.Debts = s.Debts
	if in.Rollout != nil {
		in.Rollout.Deadline = s.Deadline
	}
	for _, g := range s.Gates {
		in.Waiting = append(in.Waiting, status.Gate(g))
	}
	if c := s.Candidate; c != nil {
		in.Candidate = &status.Candidate{
			Release: c.Digest, Offering: c.Offering, Version: c.Version, Commit: c.Commit, Absent: s.Removal,
		}
		if info, err := p.r.Platform.Show(ctx, c.Commit); err == nil {
			in.Candidate.MergedAt = info.When
		}
		if has := p.state.base.Releases[in.Request]; has != nil && has.Offering == c.Offering {
			in.Candidate.Changes = platform.Differences(in.Environment, has.Request, c.Spec)
		}
		in.Skipped = s.Overtaken
	}
}

// mergedAt is when the sources of a release were merged: the later one of its request and its version. That walks through
// history, so where many are asked about at once it is the commit that last yielded them. Zero: that cannot be read.
func (p *pass) mergedAt(ctx context.Context, in *status.Instance, many bool) (at time.Time) {
	if in.Commit == "" {
		return at
	}
	if !many && in.Offering != "" {
		for _, file := range []string{in.File, "offerings/" + in.Offering + "/" + in.Version} {
			if change, err := p.r.Platform.Changed(ctx, in.Commit, file); err == nil && change.When.After(at) {
				at = change.When
			}
		}
	}
	if info, err := p.r.Platform.Show(ctx, in.Commit); err == nil && at.IsZero() {
		return info.When
	}
	return at
}

// recordFrozen tells status that the environment does not follow the platform.
func (p *pass) recordFrozen(ctx context.Context, why string) {
	seen := p.environmentStatus(ctx)
	seen.Frozen = why
	all := map[platform.RequestKey]bool{}
	for k := range p.state.base.Releases {
		all[k] = true
	}
	p.r.Board.Reconciled(seen, p.instances(nil, all))
}

// environmentStatus is the status of the environment itself.
func (p *pass) environmentStatus(ctx context.Context) status.Environment {
	e := p.environment
	seen := status.Environment{
		Name: e.Name, StateURL: e.State.URL, StateBranch: e.State.Branch,
		Commit: p.platform.Commit, StateCommit: p.state.believed.Commit, PromotesFrom: e.PromotesFrom,
	}
	for _, d := range p.platform.Decisions {
		if d.Environment == e.Name && inForce(d, p.r.Now()) {
			seen.Decisions = append(seen.Decisions, status.Decision{Kind: d.Kind, File: d.File, About: about(d), Reason: d.Reason, Until: d.Until})
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

// instances lists the state's instances of some requests, and those that the platform asks for but that could not be
// rendered.
func (p *pass) instances(rendering []platform.Problem, of map[platform.RequestKey]bool) []status.Instance {
	e := p.environment
	byKey := map[platform.RequestKey]*status.Instance{}
	for key := range of {
		if release := p.state.base.Releases[key]; release != nil {
			byKey[key] = runs(e.Name, key, release, p.state.believed.Commit)
			byKey[key].Display = shown(p.platform, e.Name, release)
		}
	}
	for _, problem := range slices.Concat(p.platform.Problems, rendering) {
		key := problem.Request
		elsewhere := problem.Environment != "" && problem.Environment != e.Name
		if key == nil || problem.Warning || elsewhere {
			continue
		}
		if byKey[*key] == nil && !p.platform.Broken(e.Name, *key) && problem.Environment == "" {
			continue
		}
		if byKey[*key] == nil {
			byKey[*key] = &status.Instance{Environment: e.Name, Request: *key, File: problem.File}
		}
		byKey[*key].Problems = append(byKey[*key].Problems, problem)
	}
	list := make([]status.Instance, 0, len(of))
	for key := range of {
		in := byKey[key]
		if in == nil {
			in = &status.Instance{Environment: e.Name, Request: key, Absent: true}
		}
		list = append(list, *in)
	}
	return list
}

// runs is an instance as its Release file records it.
func runs(environment string, key platform.RequestKey, release *state.Release, commit string) *status.Instance {
	in := &status.Instance{
		Environment: environment, Request: key, Offering: release.Offering, Version: release.Version,
		Release: release.Digest, Commit: release.Commit, File: release.File, Absent: release.Absent,
		Outputs: release.Outputs,
	}
	in.Remember(release.Promotion)
	for cluster, placed := range release.Clusters {
		in.Placements = append(in.Placements, status.Placement{
			Cluster: cluster, Revision: placed.Revision, StateCommit: commit, Release: placed.Release, Version: placed.Version,
			Stage: status.Committed, Health: state.Unknown, Message: "not looked at yet",
		})
	}
	return in
}

// shown are the parameters of a release that its version has shown, as long as the platform has that version.
func shown(p *platform.Platform, environment string, r *state.Release) []platform.Shown {
	v := p.Offerings[r.Offering].Version(r.Version)
	if v == nil || r.Absent {
		return nil
	}
	return v.Shown(r.Request, environment)
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
