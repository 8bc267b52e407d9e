package promotion

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// removal returns the removal of the release of a request that the head does not ask for here any more, if its gates are
// open; nil otherwise. Nothing goes that the head still asks for.
func (p *Pass) removal(s *subject) *candidate {
	if !runs(s.base) {
		return nil
	}
	digest := tombstone(s.base)
	c := &candidate{removal: true, cause: "removal", content: ContentOf(s.base)}
	c.content.Digest = digest
	skips := func(gate string) bool {
		d := p.overridden(gate, s.key, digest, s.base.Offering, s.base.Version)
		if d != nil {
			c.passed = append(c.passed, p.by(gate, d))
		}
		return d != nil
	}
	p.gone(s, c, skips)
	p.confirmed(s, c, skips)
	if g := p.hold(s, s.base.Offering); g != nil && !skips("hold") {
		c.closed = append(c.closed, *g)
	}
	for _, cluster := range sortedKeys(s.base.Clusters) { // it leaves all of them at once
		if g := p.holdOf(cluster, &platform.Release{Key: s.key, Digest: digest, Offering: s.base.Offering, Version: s.base.Version}); g != nil {
			c.closed = append(c.closed, *g)
		}
	}
	if g := p.window(); g != nil && !skips("window") {
		c.closed = append(c.closed, *g)
	}
	if users := p.consumers(s.key); len(users) > 0 {
		c.closed = append(c.closed, boundTo(users[0]))
	} else if behind := p.behind(s.key); behind != nil {
		c.closed = append(c.closed, *behind)
	}
	p.deleting(s, slices.Sorted(maps.Keys(s.base.Clusters)))
	if len(c.closed) == 0 {
		return c
	}
	standing := p.standing(s.key)
	standing.Candidate, standing.Removal = &c.content, true
	p.wait(s.key, c.closed...)
	return nil
}

// confirms reports whether a person has to approve each removal of an offering.
func (p *Pass) confirms(r *platform.Release) bool {
	o := p.view.Platform.Offerings[r.Offering]
	return r.Deletion == platform.DeletionConfirm || o != nil && o.Deletion == platform.DeletionConfirm
}

// confirmed asks for the Approval of exactly this removal: where nothing before has proven it, where the offering has each
// removal confirmed, and where a person approves all that changes here. One does for all of these.
func (p *Pass) confirmed(s *subject, c *candidate, skips func(string) bool) {
	e, confirms, unproven := p.view.Environment, p.confirms(s.base), p.unprovenRemoval(s, c)
	var reason string
	switch {
	case unproven:
		reason = "its removal needs an Approval: no environment before " + e.Name + " has been well without it"
	case confirms:
		reason = "its removal needs an Approval: removals of " + s.base.Offering + " are confirmed"
	case e.Gates.Approval == "required":
		reason = "its removal needs an Approval, as all that changes in " + e.Name
	default:
		return
	}
	if approval := p.exact(s.key, c.content.Digest); approval != nil {
		c.passed = append(c.passed, p.by("approval", approval))
		return
	}
	if !unproven && !confirms && skips("approval") {
		return
	}
	c.closed = append(c.closed, Gate{
		Name: "approval", Reason: reason,
		Opens: fmt.Sprintf("an Approval in decisions/%s of {request: %s, release: %s}", e.Name, s.key, c.content.Digest),
	})
}

// unprovenRemoval reports whether nothing before the environment says anything about a removal.
func (p *Pass) unprovenRemoval(s *subject, c *candidate) bool {
	e := p.view.Environment
	return len(e.PromotesFrom) > 0 && s.base.Request != nil && e.Gates.Unproven != "allow" && len(c.from)+len(c.closed) == 0
}

// gone asks the upstreams of the release that runs for a proof that it is not needed: they removed it and were well without
// it. One that took the request as it is without this environment, and keeps it, says nothing about that.
func (p *Pass) gone(s *subject, c *candidate, skips func(string) bool) {
	e := p.view.Environment
	if len(e.PromotesFrom) == 0 || s.base.Request == nil {
		return
	}
	soak := e.Gates.Soak
	if soak > 0 && skips("soak") {
		soak = 0
	}
	for _, up := range p.view.Platform.Graph.Nearest(e.Name, s.base.Request) {
		there := p.view.Elsewhere[up][s.key]
		if there == nil && p.view.Elsewhere[up] != nil || p.keeps(there, s) || wentUnseen(there) {
			continue
		}
		if gate := p.provenGone(up, there, s, soak); gate != nil {
			c.closed = append(c.closed, *gate)
			continue
		}
		c.from = append(c.from, up)
	}
}

