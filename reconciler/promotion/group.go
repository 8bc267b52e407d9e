package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// A group is a change that many instances make together: a new version, or a change that an environment puts in. The counts
// are instances.
type group struct {
	flying  int // whose rollout is under way
	healthy int // whose rollout is over
	failed  int // that failed, with nobody having approved it since
}

// groups are those of the environment, by name; nil: not counted yet.
type groups map[string]*group

func (g groups) of(name string) *group {
	if g[name] == nil {
		g[name] = &group{}
	}
	return g[name]
}

// group counts the members of a group, from the records after Choose has followed them.
func (p *Pass) group(name string) *group {
	if p.rollouts == nil {
		p.rollouts = groups{}
		for k, r := range p.view.Releases {
			if now := p.Records[k]; now != nil {
				r = now
			}
			if back, ok := p.Restore[k]; ok {
				r = back.Release
			}
			p.count(r)
		}
	}
	return p.rollouts.of(name)
}

func (p *Pass) count(r *platform.Release) {
	rollout := r.Promotion.Rollout
	if len(r.Promotion.Rejected) > 0 {
		for _, name := range p.failedIn(r) {
			p.rollouts.of(name).failed++
		}
	}
	for _, g := range r.Promotion.Gates {
		if g.Gate == "rollout" && (rollout == nil || rollout.Group != g.Figure) {
			p.rollouts.of(g.Figure).healthy++
		}
	}
	if rollout != nil && rollout.Group != "" && rollout.Stopped == "" {
		p.rollouts.of(rollout.Group).flying++
	}
}

// groupsOf are the groups, by the names that group counts by, that an instance is in with the release that enters now: the
// one of the change, and that of the version which it has already and was healthy with.
func groupsOf(base, to *platform.Release, group string) (list []platform.ReleaseGate) {
	if runs(base) && base.VersionDigest == to.VersionDigest && (base.Promotion.Rollout == nil || base.Promotion.Rollout.Stopped == "") {
		for _, g := range base.Promotion.Gates {
			if g.Gate == "rollout" && g.Figure != group && !isEnvironment(g.Figure) &&
				(base.Promotion.Rollout == nil || base.Promotion.Rollout.Group != g.Figure) {
				list = append(list, g)
			}
		}
	}
	if group != "" {
		list = append(list, platform.ReleaseGate{Gate: "rollout", Figure: group})
	}
	return list
}

// failedIn lists the groups that an instance failed in, each once.
func (p *Pass) failedIn(r *platform.Release) (names []string) {
	for _, f := range r.Promotion.Rejected {
		if f.Group != "" && !slices.Contains(names, f.Group) && !p.forgiven(r, f) {
			names = append(names, f.Group)
		}
	}
	return names
}

// forgiven reports whether a person has approved since the release or the change that failed.
func (p *Pass) forgiven(r *platform.Release, f platform.ReleaseFailure) bool {
	for _, d := range p.decisions.approvals {
		same := exactly(d, r.Key, f.Release) || d.Offering == r.Offering && d.Version == f.Version || d.Plan != "" && isEnvironment(f.Group)
		if same && !slices.Contains(f.Approvals, d.Digest) {
			return true
		}
	}
	return false
}

// free returns how many more instances may enter a group now, when so many want to.
func (g *group) free(limits platform.Instances, wanting int) int {
	most := share(limits.MaxConcurrent, g.flying+g.healthy+g.failed+wanting)
	if g.healthy < limits.First {
		most = limits.First
	}
	if g.failed > 0 {
		most = min(most, limits.MaxFailures-g.failed)
	}
	return max(most-g.flying, 0)
}

// called is a group as people know it.
func called(group string) string {
	if isEnvironment(group) {
		return "the change of the environment"
	}
	return strings.TrimPrefix(group, "version:")
}

// stoppedGroup returns why nothing more enters a group, or nil.
func (p *Pass) stoppedGroup(name string) *Gate {
	if name == "" {
		return nil
	}
	g, limits := p.group(name), p.view.Environment.Rollout.Instances
	if g.failed == 0 || g.failed < limits.MaxFailures {
		return nil
	}
	return &Gate{
		Name: "rollout", Reason: fmt.Sprintf("%s failed in %d of the instances that it entered", called(name), g.failed),
		Opens: "another version or change, or an Approval merged after the failure",
	}
}

// spare is how many more instances than there are places are rendered where some may turn out to have a Problem: they must
// not keep all others from it, nor is everything to be rendered that waits.
const spare = 16

// admitGroups lets those enter whose turn it is among the instances that make a change together. Those that could not be
// rendered are tried again after all others, so that everybody's turn comes.
func (p *Pass) admitGroups(queue []*subject) {
	wanting, failing := map[string]int{}, map[string]bool{}
	for _, s := range queue {
		wanting[s.next.group]++
		failing[s.next.group] = failing[s.next.group] || p.tried(s.key) > 0
	}
	slices.SortFunc(queue, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(p.tried(a.key), p.tried(b.key)), a.key.Compare(b.key))
	})
	p.places, p.untried = map[string]int{}, map[string]bool{}
	tries := map[string]int{}
	for name, n := range wanting {
		p.places[name] = p.group(name).free(p.view.Environment.Rollout.Instances, n)
		if tries[name] = p.places[name]; tries[name] > 0 && (p.group(name).flying == 0 || failing[name]) {
			tries[name] += spare
		}
	}
	for _, s := range queue {
		name := s.next.group
		if tries[name] > 0 {
			tries[name]--
			p.enter(s, s.next)
			continue
		}
		p.stay(s, s.stay)
		p.standing(s.key).Candidate = &s.next.content
		p.wait(s.key, p.queued(name))
		p.untried[name] = p.untried[name] || p.places[name] > 0 && p.tried(s.key) == 0
	}
}

func (p *Pass) tried(k platform.RequestKey) int {
	if p.view.Tried == nil {
		return 0
	}
	return p.view.Tried(k)
}

// Barren lists the instances that were to enter a rollout and could not be rendered, sorted, once Admit has returned: View.Tried
// tells the next pass of them. Where none of a group could be, the others are to be tried at once.
func (p *Pass) Barren() (keys []platform.RequestKey) {
	came := map[string]bool{}
	for k, m := range p.moves {
		switch {
		case m.queued && m.proposed:
			came[m.group] = true
		case m.queued:
			keys = append(keys, k)
		}
	}
	for name, more := range p.untried {
		if more && !came[name] {
			p.wake(p.view.Now.Wall)
		}
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	return keys
}

func (p *Pass) queued(name string) Gate {
	g := p.group(name)
	return Gate{
		Name: "rollout", Reason: fmt.Sprintf("waits for its turn with %s: %d under way, %d healthy, %d failed", called(name), g.flying, g.healthy, g.failed),
		Opens: "the health of those that went before",
	}
}
