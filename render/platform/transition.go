package platform

// Transition checks an instance's parameters against the rules of its version's schema that ask for the value before, oldSelf: the
// parameters of from, the request of the same offering that its environment runs, if any.
func (p *Platform) Transition(i *Instance, from *RequestSpec) []Problem {
	if from == nil {
		return nil
	}
	env, f := i.Environment.Name, p.fileOf(i)
	d := f.document(env)
	for _, wrong := range i.Version.Parameters.Transition(mergePatch(from.Parameters, from.Environments[env].Parameters), i.Parameters) {
		d.problem(f.parameter(env, wrong.Field), "transition", "%s (unlike in what %s runs)", wrong.Message, env)
	}
	return d.problems
}
