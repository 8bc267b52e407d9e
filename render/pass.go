package render

import (
	"errors"
	"fmt"
)

// A pass is one rendering of one environment. Its parts share two things that change while it goes on: the selection, which
// a collision may add requests to, and the admission, whose answers consumers are built with.
type pass struct {
	*selection
	admission  *admission
	builder    *builder
	collisions *collisions
	namespaces teamNamespaces
	stepped    func() // nil: nobody wants to know
}

func newPass(r *Renderer, s *snapshot) *pass {
	memory := r.memories.of(s.environment.Name)
	s.shares = memory.sharesOf(s.platform, s.environment.Name)
	l := newSelection(s, memory)
	a := newAdmission(l)
	return &pass{selection: l, admission: a, builder: newBuilder(r, s), collisions: &collisions{a, r.written(s)}, stepped: r.Stepped}
}

// build builds the candidates, until no Problem found after that changes the outputs that others were built with.
func (p *pass) build() error {
	for again := true; again; again = p.admission.outdated() {
		if err := p.buildLevels(); err != nil {
			return err
		}
		if err := p.keepAllowances(); err != nil {
			return err
		}
		p.keepQuotas()
		p.namespaces = p.builder.buildNamespaces(p.candidates)
		if _, err := p.collisions.refuse(); err != nil {
			return err
		}
	}
	return nil
}

// buildLevels builds the candidates, providers first and each level in parallel. Each works on its own; they share the
// caches and the outputs of lower levels alone.
func (p *pass) buildLevels() error {
	for _, level := range p.levels {
		failures := make([]error, len(level))
		parallel(len(level), func(i int) {
			defer level[i].recovered()
			failures[i] = p.prepare(level[i])
			if p.stepped != nil {
				p.stepped()
			}
		})
		if err := errors.Join(failures...); err != nil {
			return fmt.Errorf("render %s: %w", p.environment.Name, err)
		}
	}
	p.memory.keep(p.selection)
	return nil
}

// prepare builds a candidate with the outputs of the releases that it is bound to, unless that was done before.
func (p *pass) prepare(c *candidate) error {
	if c.prepared {
		return nil
	}
	c.prepared = true
	if p.builder.check(c); c.broken() {
		return nil
	}
	bound, waiting := p.admission.bound(c)
	if c.add(waiting...); len(waiting) > 0 {
		return nil
	}
	return p.builder.build(c, bound)
}

// postpone leaves out for this time the candidates that were built with outputs that are not admitted, and those that then
// collide.
func (p *pass) postpone() error {
	for again := true; again; {
		postponed := p.admission.postpone()
		lost, err := p.collisions.refuse()
		if err != nil {
			return err
		}
		needed := p.admission.keepNeeded()
		again = postponed || lost || needed
	}
	return nil
}
