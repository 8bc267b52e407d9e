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
func (r *Reconciler) record(ctx context.Context, p *platform.Platform, l *lane, h *held, state *render.State, answers *Answers) {
	defer r.phase(l, "record")()
	e := p.Environments[l.name]
	seen := r.environment(ctx, p, l, h)
	seen.Problems, seen.Next = state.Problems, answers.next()
	seen.Deletions, seen.Plan = answers.Deletions, answers.plan()
	standings := answers.standings()
	talked := map[platform.RequestKey]bool{}
	for k := range standings {
		talked[k] = true
	}
	for _, problem := range slices.Concat(p.Problems, state.Problems) {
		if problem.Request != nil {
			talked[*problem.Request] = true
		}
	}
	tell, about := r.Board.Updated, maps.Clone(talked)
	maps.Copy(about, l.talked)
	for _, k := range slices.Concat(state.Touched, answers.Forget) {
		about[k] = true
	}
	if l.recorded != h {
		tell = r.Board.Reconciled
		for k := range h.base.Releases {
			about[k] = true
		}
	}
	list := instances(p, e, h, state.Problems, about)
	r.timed(list, state.Touched)
	for i := range list {
		list[i].MergedAt = r.mergedAt(ctx, &list[i], len(list) > few)
		r.stand(ctx, &list[i], standings[list[i].Request], h.base.Releases[list[i].Request])
	}
	tell(seen, list)
	l.talked, l.recorded = talked, h
	for _, k := range state.Forgotten {
		r.health.drop(l.name, k)
	}
}

// timed sets the time of commit of the instances that this very pass committed. Since when the rest is there this process
// does not know.
func (r *Reconciler) timed(list []status.Instance, touched []platform.RequestKey) {
	now := map[platform.RequestKey]bool{}
	for _, k := range touched {
		now[k] = true
	}
	for _, in := range list {
		for i := range in.Placements {
			if now[in.Request] {
				in.Placements[i].CommittedAt = r.Now()
			}
		}
	}
}

// few is how many instances of a pass are looked into one by one.
const few = 20

// stand adds to an instance the gates that it waits for, its candidate, and how that differs from the release that it has.
func (r *Reconciler) stand(ctx context.Context, in *status.Instance, s *promotion.Standing, has *state.Release) {
	if s == nil {
		return
	}
	in.Debts = s.Debts
	for _, g := range s.Gates {
		in.Waiting = append(in.Waiting, status.Gate(g))
	}
	if c := s.Candidate; c != nil {
		in.Candidate = &status.Candidate{
			Release: c.Digest, Offering: c.Offering, Version: c.Version, Commit: c.Commit, Absent: s.Removal,
		}
		if info, err := r.Platform.Show(ctx, c.Commit); err == nil {
			in.Candidate.MergedAt = info.When
		}
		if has != nil && has.Offering == c.Offering {
			in.Candidate.Changes = platform.Differences(in.Environment, has.Request, c.Spec)
		}
		in.Skipped = s.Overtaken
	}
}

// mergedAt is when the sources of a release were merged: the later one of its request and its version. That walks through
// history, so where many are asked about at once it is the commit that last yielded them. Zero: that cannot be read.
func (r *Reconciler) mergedAt(ctx context.Context, in *status.Instance, many bool) (at time.Time) {
	if in.Commit == "" {
		return at
	}
	if !many && in.Offering != "" {
		for _, file := range []string{in.File, "offerings/" + in.Offering + "/" + in.Version} {
			if change, err := r.Platform.Changed(ctx, in.Commit, file); err == nil && change.When.After(at) {
				at = change.When
			}
		}
	}
	if info, err := r.Platform.Show(ctx, in.Commit); err == nil && at.IsZero() {
		return info.When
	}
	return at
}

// recordFrozen tells status that the environment does not follow the platform.
func (r *Reconciler) recordFrozen(ctx context.Context, p *platform.Platform, l *lane, h *held, why string) {
	e := p.Environments[l.name]
	seen := r.environment(ctx, p, l, h)
	seen.Frozen = why
	all := map[platform.RequestKey]bool{}
	for k := range h.base.Releases {
		all[k] = true
	}
	r.Board.Reconciled(seen, instances(p, e, h, nil, all))
}

func (r *Reconciler) environment(ctx context.Context, p *platform.Platform, l *lane, h *held) status.Environment {
	e := p.Environments[l.name]
	seen := status.Environment{
		Name: e.Name, StateURL: e.State.URL, StateBranch: e.State.Branch,
		Commit: p.Commit, StateCommit: h.ours.Commit, PromotesFrom: e.PromotesFrom,
	}
	for _, d := range p.Decisions {
		if d.Environment == e.Name && inForce(d, r.Now()) {
			seen.Decisions = append(seen.Decisions, status.Decision{Kind: d.Kind, File: d.File, About: about(d), Reason: d.Reason, Until: d.Until})
		}
	}
	if info, err := l.repo.Show(ctx, h.ours.Commit); err == nil {
		seen.Did = strings.TrimPrefix(info.Subject, l.name+": ")
	}
	for _, c := range members(p, e, h) {
		reason := ""
		if of := p.Clusters[c.Name]; of != nil {
			reason = of.Reason
		}
		seen.Clusters = append(seen.Clusters, status.Cluster{
			Name: c.Name, State: string(c.State), Reason: reason, UID: c.UID, Wave: waveOf(e, p.Clusters[c.Name]),
		})
	}
	return seen
}

// instances lists the state's instances of some requests, and those that the platform asks for but that could not be
// rendered.
func instances(p *platform.Platform, e *platform.Environment, h *held, rendering []platform.Problem, of map[platform.RequestKey]bool) []status.Instance {
	byKey := map[platform.RequestKey]*status.Instance{}
	for key := range of {
		if release := h.base.Releases[key]; release != nil {
			byKey[key] = runs(e.Name, key, release, h.ours.Commit)
			byKey[key].Display = shown(p, e.Name, release)
		}
	}
	for _, problem := range slices.Concat(p.Problems, rendering) {
		key := problem.Request
		if key == nil || problem.Warning || problem.Environment != "" && problem.Environment != e.Name {
			continue
		}
		if byKey[*key] == nil && !p.Broken(e.Name, *key) && problem.Environment == "" {
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
			Stage: status.Committed, Health: "Unknown", Message: "not looked at yet",
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
