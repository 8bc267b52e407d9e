package platform

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

type policySpec struct {
	Match struct {
		Environments []string
		Offerings    []string
		Kinds        []struct {
			Group string
			Kind  string `decode:"required"`
		}
	}
	Validations []struct {
		Expression string `decode:"required"`
		Message    string `decode:"required" is:"prose"`
	}
	Quotas []quotaSpec
	Action string `decode:"required" oneof:"deny|warn"`
}

// maxValidations bounds the cost of judging one object, together with the cost limit of each expression.
const maxValidations = 50

// decodePolicy reads policies/<name>.yaml.
func decodePolicy(d *document, name string) *Policy {
	p := &Policy{Name: name, File: d.path}
	o, ok := read[policySpec](d, "Policy", name)
	if ok {
		p.Environments, p.Offerings, p.Action = o.Spec.Match.Environments, o.Spec.Match.Offerings, o.Spec.Action
		d.longer("spec.match.environments", len(p.Environments), maxNamed)
		d.longer("spec.match.offerings", len(p.Offerings), maxNamed)
		if d.tooLong("spec.match.kinds", len(o.Spec.Match.Kinds)) {
			o.Spec.Match.Kinds = nil
		}
		for i, k := range o.Spec.Match.Kinds {
			checkPolicyKind(d, fieldpath.Index("spec.match.kinds", i)+".kind", k.Group, k.Kind)
			p.Kinds = append(p.Kinds, Kind{Group: k.Group, Kind: k.Kind})
		}
		readQuotas(d, p, o.Spec.Quotas, len(o.Spec.Validations))
		if len(o.Spec.Validations) > maxValidations {
			d.problem("spec.validations", "too-many", "has %d validations and may have %d; split the policy", len(o.Spec.Validations), maxValidations)
		}
		for i, v := range o.Spec.Validations {
			field := fieldpath.Index("spec.validations", i)
			if e := d.compileExpression(field+".expression", field, v.Expression, policyScope(), expression.Bool); e != nil {
				p.Validations = append(p.Validations, rule{Expression: e, Message: v.Message})
			}
		}
	}
	d.checkName(name, maxLabel)
	p.Broken = d.broken()
	sayIdle(d)
	return p
}

// sayIdle ends the first Problem of a policy with its consequence: unlike a broken request, it has nothing to keep to.
func sayIdle(d *document) {
	var first *Problem
	for i := range d.problems {
		p := &d.problems[i]
		if p.Warning {
			continue
		}
		if first == nil || p.Compare(*first) < 0 {
			first = p
		}
	}
	if first != nil {
		first.Message += "; until this is mended the policy judges nothing"
	}
}

// checkPolicyKind finds a kind that no object can be of, so that the policy would never act: most often one without its
// group.
func checkPolicyKind(d *document, field, group, kind string) {
	if _, known := builtin.Scope(group, kind); known || kind == "" || strings.Contains(group, ".") {
		return
	}
	if elsewhere := builtin.GroupOf(kind); elsewhere != "" {
		d.problem(field, "unknown-kind", "Kubernetes has no kind %s in %s; it is in the group %s", wording.Shorten(kind), groupName(group), elsewhere)
		return
	}
	d.problem(field, "unknown-kind", "Kubernetes has no kind %s in %s%s", wording.Shorten(kind), groupName(group),
		wording.Suggest(kind, builtin.Kinds(group)))
}

func groupName(group string) string {
	if group == "" {
		return "its core group"
	}
	return "the group " + wording.Shorten(group)
}

// Denies says whether an object that breaks the policy is refused, or only warned of.
func (p *Policy) Denies() bool { return p.Action == "deny" }

// Judges says whether objects of an environment are checked against the policy. A Broken one judges nothing.
func (p *Policy) Judges(environment string) bool {
	if p.Broken {
		return false
	}
	return len(p.Environments) == 0 || slices.Contains(p.Environments, environment)
}

// Matches says whether objects of a kind are checked against the policy.
func (p *Policy) Matches(group, kind string) bool {
	if len(p.Validations) == 0 {
		return false
	}
	return len(p.Kinds) == 0 || slices.ContainsFunc(p.Kinds, func(k Kind) bool { return k.Group == group && k.Kind == kind })
}

// Judge checks one rendered object against the policy. The variables are those of an Inputs object and object. It returns
// the messages of the validations that the object fails, and a Problem for each that cannot be evaluated,
// which begins with the name of the object.
//
// The cost is in the steps that CEL counts, of which one expression may take a million. Once it is more than most nothing else is
// evaluated.
func (p *Policy) Judge(name string, vars map[string]any, most int64) (failed []string, problems []Problem, cost int64) {
	for _, v := range p.Validations {
		if cost > most {
			return failed, problems, cost
		}
		result, spent, err := v.Expression.Evaluate(vars)
		cost += spent.Cost
		passed, isBool := result.(bool)
		if err == nil && !isBool {
			err = fmt.Errorf("results in %s, not in a boolean", wording.Value(result))
		}
		switch {
		case err != nil:
			problems = append(problems, problemAt(v.Expression, "policy", fmt.Sprintf("cannot judge the %s: %s: %s", name, wording.Shorten(oneLine(v.Expression.Source)), err)))
		case !passed:
			failed = append(failed, v.Message)
		}
	}
	return failed, problems, cost
}

func oneLine(source string) string { return strings.Join(strings.Fields(source), " ") }
