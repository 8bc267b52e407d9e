package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/internal/manifests"
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

// A judgement is the Problems by policies of a release that stays as it is, so that it is read and judged once.
type judgement struct {
	policies []*platform.Policy
	release  *state.Release
	problems []platform.Problem
}

func (j *judgement) isOf(release *state.Release, policies []*platform.Policy) bool {
	return j.release == release && slices.Equal(j.policies, policies)
}

// judge checks every object of a candidate against the environment's policies. A placement with a new render key is denied; one
// that is there already, under a policy that came later, is only warned of.
func (b *builder) judge(c *candidate) error {
	policies := b.policies
	if c.broken() || len(policies) == 0 {
		return nil
	}
	stays := c.base != nil && c.carried()
	if stays && c.evaluation.judged.isOf(c.base, policies) {
		c.add(c.evaluation.judged.problems...)
		return nil
	}
	var found []platform.Problem
	for _, placed := range c.placements {
		problems, err := b.judgePlacement(c, placed, policies)
		if err != nil {
			return err
		}
		found = append(found, problems...)
	}
	if stays {
		c.evaluation.judged = judgement{policies, c.base, found}
	}
	c.add(found...)
	return nil
}

func (b *builder) judgePlacement(c *candidate, placed *placement, policies []*platform.Policy) ([]platform.Problem, error) {
	manifest := placed.manifest
	if placed.carried {
		var err error
		if manifest, err = b.base.Read(state.ManifestFile(placed.cluster.Name, c.key())); err != nil {
			return nil, err
		}
	}
	found, err := judgeManifest(policies, manifest, placed.inputs.Map(), placed.carried)
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", c.key(), placed.cluster.Name, err)
	}
	return found, nil
}

// judgeNamespace checks a team's namespace on one cluster, and the other objects in its file, against the environment's policies.
// It has no request and no parameters. Where the base has these very bytes they stay, and are only warned of.
func (b *builder) judgeNamespace(file string, manifest []byte, inputs map[string]any) []platform.Problem {
	if len(b.policies) == 0 {
		return nil
	}
	before, err := b.base.Read(file)
	if err != nil {
		return nil // nothing is concluded: writing this file fails for the same reason
	}
	variables := maps.Clone(inputs)
	variables["request"] = map[string]any{"team": inputs["request"].(map[string]any)["team"], "name": ""}
	found, err := judgeManifest(b.policies, manifest, variables, bytes.Equal(before, manifest))
	if err != nil {
		found = append(found, buildProblem(b.environment.File, err))
	}
	return attribute(found, b.environment.File)
}

// judgeManifest checks every object of a manifest against policies; variables are the inputs it was rendered from.
func judgeManifest(policies []*platform.Policy, manifest []byte, variables map[string]any, stays bool) (found []platform.Problem, err error) {
	budget := judgeBudget
	for _, text := range manifests.Split(manifest) {
		objects, err := parseObjects(text)
		if err != nil || len(objects) != 1 {
			continue // whoever wrote it, it was no rendering
		}
		id, object := objects[0].id, map[string]any(nil)
		for _, policy := range policies {
			if !policy.Matches(id.group, id.kind) {
				continue
			}
			if object == nil {
				if object, err = manifests.Object(text); err != nil {
					return nil, fmt.Errorf("%s: %w", id, err)
				}
				variables["object"] = object
			}
			problems, cost := judgeObject(policy, id, variables, stays)
			found = append(found, problems...)
			if budget -= cost + judgeCost; budget < 0 {
				return append(found, platform.Problem{
					File: policy.File, Rule: "too-much-work", Warning: stays,
					Message: fmt.Sprintf("judging all objects of one request takes more than %d steps of CEL, at the %s; narrow what the policies match", judgeBudget, id),
				}), nil
			}
		}
	}
	return found, nil
}

// judgeBudget is how many steps of CEL judging one manifest may take: ten times those of one expression. Each policy
// that looks at an object takes some.
const judgeBudget, judgeCost = int64(10_000_000), int64(20)

func judgeObject(policy *platform.Policy, id objectID, variables map[string]any, carried bool) ([]platform.Problem, int64) {
	failed, problems, cost := policy.Judge(id.String(), variables)
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
