package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// judging lists the policies of an environment, sorted by name.
func judging(p *platform.Platform, environment string) (policies []*platform.Policy) {
	for _, name := range slices.Sorted(maps.Keys(p.Policies)) {
		if policy := p.Policies[name]; policy.Judges(environment) {
			policies = append(policies, policy)
		}
	}
	return policies
}

// judge checks every object of a candidate against the environment's policies, as far as these have steps. What they find is
// told by keepAllowances, and what they come not to is found there.
func (b *builder) judge(c *candidate) error {
	if c.broken() || len(b.policies) == 0 {
		return nil
	}
	c.judged = c.evaluation.judgementOf(c.placements, b.policies)
	c.evaluation.judged = c.judged
	s := &attempt{judgement: c.judged}
	for n, f := range c.judged.findings {
		tried := f.done || f.cost > 0
		s.open = append(s.open, !tried && b.shared.remaining[n].Load() >= 0)
	}
	s.spend = func(n int, cost int64) { b.shared.remaining[n].Add(-cost) }
	s.room = func(n int) int64 { return min(b.shared.remaining[n].Load(), b.shared.one-c.judged.findings[n].cost) }
	return b.judgeAll(c, s)
}

// judgeAll brings findings about a candidate to their end.
func (b *builder) judgeAll(c *candidate, s *attempt) error {
	if !slices.Contains(s.open, true) {
		return nil
	}
	s.begin()
	for _, placed := range c.placements {
		manifest := placed.manifest
		if placed.carried {
			var err error
			if manifest, err = b.base.Read(state.ManifestFile(placed.cluster.Name, c.key())); err != nil {
				return err
			}
		}
		if err := s.judge(manifest, placed.inputs.Map(), placed.carried); err != nil {
			return fmt.Errorf("%s on %s: %w", c.key(), placed.cluster.Name, err)
		}
	}
	s.end()
	return nil
}

// tellFindings adds the findings of policies to the Problems of a candidate, and says where a policy took too many steps. A placement with a new render key is
// denied; one that is there already, under a policy that came later, is only warned of.
func (b *builder) tellFindings(c *candidate, l *budget) error {
	s := l.attempt(c.judged)
	for n, f := range c.judged.findings {
		s.open = append(s.open, !f.done && f.cost <= l.most(n))
	}
	if err := b.judgeAll(c, s); err != nil {
		return err
	}
	for n := range c.judged.findings {
		f := &c.judged.findings[n]
		ended, told := l.enter(n, c.key().String(), f)
		if told {
			c.add(f.problems...)
		}
		if ended != nil {
			ended.Warning = !f.policy.Denies() || c.carried()
			c.add(*ended)
		}
	}
	return nil
}

// keepAllowances keeps each policy to the steps that it may take for all requests of the environment, of which those count that this
// pass does not visit: a request comes to the same in every pass.
func (p *pass) keepAllowances() error {
	if len(p.policies) == 0 {
		return nil
	}
	l := newBudget(p.snapshot)
	for i := range p.instances.All() {
		k := i.Request.Key
		if c, visited := p.byKey[k]; visited {
			if c != nil && c.judged != nil {
				if err := p.builder.tellFindings(c, l); err != nil {
					return fmt.Errorf("render %s: %w", p.environment.Name, err)
				}
			}
			continue
		}
		e := p.memory.evaluation(i)
		if e == nil || e.judged == nil || len(e.judged.findings) != len(p.policies) {
			continue
		}
		for n := range e.judged.findings {
			l.enter(n, k.String(), &e.judged.findings[n])
		}
	}
	return nil
}

// judgeNamespace checks a team's namespace on one cluster, and the other objects in its file, against the environment's policies.
// It has no request and no parameters. Where the base has these very bytes they stay, and are only warned of.
func (b *builder) judgeNamespace(file string, manifest []byte, inputs map[string]any, l *budget) []platform.Problem {
	if len(b.policies) == 0 {
		return nil
	}
	before, err := b.base.Read(file)
	if err != nil {
		return nil // nothing is concluded: writing this file fails for the same reason
	}
	stays := bytes.Equal(before, manifest)
	variables := maps.Clone(inputs)
	variables["request"] = map[string]any{"team": inputs["request"].(map[string]any)["team"], "name": ""}
	j := &judgement{findings: make([]finding, len(b.policies))}
	s := l.attempt(j)
	s.open = slices.Repeat([]bool{true}, len(b.policies))
	for n, policy := range b.policies {
		j.findings[n].policy = policy
	}
	if err := s.judge(manifest, variables, stays); err != nil {
		return []platform.Problem{buildProblem(b.environment.File, err)}
	}
	s.end()
	var found []platform.Problem
	for n := range j.findings {
		f := &j.findings[n]
		ended, told := l.enter(n, "the namespace of "+strings.TrimSuffix(file, ".yaml"), f)
		if told {
			found = append(found, f.problems...)
		}
		if ended != nil {
			ended.Warning = stays || !f.policy.Denies()
			found = append(found, *ended)
		}
	}
	return attribute(found, b.environment.File)
}

func judgeObject(policy *platform.Policy, id objectID, variables map[string]any, carried bool, most int64) ([]platform.Problem, int64) {
	failed, problems, cost := policy.Judge(id.String(), variables, most)
	for _, message := range failed {
		problem := platform.Problem{Rule: "policy"}
		switch {
		case !policy.Denies():
			problem.Message = fmt.Sprintf("policy %s warns of the %s: %s", policy.Name, id, message)
		case carried:
			problem.Message = fmt.Sprintf("policy %s denies the %s, which stays as it is until it changes: %s", policy.Name, id, message)
		default:
			problem.Message = fmt.Sprintf("policy %s denies the %s: %s", policy.Name, id, message)
		}
		problems = append(problems, problem)
	}
	for i := range problems {
		problems[i].Warning = carried || !policy.Denies()
	}
	return problems, cost
}

// judgeAlone tells a candidate what policies find about it, as if it were the only one.
func (p *pass) judgeAlone(c *candidate) error {
	if len(p.policies) == 0 {
		return nil
	}
	c.judged = c.evaluation.judgementOf(c.placements, p.policies)
	return p.builder.tellFindings(c, newBudget(p.snapshot))
}
