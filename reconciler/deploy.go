package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// deploy hands the fleet the state commit, with the settings of the clusters as plain values.
func (r *Reconciler) deploy(ctx context.Context, p *platform.Platform, l *lane, h *held) error {
	defer r.phase(l, "deploy")()
	e := p.Environments[l.name]
	sequence := 0
	if h.ours.Commit != "" {
		var err error
		if sequence, err = l.repo.Generation(ctx, h.ours.Commit); err != nil {
			return fmt.Errorf("deploy %s: %w", l.name, err)
		}
	}
	clusters := members(p, e, h)
	r.health.watch(e.Name, clusters)
	return r.Fleet.Deploy(fleet.Target{
		Environment: e.Name, Commit: h.ours.Commit, Sequence: int64(sequence), Fetched: h.fetched, Snapshot: h.ours,
		Lineage: lineage(p, l, h), Proof: r.proofOf(p, l, h), Clusters: clusters, Awaited: awaited(p, e, h),
		Rules: fleet.Rules{
			External: e.External, ReportDrift: e.Drift == "report",
			Adoptions: p.Adoptions(e.Name), AdoptNamespaces: e.Namespace.Adopt,
			Reversible: func(offering, version string) bool { return reversible(p, offering, version) },
		},
		Past: past(l.repo),
	})
}

// past reads earlier commits of a state repository for the fleet.
func past(repo StateRepo) func(context.Context, string) (fleet.Snapshot, error) {
	return func(ctx context.Context, commit string) (fleet.Snapshot, error) {
		snapshot, err := repo.At(ctx, commit)
		if err != nil {
			return nil, err
		}
		return snapshot, nil
	}
}

// reversible says whether a version may be left without a person. Of one that the head does not have that is not known.
func reversible(p *platform.Platform, offering, version string) bool {
	v := p.Offerings[offering].Version(version)
	return v != nil && v.Reversible
}

