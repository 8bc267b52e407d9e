package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// order sorts the candidates into levels: each is bound to none but those of lower levels.
func (p *pass) order() {
	p.breakCycles()
	slices.SortFunc(p.candidates, func(a, b *candidate) int { return a.key().Compare(b.key()) })
	slices.SortFunc(p.orphans, platform.RequestKey.Compare)
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
	known[c] = 0 // ends a cycle, whose members all have a Problem
	for _, provider := range c.instance.Bindings {
		if of := p.byKey[provider]; of != nil {
			n = max(n, 1+p.level(of, known))
		}
	}
	known[c] = n
	return n
}

// breakCycles refuses instances that are bound to themselves in the end. Loading has refused every cycle of the head, but
// contents of several ages may make one together.
func (p *pass) breakCycles() {
	if p.direction.Instances == nil {
		return
	}
	for _, c := range p.candidates {
		if len(c.instance.Bindings) > 0 && p.reaches(c, c.key(), map[*candidate]bool{}) {
			c.report("", "cycle", "is bound to itself in %s, through what its bindings are bound to there", p.environment.Name)
		}
	}
}

func (p *pass) reaches(c *candidate, k platform.RequestKey, seen map[*candidate]bool) bool {
	seen[c] = true
	for _, provider := range c.instance.Bindings {
		if provider == k {
			return true
		}
		if of := p.byKey[provider]; of != nil && !seen[of] && p.reaches(of, k, seen) {
			return true
		}
	}
	return false
}

// bound returns the outputs that a candidate is given, by the name of the binding: of the releases that the environment
// runs after this pass. Where there is none yet the candidate waits.
func (p *pass) bound(c *candidate) (map[string]map[string]any, []platform.Problem) {
	return running{p.platform, p.environment.Name, p.outputs, p.mustBeMended}.bound(c.instance)
}

// running are the releases that an environment runs, as far as consumers need to know of them.
type running struct {
	platform    *platform.Platform
	environment string
	outputs     func(platform.RequestKey) (map[string]any, bool)
	broken      func(platform.RequestKey) bool // has a Problem; nil: nobody knows
}

func (r running) bound(i *platform.Instance) (map[string]map[string]any, []platform.Problem) {
	var problems []platform.Problem
	wait := func(binding, format string, args ...any) {
		problem := r.platform.At(i, i.BindingField(binding))
		problem.Rule, problem.Message = "binding", fmt.Sprintf(format, args...)
		problems = append(problems, problem)
	}
	out := make(map[string]map[string]any, len(i.Bindings))
	for _, name := range slices.Sorted(maps.Keys(i.Bindings)) {
		key := i.Bindings[name]
		outputs, runs := r.outputs(key)
		switch lacks := i.Lacks(name, outputs); {
		case !runs && r.broken != nil && r.broken(key):
			wait(name, "waits for %s, which has a Problem and does not run in %s yet", key, r.environment)
		case !runs:
			wait(name, "waits for %s, which does not run in %s yet", key, r.environment)
		case len(lacks) > 0:
			wait(name, "waits for %s: what %s runs of it has no output %s", key, r.environment, strings.Join(lacks, ", "))
		default:
			out[name] = outputs
		}
	}
	return out, problems
}

// outputs returns those of the release of a request that the environment runs after this pass.
func (p *pass) outputs(k platform.RequestKey) (map[string]any, bool) {
	if restored := p.restored(k); restored != nil {
		return restored.Outputs, !restored.Absent
	}
	if answer, answered := p.answer(k); answered {
		if answer == nil || answer.Absent {
			return nil, false
		}
		return answer.Outputs, true
	}
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

// rebind prepares anew the candidates that were given outputs which their providers no longer have, and reports whether
// there was any.
func (p *pass) rebind() (again bool) {
	p.order() // with those that were visited since
	again = slices.ContainsFunc(p.candidates, func(c *candidate) bool { return !c.prepared && !c.broken() })
	for _, level := range p.levels[min(1, len(p.levels)):] {
		for _, c := range level {
			if answer, answered := p.answer(c.key()); c.broken() || !c.prepared || answered && answer == c.base {
				continue
			}
			if bound, _ := p.bound(c); !reflect.DeepEqual(bound, c.evaluation.bindings) {
				*c = candidate{instance: c.instance, base: c.base}
				delete(p.answers, c.key())
				again = true
			}
		}
	}
	return again
}

// hold finds the requests that are gone while something that stays is bound to them, and reports whether there are more
// than before: a provider is removed only after its consumers moved off.
func (p *pass) hold() (more bool) {
	if len(p.orphans) == 0 {
		return false
	}
	bound := p.consumersAfter()
	before := len(p.held)
	for grown := true; grown; {
		grown = false
		for _, provider := range p.orphans {
			if p.kept(provider) {
				continue
			}
			for _, k := range bound[provider] {
				if !p.goes(k) && !slices.Contains(p.held[provider], k) {
					p.held[provider] = append(p.held[provider], k)
					grown = true
				}
			}
		}
	}
	return len(p.held) > before
}

// goes reports whether a request is removed by this pass, from every cluster.
func (p *pass) goes(k platform.RequestKey) bool {
	_, orphan := slices.BinarySearchFunc(p.orphans, k, platform.RequestKey.Compare)
	if !orphan || p.stays(k) {
		return false
	}
	answer, answered := p.answer(k)
	return !answered || answer.Absent && len(answer.Clusters) == 0
}

// consumersAfter are the requests, by the providers that they are bound to if they stay.
func (p *pass) consumersAfter() map[platform.RequestKey][]platform.RequestKey {
	bound := map[platform.RequestKey][]platform.RequestKey{}
	add := func(k platform.RequestKey, bindings map[string]platform.RequestKey) {
		for _, provider := range bindings {
			bound[provider] = append(bound[provider], k)
		}
	}
	for _, c := range p.candidates {
		answer, answered := p.answer(c.key())
		if !c.broken() && !answered {
			add(c.key(), c.instance.Bindings)
			continue
		}
		if answered && answer != nil {
			add(c.key(), answer.Bindings(p.environment.Name))
		}
		if c.base != nil && (!answered || !isWhole(c.next, answer)) {
			add(c.key(), c.base.Bindings(p.environment.Name))
		}
	}
	for k := range p.direction.Restore {
		add(k, p.restored(k).Bindings(p.environment.Name))
	}
	for _, provider := range p.orphans {
		for k := range p.index.consumers[provider] {
			if p.byKey[k] == nil && p.restored(k) == nil {
				bound[provider] = append(bound[provider], k)
			}
		}
	}
	return bound
}

// keepHeld says of a request that is gone why it stays.
func (p *pass) keepHeld(k platform.RequestKey, release *state.Release) {
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