// wentUnseen reports whether a removal is over that no cluster was there to prove.
func wentUnseen(r *platform.Release) bool {
	return r != nil && r.Absent && r.Promotion.Rollout == nil &&
		!slices.ContainsFunc(r.Promotion.Proven, func(proof platform.ReleaseProof) bool { return proof.Digest == r.Digest })
}

// keeps reports whether an environment runs a release that is newer than the one that runs here, and is not for this
// environment.
func (p *Pass) keeps(there *platform.Release, s *subject) bool {
	if !runs(there) || there.Request == nil || !p.view.Prospects.Older(p.place(s.base), there.Commit) {
		return false
	}
	_, placed := there.Request.Environments[p.view.Environment.Name]
	return !placed
}

func (p *Pass) provenGone(up string, there *platform.Release, s *subject, soak time.Duration) *Gate {
	switch {
	case p.view.Elsewhere[up] == nil:
		return &Gate{Name: "health", Reason: "what " + up + " runs cannot be read", Opens: "its state repository"}
	case runs(there):
		return &Gate{Name: "health", Reason: up + " still runs what is for " + p.view.Environment.Name + " too", Opens: up}
	}
	for _, proof := range there.Promotion.Proven {
		soaked, err := time.ParseDuration(proof.Soaked)
		if proof.Digest == there.Digest && err == nil && soaked >= soak && p.view.Prospects.Older(p.place(s.base), proof.Commit) {
			return nil
		}
	}
	return &Gate{Name: "health", Reason: "its removal from " + up + " is not confirmed for " + soak.String() + " yet", Opens: up}
}

// consumers lists the requests that run here and are bound to a request, sorted.
func (p *Pass) consumers(k platform.RequestKey) []platform.RequestKey {
	if p.lazy.consumers == nil {
		p.lazy.consumers = map[platform.RequestKey][]platform.RequestKey{}
		for consumer, r := range p.view.Releases {
			if r.Absent && (r.Promotion.Rollout == nil || len(r.Promotion.Rollout.Pending) == 0) {
				continue
			}
			for _, bound := range []*platform.Release{r, p.mayReturn(consumer, r)} {
				if bound == nil {
					continue
				}
				for _, provider := range bound.Bindings(p.view.Environment.Name) {
					p.lazy.consumers[provider] = append(p.lazy.consumers[provider], consumer)
				}
			}
		}
	}
	users := p.lazy.consumers[k]
	slices.SortFunc(users, platform.RequestKey.Compare)
	return users
}

// behind is the gate of a removal while a cluster may still run another request of the team at a revision before its present
// one: a release that was left before it was healthy is in no record any more, and may have been bound to this one.
func (p *Pass) behind(k platform.RequestKey) (gate *Gate) {
	var first platform.RequestKey
	for other, r := range p.view.Releases {
		if other.Team != k.Team || other == k || gate != nil && first.Compare(other) < 0 {
			continue
		}
		if cluster := p.unseen(other, r); cluster != "" {
			first, gate = other, &Gate{
				Name: "binding", Reason: fmt.Sprintf("%s may still run on %s what was bound to it", other, cluster),
				Opens: "the present revision of that on " + cluster,
			}
		}
	}
	return gate
}

// unseen is the first cluster that was not seen yet with the revision that a rollout has put there; empty: there is none.
func (p *Pass) unseen(k platform.RequestKey, r *platform.Release) string {
	if r.Absent || r.Promotion.Rollout == nil {
		return ""
	}
	for _, cluster := range r.Promotion.Rollout.Moved {
		e := p.view.Environment
		if p.view.counts(e, cluster) && p.view.Observe(e.Name, k, cluster).Revision != r.Clusters[cluster].Observed() {
			return cluster
		}
	}
	return ""
}

// keepProviders keeps an instance that would go while something bound to it comes in the same pass.
func (p *Pass) keepProviders() {
	for _, i := range p.Instances {
		for _, provider := range i.Bindings {
			if m := p.moves[provider]; m != nil && m.removal {
				p.stayRemoved(provider, m, boundTo(i.Request.Key))
			}
		}
	}
}

// stayRemoved calls off the removal of an instance for this pass.
func (p *Pass) stayRemoved(k platform.RequestKey, m *move, why Gate) {
	delete(p.moves, k)
	p.Keep[k] = true
	standing := p.standing(k)
	standing.State, standing.Removal, standing.Candidate = Waiting, true, &m.content
	p.wait(k, why)
}