// members lists the clusters that an environment writes to: those it selects, and those that it had and has to leave.
// A cluster whose file has a Problem is only read; one whose file is gone is let go.
func members(p *platform.Platform, e *platform.Environment, h *held) []fleet.Cluster {
	var list []fleet.Cluster
	for name, c := range p.Clusters {
		uid, had := h.base.Fleet.Clusters[name]
		if !had && !selects(e, c) {
			continue
		}
		member := fleet.Cluster{Name: name, State: c.State, UID: uid}
		if c.Broken {
			member.State = platform.ClusterPaused
		}
		list = append(list, member)
	}
	slices.SortFunc(list, func(a, b fleet.Cluster) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// awaited are the instances that the platform asks for on a cluster, or may, and that run in the environment but are not there
// yet, by cluster: a gate keeps them from a cluster whose file came back, or they cannot be rendered. Nothing goes that the head
// asks for.
func awaited(p *platform.Platform, e *platform.Environment, h *held) map[string]map[apply.Owner]bool {
	all := map[string]map[apply.Owner]bool{}
	await := func(k platform.RequestKey, clusters []*platform.Cluster) {
		r := h.base.Releases[k]
		for _, c := range clusters {
			if r == nil || r.Absent || r.Clusters[c.Name].Revision != "" {
				continue
			}
			if all[c.Name] == nil {
				all[c.Name] = map[apply.Owner]bool{}
			}
			all[c.Name][apply.Owner{Environment: e.Name, Team: k.Team, Request: k.Name}] = true
		}
	}
	for _, i := range p.Instances(e.Name) {
		await(i.Request.Key, i.Clusters)
	}
	var selected []*platform.Cluster
	for _, c := range p.Clusters {
		if selects(e, c) && c.State != platform.ClusterDraining {
			selected = append(selected, c)
		}
	}
	for k, r := range h.base.Releases {
		if len(r.Clusters) < len(selected) && p.Broken(e.Name, k) {
			await(k, selected)
		}
	}
	return all
}

// identities remembers which cluster answered with which UID.
type identities struct {
	mu  sync.Mutex
	uid map[string]string
}

// of returns the identities of the environment's clusters that are known.
func (i *identities) of(p *platform.Platform, e *platform.Environment) map[string]string {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := map[string]string{}
	for name, uid := range i.uid {
		if c := p.Clusters[name]; c != nil && selects(e, c) {
			known[name] = uid
		}
	}
	return known
}

// learn reports whether uid is news.
func (i *identities) learn(cluster, uid string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if uid == "" || i.uid[cluster] == uid {
		return false
	}
	if i.uid == nil {
		i.uid = map[string]string{}
	}
	i.uid[cluster] = uid
	return true
}

// ClusterSeen takes a result of the fleet about a cluster. It is meant as fleet.Fleet's ReportCluster.
func (r *Reconciler) ClusterSeen(c fleet.ClusterResult) {
	r.Board.ClusterSeen(status.Cluster{Name: c.Cluster, UID: c.UID, Reachable: c.Reachable, Message: c.Err, Problem: c.Problem})
	if r.identities.learn(c.Cluster, c.UID) {
		r.Trigger.Fire("cluster " + c.Cluster + " answered")
	}
	if !c.Reachable {
		why := fmt.Sprintf("cluster %s does not answer: %s", c.Cluster, c.Err)
		for environment := range r.health.away(c.Cluster, why) {
			r.wakeAround(environment, "cluster "+c.Cluster+" went away")
		}
	}
}

// wakeAround asks for a pass over the environments whose decisions depend on the health of one.
func (r *Reconciler) wakeAround(environment, cause string) {
	r.mu.Lock()
	p := r.latest
	r.mu.Unlock()
	if p != nil {
		r.lanes.listen(cause, p.Graph.Neighbours(environment)...)
	}
}

// Placed takes a result of the fleet about an instance on a cluster. It is meant as fleet.Fleet's Report.
func (r *Reconciler) Placed(result fleet.Result) {
	key := platform.RequestKey{Team: result.Team, Name: result.Request}
	r.estranged(result)
	if r.health.placed(result) {
		defer r.wakeAround(result.Environment, "health")
	}
	switch {
	case result.Err != nil:
		r.Board.Lost(result.Environment, key, result.Cluster, result.Err.Error())
	case result.Absent && result.Settled && !result.Observed && result.Foreign == nil && result.Held == "" && len(result.Problems) == 0:
		r.Board.Removed(result.Environment, key, result.Cluster, names(result.LetGo)...)
	default:
		r.Board.Placed(result.Environment, key, placement(result))
	}
	for _, change := range result.Changes {
		about := []any{
			"environment", result.Environment, "team", result.Team,
			"request", result.Request, "cluster", result.Cluster, "object", change.Object.String(), "cause", change.Reason,
		}
		if change.Before != "" {
			about = append(about, "before", change.Before)
		}
		if change.Action == apply.Configured && change.Reason != "" && r.Corrected != nil {
			r.Corrected(result.Environment, result.Cluster)
		}
		r.Logger.Info(string(change.Action), about...)
	}
}

// Outdated takes the news that the last result about an instance may not hold any more. It is meant as fleet.Fleet's
// Outdated.
func (r *Reconciler) Outdated(environment, cluster string, k platform.RequestKey, at time.Time) {
	r.health.outdate(place{environment, cluster, k}, at)
}

func names(objects []apply.Object) (all []string) {
	for _, o := range objects {
		all = append(all, o.String())
	}
	return all
}

// adoption is the adoption that waits for a person, in the words of status.
func adoption(result fleet.Result) *status.Adoption {
	if result.Adoption == nil {
		return nil
	}
	said := &status.Adoption{Digest: result.Adoption.Digest}
	for _, e := range result.Adoption.Effects {
		said.Effects = append(said.Effects, e.String())
	}
	for _, u := range result.Untried {
		said.Untried = append(said.Untried, u.String())
	}
	return said
}

// placement is a fleet's result in the words of status.
func placement(result fleet.Result) status.Placement {
	p := status.Placement{
		Cluster: result.Cluster, Revision: result.Revision, StateCommit: result.Commit,
		Health: string(result.Health), Message: result.Message, Stage: status.Applied, Held: result.Held,
		Images: result.Images, Adoption: adoption(result), LetGo: names(result.LetGo),
	}
	for _, o := range result.Objects {
		p.Objects = append(p.Objects, status.Object{
			Group: o.Object.Group, Kind: o.Object.Kind, Namespace: o.Object.Namespace, Name: o.Object.Name,
			Health: string(o.Health), Message: o.Message,
		})
	}
	for _, problem := range result.Problems {
		p.Problems = append(p.Problems, status.ObjectProblem{Object: problem.Object.String(), Message: problem.Message})
	}
	for _, drift := range result.Drift {
		p.Drift = append(p.Drift, status.ObjectProblem{Object: drift.Object.String(), Message: drift.Message})
	}
	if result.Foreign != nil {
		p.Problems = append(p.Problems, status.ObjectProblem{Message: result.Message})
	}
	if result.Held != "" {
		state := "state of " + platform.RequestKey{Team: result.Team, Name: result.Request}.String()
		p.Problems = append(p.Problems, status.ObjectProblem{Object: state, Message: result.Held})
	}
	switch {
	case len(p.Problems) > 0:
		p.Stage = status.Committed
		p.Message = cmp.Or(p.Problems[0].Message, p.Message)
	case result.Health == apply.Healthy:
		p.Stage = status.Healthy
		if soaked := result.Checkpoint; soaked.Soaked > 0 && soaked.Revision == result.Revision {
			p.HealthyAt = result.At.Add(-soaked.Soaked)
		}
	case result.Health == apply.Unknown:
		p.Stage = status.Committed
	}
	return p
}
