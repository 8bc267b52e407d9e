package reconciler

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/reconciler/status"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// record tells status where every instance of the environment stands after a pass.
func (r *Reconciler) record(p *platform.Platform, e *platform.Environment, h *held, state *render.State) {
	seen := r.environment(p, e, h)
	seen.Problems = state.Problems
	r.Board.Reconciled(seen, instances(p, e, h, state.Problems))
}

// recordFrozen tells status that the environment does not follow the platform.
func (r *Reconciler) recordFrozen(p *platform.Platform, e *platform.Environment, h *held, why string) {
	seen := r.environment(p, e, h)
	seen.Frozen = why
	r.Board.Reconciled(seen, instances(p, e, h, nil))
	r.Logger.Warn("environment frozen", "environment", e.Name, "err", why)
}

func (r *Reconciler) environment(p *platform.Platform, e *platform.Environment, h *held) status.Environment {
	seen := status.Environment{
		Name: e.Name, StateURL: e.State.URL, Commit: p.Commit, StateCommit: h.ours.Commit,
	}
	for _, c := range members(p, e, h) {
		seen.Clusters = append(seen.Clusters, status.Cluster{Name: c.Name, State: string(c.State), UID: c.UID})
	}
	return seen
}

// instances lists what the state holds, and what the platform asks for but could not be rendered.
func instances(p *platform.Platform, e *platform.Environment, h *held, rendering []platform.Problem) []status.Instance {
	byKey := map[platform.RequestKey]*status.Instance{}
	for key, release := range h.base.Releases {
		byKey[key] = runs(e.Name, key, release, h.ours.Commit)
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
	list := make([]status.Instance, 0, len(byKey))
	for _, in := range byKey {
		list = append(list, *in)
	}
	return list
}

// runs is what a Release file says of an instance.
func runs(environment string, key platform.RequestKey, release *platform.Release, commit string) *status.Instance {
	in := &status.Instance{
		Environment: environment, Request: key, Offering: release.Offering, Version: release.Version,
		Release: release.Digest, Commit: release.Commit, File: release.File, Absent: release.Absent,
		Outputs: release.Outputs,
	}
	for cluster, placed := range release.Clusters {
		in.Placements = append(in.Placements, status.Placement{
			Cluster: cluster, Revision: placed.Revision, StateCommit: commit,
			Stage: status.Committed, Health: "Unknown", Message: "not looked at yet",
		})
	}
	return in
}

// selects says whether a cluster belongs to an environment by its labels.
func selects(e *platform.Environment, c *platform.Cluster) bool {
	return !c.Broken && e.Clusters != nil && e.Clusters.Matches(labels.Set(c.Labels))
}

// errBroken says why an environment is not reconciled.
func errBroken(e *platform.Environment) error {
	return fmt.Errorf("%s has a Problem: the environment keeps what it has until that is mended", e.File)
}