func boundTo(consumer platform.RequestKey) Gate {
	return Gate{
		Name: "binding", Reason: fmt.Sprintf("%s runs here and is bound to it", consumer), Opens: "binding that to another request, or removing it too",
	}
}

// mayReturn is the release that a consumer still has on clusters that wait for their turn, or for their pruning, and goes
// back to if its rollout fails; nil: it has left that for good.
func (p *Pass) mayReturn(k platform.RequestKey, r *platform.Release) *platform.Release {
	ran := r.Promotion.Ran
	if r.Promotion.Rollout == nil && !lags(r) || len(ran) == 0 {
		return nil
	}
	before, err := p.view.Prospects.Ran(ran[len(ran)-1].State, k)
	if err != nil || before == nil || before.Absent {
		return nil
	}
	return before
}

// lags reports whether a cluster has bytes of another release still.
func lags(r *platform.Release) bool {
	for _, placed := range r.Clusters {
		if placed.Release != "" {
			return true
		}
	}
	return false
}

// followRemoval waits until pruning is confirmed everywhere, and forgets a removal once no other environment of its path
// runs the release that was removed: until then its place in history and its failures keep older releases out. It reports
// whether that decides the instance.
func (p *Pass) followRemoval(s *subject) bool {
	if s.base.Promotion.Rollout != nil {
		p.confirm(s)
	}
	if s.head != nil {
		return false
	}
	if s.base.Promotion.Rollout == nil && !p.neededBelow(s.key) && !p.runsBefore(s.key) {
		p.Forget = append(p.Forget, s.key)
		delete(p.Records, s.key)
		return true
	}
	p.Keep[s.key] = true
	return true
}

// confirm takes note of clusters where nothing is left.
func (p *Pass) confirm(s *subject) {
	e, need := p.view.Environment, p.soakOfRemoval(s.key)
	p.standing(s.key).State = Removing
	var left []string
	soaked, counting := need, 0
	var silent []string // are of the environment, and do not count now
	for _, cluster := range s.base.Promotion.Rollout.Pending {
		if !p.view.counts(e, cluster) {
			if c := p.view.Platform.Clusters[cluster]; c != nil && (c.Broken || selects(e, c)) {
				silent = append(silent, cluster)
			}
			continue
		}
		counting++
		said := p.view.Observe(e.Name, s.key, cluster)
		if said.Revision != "" || said.Health != Healthy || said.Soaked < need {
			left = append(left, cluster)
			soaked = min(soaked, said.Soaked)
		}
	}
	if len(left) > 0 {
		g := Gate{Name: "health", Reason: "is being removed from " + strings.Join(left, ", "), Opens: "pruning, confirmed"}
		if need > 0 && soaked > 0 {
			g.At = p.view.Now.in(need - soaked)
		}
		p.wait(s.key, g)
		return
	}
	if counting == 0 && len(silent) > 0 {
		p.wait(s.key, Gate{Name: "health", Reason: "was removed from " + strings.Join(silent, ", ") + ", which does not count now", Opens: "an active cluster"})
		return
	}
	s.edit().Promotion.Rollout = nil
	if counting > 0 && p.neededBelow(s.key) {
		s.record(need)
	}
}

// soakOfRemoval is for how long downstream environments want a removal to be without harm. One that cannot be read now may
// want it.
func (p *Pass) soakOfRemoval(k platform.RequestKey) (need time.Duration) {
	for _, e := range p.downstream() {
		state, readable := p.view.Elsewhere[e.Name]
		if there := state[k]; !readable || runs(there) && there.Request != nil && p.view.Platform.Graph.Feeds(p.view.Environment.Name, e.Name, there.Request) {
			need = max(need, e.Gates.Soak)
		}
	}
	return need
}

// neededBelow reports whether an environment that takes releases from this one runs a request still, or may.
func (p *Pass) neededBelow(k platform.RequestKey) bool {
	return slices.ContainsFunc(p.downstream(), func(e *platform.Environment) bool {
		there, readable := p.view.Elsewhere[e.Name]
		return !readable || runs(there[k])
	})
}

// runsBefore reports whether an environment that this one takes releases from runs a request still, or may.
func (p *Pass) runsBefore(k platform.RequestKey) bool {
	return slices.ContainsFunc(p.view.Platform.Graph.Upstream(p.view.Environment.Name), func(up string) bool {
		there, readable := p.view.Elsewhere[up]
		return !readable || runs(there[k])
	})
}
