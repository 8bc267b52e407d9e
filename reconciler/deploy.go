package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// deploy hands the fleet the state commit, with the settings of the clusters as plain values.
func (p *pass) deploy(ctx context.Context) error {
	defer p.phase("deploy")()
	e, commit := p.environment, p.state.believed.Commit
	sequence := 0
	if commit != "" {
		var err error
		if sequence, err = p.loop.branch.repo.Generation(ctx, commit); err != nil {
			return fmt.Errorf("deploy %s: %w", e.Name, err)
		}
	}
	clusters := p.clusters()
	p.r.cache.health.setClusters(e.Name, clusters)
	return p.r.Fleet.Deploy(fleet.Target{
		Environment: e.Name, Commit: commit, Sequence: int64(sequence), Fetched: p.state.fetched, Snapshot: p.state.believed,
		Lineage: p.lineage(), Proof: p.proof(), Clusters: clusters, Awaited: p.awaited(),
		Rules: fleet.Rules{
			External: e.External, ReportDrift: e.Drift == "report",
			Adoptions: p.platform.Adoptions(e.Name), AdoptNamespaces: e.Namespace.Adopt, Impersonate: e.Impersonate,
			Reversible: func(offering, version string) bool { return reversible(p.platform, offering, version) },
		},
		Past: past(p.loop.branch.repo),
	})
}

// proof returns the proof of the state that is deployed. Where commits are signed none is needed.
func (p *pass) proof() fleet.Proof {
	last, state := p.loop.proof, p.state.believed
	if p.r.Trust.Key != nil || state.Commit == "" {
		return nil
	}
	samePlatform := last != nil && last.platform == p.platform
	if samePlatform && last.state.Commit == state.Commit {
		return last
	}
	now := &proof{
		logger: p.r.Logger, environment: p.loop.environment, repo: p.loop.branch.repo, evidence: &p.loop.evidence,
		platform: p.platform, state: state,
	}
	if samePlatform {
		now.prover = last.prover
	} else {
		now.prover = &prover{source: p.r.Platform, environment: p.loop.environment, head: p.platform}
	}
	p.loop.proof = now
	return now
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

// clusters lists the clusters that an environment writes to: those it selects, and those that it had and has to leave.
// A cluster whose file has a Problem is only read; one whose file is gone is let go.
func (p *pass) clusters() []fleet.Cluster {
	var list []fleet.Cluster
	for name, c := range p.platform.Clusters {
		uid, had := p.state.base.Fleet.Clusters[name]
		if !had && !selects(p.environment, c) {
			continue
		}
		member := fleet.Cluster{Name: name, State: c.State, UID: uid, Own: c.InCluster}
		if c.Broken {
			member.State = platform.ClusterPaused
		}
		list = append(list, member)
	}
	slices.SortFunc(list, func(a, b fleet.Cluster) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// awaited says whether the platform asks for an instance on a cluster, or may, that runs in the environment but is not there
// yet: a gate keeps it from a cluster whose file came back, or it cannot be rendered. Nothing goes that the head asks for. The
// fleet asks about the few that it would remove, later and from other goroutines, so the answers are of published records.
func (p *pass) awaited() func(cluster string, o apply.Owner) bool {
	e, platforms, releases := p.environment, p.platform, p.r.cache.records.of(p.loop.environment)
	return func(cluster string, o apply.Owner) bool {
		k := platform.RequestKey{Team: o.Team, Name: o.Request}
		r := releases.Of(k)
		if r == nil || r.Absent || r.Clusters[cluster].Revision != "" {
			return false
		}
		if i := platforms.InstanceSet(e.Name).Of(k); i != nil && on(i, cluster) {
			return true
		}
		c := platforms.Clusters[cluster]
		selected := c != nil && selects(e, c) && c.State != platform.ClusterDraining
		return selected && platforms.Broken(e.Name, k)
	}
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
