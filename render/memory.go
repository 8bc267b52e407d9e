package render

import (
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// A memory is the knowledge that a Renderer has of an environment from the passes before. An evaluation is as good as the
// instance that it is of. The rest is for a pass that continues the last one: it visits the requests that changed since and
// those that had a Problem, because all others would come to the records of the base.
type memory struct {
	evaluations map[platform.RequestKey]*evaluation    // of the present instances
	asked       cache[*platform.Instance, *evaluation] // by Renderer.Keys, of instances that may come

	costs costs

	// The arguments of the last pass.
	environment *platform.Environment
	clusters    map[string]*platform.Cluster
	policies    []*platform.Policy
	instances   *platform.InstanceSet
	base        *Base
	taken       *mark // that the base had

	// The results of it.
	mark      *mark
	unchanged bool                  // there was nothing to commit
	revisit   []platform.RequestKey // requests with Problems, those not admitted as a whole, and those in the base that have no instance
}

// costs are what expressions cost and may cost.
type costs struct {
	amounts amounts
	shares  shares // of the last platform that somebody asked about
	last    shares // of the last pass
}

// memories are by environment.
type memories map[string]*memory

func (m *memories) of(environment string) *memory {
	if *m == nil {
		*m = memories{}
	}
	if (*m)[environment] == nil {
		(*m)[environment] = &memory{}
	}
	return (*m)[environment]
}

// continues says whether nothing but requests and versions changed since the last pass, whose State the base took in.
func (m *memory) continues(s *snapshot) bool {
	return m.mark != nil && m.base == s.base && m.environment == s.environment && m.isFollowedBy(s.base) &&
		maps.Equal(m.clusters, s.platform.Clusters) && slices.Equal(m.policies, s.policies)
}

// costly calls visit with the instances whose expressions come to something else because the shares of placements changed.
func (m *memory) costly(now shares, visit func(platform.RequestKey)) {
	if m.costs.last.equal(now) {
		return
	}
	for k, e := range m.evaluations {
		if e.cost.told || now.anew(e.instance).Exceeded(e.cost.spent) != "" {
			visit(k)
		}
	}
}

// isFollowedBy reports whether a base took in the State of the last pass, where that changed anything, and no other since.
func (m *memory) isFollowedBy(base *Base) bool {
	if m.unchanged && base.taken == m.taken {
		return true
	}
	return base.taken == m.mark
}

// sharesOf returns the shares of the environment that the memory is of.
func (m *memory) sharesOf(p *platform.Platform, environment string) shares {
	if m.costs.shares.platform != p {
		m.costs.shares = countShares(p, environment)
	}
	return m.costs.shares
}

// remember notes a pass that came to an end.
func (m *memory) remember(a *admission, o *outcome, state *State) {
	m.environment, m.clusters, m.policies, m.instances = a.environment, a.platform.Clusters, a.policies, a.instances
	m.costs.last = a.shares
	m.base, m.taken, m.mark, m.unchanged = a.base, a.base.taken, state.mark, len(state.Changes) == 0
	m.revisit = nil
	for k, c := range a.byKey {
		if o.pending[k] || a.mayChange(k, c) {
			m.revisit = append(m.revisit, k)
		}
	}
}

// mayChange reports whether a visited request may come to another record though nothing of its own changes.
func (a *admission) mayChange(k platform.RequestKey, c *candidate) bool {
	if c == nil {
		return a.stays(k) || a.restored(k) != nil
	}
	return len(c.problems) > 0
}

// keep notes the evaluations of instances, and forgets those that are gone.
func (m *memory) keep(l *selection) {
	if !l.continued || m.evaluations == nil {
		m.costs.amounts = amounts{}
		m.evaluations = make(map[platform.RequestKey]*evaluation, len(l.candidates))
	}
	for k, c := range l.byKey {
		if c == nil || c.evaluation == nil {
			delete(m.evaluations, k)
		} else {
			m.evaluations[k] = c.evaluation
		}
	}
}

// evaluation returns the evaluation that is remembered of an instance, or nil.
func (m *memory) evaluation(i *platform.Instance) *evaluation {
	if i == nil {
		return nil
	}
	if e := m.evaluations[i.Request.Key]; e != nil && e.instance == i {
		return e
	}
	e, _ := m.asked.lookup(i)
	return e
}
