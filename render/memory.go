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
	prospects   cache[*platform.Instance, *evaluation] // of those that were asked about

	// The arguments of the last pass.
	environment *platform.Environment
	clusters    map[string]*platform.Cluster
	policies    []*platform.Policy
	instances   []*platform.Instance
	base        *Base
	taken       *mark // that the base had

	// The results of it.
	mark      *mark
	unchanged bool                  // there was nothing to commit
	unsettled []platform.RequestKey // requests with Problems, and those in the base that have no instance
}

func (r *Renderer) memory(environment string) *memory {
	if r.memories == nil {
		r.memories = map[string]*memory{}
	}
	if r.memories[environment] == nil {
		r.memories[environment] = &memory{}
	}
	return r.memories[environment]
}

// continues says whether nothing but requests and versions changed since the last pass, whose State the base took in.
func (m *memory) continues(p *pass) bool {
	return m.mark != nil && m.base == p.base && m.environment == p.environment &&
		(p.base.taken == m.mark || p.base.taken == m.taken && m.unchanged) &&
		maps.Equal(m.clusters, p.platform.Clusters) && slices.Equal(m.policies, p.policies)
}

// remember notes a pass that came to an end.
func (m *memory) remember(p *pass, state *State) {
	m.environment, m.clusters, m.policies, m.instances = p.environment, p.platform.Clusters, p.policies, p.instances
	m.base, m.taken, m.mark, m.unchanged = p.base, p.base.taken, state.mark, len(state.Changes) == 0
	m.unsettled = nil
	for k, c := range p.byKey {
		lingers := c == nil && (p.stays(k) || p.restored(k) != nil)
		if lingers || p.pending[k] || c != nil && len(c.problems) > 0 {
			m.unsettled = append(m.unsettled, k)
		}
	}
}

// keep notes the evaluations of instances, and forgets those that are gone.
func (m *memory) keep(p *pass) {
	if !p.continued || m.evaluations == nil {
		m.evaluations = make(map[platform.RequestKey]*evaluation, len(p.candidates))
	}
	for k, c := range p.byKey {
		if c == nil || c.evaluation == nil {
			delete(m.evaluations, k)
		} else {
			m.evaluations[k] = c.evaluation
		}
	}
}

// evaluation returns the noted evaluation of an instance, or nil.
func (m *memory) evaluation(i *platform.Instance) *evaluation {
	if i == nil {
		return nil
	}
	if e := m.evaluations[i.Request.Key]; e != nil && e.instance == i {
		return e
	}
	e, _ := m.prospects.lookup(i)
	return e
}

// changed calls visit with the requests whose instances differ between two lists that are sorted by request.
func changed(before, after []*platform.Instance, visit func(platform.RequestKey)) {
	for len(before) > 0 && len(after) > 0 {
		if before[0] == after[0] {
			before, after = before[1:], after[1:]
			continue
		}
		old, new := before[0].Request.Key, after[0].Request.Key
		order := old.Compare(new)
		if order <= 0 {
			visit(old)
			before = before[1:]
		}
		if order >= 0 {
			visit(new)
			after = after[1:]
		}
	}
	for _, i := range slices.Concat(before, after) {
		visit(i.Request.Key)
	}
}

// resolve makes candidates of the instances that the environment can have; in a pass that continues the last one, of
// those that may come to something else.
func (p *pass) resolve() {
	if p.instances = p.direction.Instances; p.instances == nil {
		p.instances = p.platform.Instances(p.environment.Name)
	}
	for k := range p.direction.Restore {
		p.visit(k)
	}
	if p.continued = p.memory.continues(p); p.continued {
		changed(p.memory.instances, p.instances, p.visit)
		for _, k := range p.memory.unsettled {
			p.visit(k)
		}
	} else {
		for _, i := range p.instances {
			p.visit(i.Request.Key)
		}
		for k := range p.base.Releases {
			p.visit(k)
		}
	}
	p.order()
	p.oneVerbatim()
}

// visit takes a request into the pass, with those whose outcome may depend on its: requests that are bound to it, and those
// that share an offering with it of which each team has one.
func (p *pass) visit(k platform.RequestKey) {
	if _, visited := p.byKey[k]; visited {
		return
	}
	p.byKey[k] = nil
	i, release := p.instance(k), p.had(k)
	switch {
	case p.restored(k) != nil:
	case i != nil:
		c := &candidate{instance: i, base: release, evaluation: p.memory.evaluation(i)}
		p.byKey[k] = c
		p.candidates = append(p.candidates, c)
	case release != nil && (!release.Absent || len(release.Clusters) > 0):
		p.orphans = append(p.orphans, k)
	}
	for consumer := range p.index.consumers[k] {
		p.visit(consumer)
	}
	if i != nil && i.Version.Names == platform.Verbatim {
		for other := range p.index.users[use{k.Team, i.Offering.Name}] {
			p.visit(other)
		}
	}
}

// instance returns the instance of a request, or nil.
func (p *pass) instance(k platform.RequestKey) *platform.Instance {
	n, found := slices.BinarySearchFunc(p.instances, k, func(i *platform.Instance, k platform.RequestKey) int { return i.Request.Key.Compare(k) })
	if !found {
		return nil
	}
	return p.instances[n]
}

// stays says of a request without an instance whether the environment keeps the record it has of it.
func (p *pass) stays(k platform.RequestKey) bool { return len(p.held[k]) > 0 || p.kept(k) }

// kept says of a request without an instance that nobody knows, or that it is said, that it stays.
func (p *pass) kept(k platform.RequestKey) bool {
	return p.direction.Keep[k] || p.platform.Broken(p.environment.Name, k)
}
