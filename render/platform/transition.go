package platform

import (
	"context"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Transition holds an instance's parameters to the rules of its version's schema that ask for the value before, oldSelf: the
// parameters of from, the request of the same offering that its environment runs, if any. A request whose parameters have
// other types than the schema says now was no step before this one.
func (p *Platform) Transition(i *Instance, from *RequestSpec) []Problem {
	s, env := i.Version.Parameters, i.Environment.Name
	if s.rules == nil || from == nil {
		return nil
	}
	old := s.Default(mergePatch(from.Parameters, from.Environments[env].Parameters))
	decimals(old, s.structural)
	if len(validation.ValidateCustomResource(nil, old, s.validator)) > 0 {
		return nil
	}
	f := p.fileOf(i)
	d := f.document(env)
	errs, _ := s.rules.Validate(context.Background(), nil, s.structural, i.Parameters, old, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		wrong := s.fieldError(err, i.Parameters)
		d.problem(f.parameter(env, wrong.field), "transition", "%s (unlike in what %s runs)", wrong.message, env)
	}
	return d.problems
}
