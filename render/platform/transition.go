package platform

import "transom.dev/render/schema"

// Transition checks an instance's parameters against the rules of its version's schema that ask for the value before, oldSelf: the
// parameters of from, the request of the same offering that its environment runs, if any.
func (p *Platform) Transition(i *Instance, from *RequestSpec) []Problem {
	if from == nil {
		return nil
	}
	env, f := i.Environment.Name, p.fileOf(i)
	d := f.document(env)
	given := mergePatch(from.Parameters, from.Environments[env].Parameters)
	for _, wrong := range i.Version.Parameters.Transition(given, i.Parameters, p.stages.shareOf(f).Times(takenTimes)) {
		if wrong.Rule == schema.RuleTooMuchWork {
			d.add(f.costly(env, i.Version, wrong.Message))
			continue
		}
		d.problem(f.parameter(env, wrong.Field), "transition", "%s (unlike in what %s runs)", wrong.Message, env)
	}
	return d.problems
}
