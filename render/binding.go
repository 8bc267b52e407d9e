package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// order sorts the candidates into levels: each is bound to none but those of lower levels. Loading has refused every
// cycle.
func (p *pass) order() {
	slices.SortFunc(p.candidates, func(a, b *candidate) int { return a.key().Compare(b.key()) })
	p.levels = nil
	levels := map[*candidate]int{}
	for _, c := range p.candidates {
		n := p.level(c, levels)
		for len(p.levels) <= n {
			p.levels = append(p.levels, nil)
		}
		p.levels[n] = append(p.levels[n], c)
	}
}

func (p *pass) level(c *candidate, known map[*candidate]int) (n int) {
	if len(c.instance.Bindings) == 0 {
		return 0
	}
	if n, ok := known[c]; ok {
		return n
	}
	for _, provider := range c.instance.Bindings {
		if of := p.byKey[provider]; of != nil {
			n = max(n, 1+p.level(of, known))
		}
	}
	known[c] = n
	return n
}

// bound returns the outputs that a candidate is given, by the name of the binding: of the releases that the environment
// runs after this pass. Where there is none yet the candidate waits.
func (p *pass) bound(c *candidate) (map[string]map[string]any, []platform.Problem) {
	var problems []platform.Problem
	wait := func(binding, format string, args ...any) {
		problem := p.platform.At(c.key(), c.instance.BindingField(binding))
		problem.Rule, problem.Message = "binding", fmt.Sprintf(format, args...)
		problems = append(problems, problem)
	}
	out := make(map[string]map[string]any, len(c.instance.Bindings))
	for _, name := range slices.Sorted(maps.Keys(c.instance.Bindings)) {
		key := c.instance.Bindings[name]
		outputs, runs := p.outputs(key)
		switch lacks := c.instance.Lacks(name, outputs); {
		case !runs && p.mustBeMended(key):
			wait(name, "waits for %s, which has a Problem and does not run in %s yet", key, p.environment.Name)
		case !runs:
			wait(name, "waits for %s, which does not run in %s yet", key, p.environment.Name)
		case len(lacks) > 0:
			wait(name, "waits for %s: what %s runs of it has no output %s", key, p.environment.Name, strings.Join(lacks, ", "))
		default:
			out[name] = outputs
		}
	}
	return out, problems
}

// outputs returns those of the release of a request that the environment runs after this pass.
func (p *pass) outputs(k platform.RequestKey) (map[string]any, bool) {
	if e := p.evaluationOf(k); e != nil && len(e.placements) > 0 {
		return e.outputs, true
	}
	if release := p.base.Releases[k]; release != nil && !release.Absent {
		return release.Outputs, true
	}
	return nil, false
}

// evaluationOf returns that of a request that has no Problem.
func (p *pass) evaluationOf(k platform.RequestKey) *evaluation {
	c, visited := p.byKey[k]
	switch {
	case !visited:
		return p.memory.evaluation(p.instance(k))
	case c == nil || c.broken():
		return nil
	}
	return c.evaluation
}

func (p *pass) mustBeMended(k platform.RequestKey) bool {
	c := p.byKey[k]
	return c != nil && c.broken() || p.platform.Broken(p.environment.Name, k)
}

// rebind prepares anew what was given the outputs of a release that lost its way since, and reports whether there was
// any.
func (p *pass) rebind() (again bool) {
	p.order() // with those that were visited since
	again = slices.ContainsFunc(p.candidates, func(c *candidate) bool { return !c.prepared && !c.broken() })
	for _, level := range p.levels[min(1, len(p.levels)):] {
		for _, c := range level {
			if c.broken() || !c.prepared {
				continue
			}
			if bound, _ := p.bound(c); !reflect.DeepEqual(bound, c.evaluation.bindings) {
				*c = candidate{instance: c.instance, base: c.base}
				again = true
			}
		}
	}
	return again
}

// hold finds the requests that are gone while something that stays is bound to them, and reports whether there are more
// than before: a provider is removed only after its consumers moved off.
func (p *pass) hold() (more bool) {
	gone := map[platform.RequestKey]bool{}
	for _, k := range p.orphans {
		gone[k] = !p.platform.Broken(p.environment.Name, k)
	}
	before := len(p.held)
	for grown := true; grown; {
		grown = false
		for _, provider := range p.orphans {
			if !gone[provider] {
				continue
			}
			for k := range p.index.consumers[provider] {
				if gone[k] && p.held[k] == nil || slices.Contains(p.held[provider], k) {
					continue
				}
				for _, bound := range p.boundAfter(k, p.base.Releases[k]) {
					if bound == provider && !slices.Contains(p.held[provider], k) {
						p.held[provider] = append(p.held[provider], k)
						grown = true
					}
				}
			}
		}
	}
	return len(p.held) > before
}

// boundAfter are the bindings of what the environment has of a request after this pass.
func (p *pass) boundAfter(k platform.RequestKey, base *platform.Release) map[string]platform.RequestKey {
	if c := p.byKey[k]; c != nil && !c.broken() {
		return c.instance.Bindings
	}
	return base.Bindings(p.environment.Name)
}

// keepHeld says of a request that is gone why it stays.
func (p *pass) keepHeld(k platform.RequestKey, release *platform.Release) {
	var consumers []string
	for _, consumer := range slices.SortedFunc(slices.Values(p.held[k]), platform.RequestKey.Compare) {
		consumers = append(consumers, consumer.String())
	}
	p.problems = append(p.problems, platform.Problem{
		File: release.File, Rule: "bound", Environment: p.environment.Name, Request: &k,
		Message: fmt.Sprintf("is not removed from %s while %s runs there and is bound to it; bind that to another request or remove it too",
			p.environment.Name, strings.Join(consumers, ", ")),
	})
}
