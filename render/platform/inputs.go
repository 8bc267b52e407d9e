package platform

import (
	"fmt"

	"transom.dev/render/expression"
	"transom.dev/render/schema"
	"transom.dev/render/wording"
)

// Inputs evaluates the values that rendering this instance for one cluster may read: its namespace and the version's
// computed values. The outputs of the instances that it is bound to come by the name of the binding.
func (i *Instance) Inputs(c *Cluster, bindings map[string]map[string]any) (Inputs, []Problem) {
	return i.InputsWithin(c, bindings, &expression.Tally{Most: expression.All})
}

// InputsWithin is Inputs that ends where the expressions cost more than a tally has.
func (i *Instance) InputsWithin(c *Cluster, bindings map[string]map[string]any, t *expression.Tally) (Inputs, []Problem) {
	in := Inputs{
		Request:     inputsRequest{Name: i.Request.Key.Name, Team: i.Request.Key.Team},
		Parameters:  i.Parameters,
		Computed:    map[string]any{},
		Bindings:    bindings,
		Environment: inputsEnvironment{Name: i.Environment.Name, Values: i.Environment.Values},
		Cluster:     inputsCluster{Name: c.Name, Labels: c.Labels},
	}
	var problems []Problem
	if i.Version.Scope == Namespaced {
		in.Namespace, problems = i.namespace(in, t)
	}
	var wrong []Problem
	in.Computed, wrong = i.evaluateAll(i.Version.Computed, in.Map(), t)
	return in, append(problems, wrong...)
}

// evaluateAll evaluates expressions, as far as a tally goes.
func (i *Instance) evaluateAll(all []expression.Expression, vars map[string]any, t *expression.Tally) (values map[string]any, problems []Problem) {
	values = map[string]any{}
	for n := range all {
		e := &all[n]
		value, err := t.Evaluate(e, vars)
		switch {
		case t.Over():
			return values, append(problems, i.overspent(e, err, t))
		case err != nil:
			problems = append(problems, i.evaluation(*e, err))
		default:
			values[e.Name] = value
		}
	}
	return values, problems
}

func (i *Instance) namespace(in Inputs, t *expression.Tally) (string, []Problem) {
	e := i.Environment.Namespace.Name
	if e == nil {
		return in.Request.Team, nil
	}
	vars := in.Map()
	value, err := t.Evaluate(e, map[string]any{
		"request": map[string]any{"team": in.Request.Team}, "environment": vars["environment"], "cluster": vars["cluster"],
	})
	name, isString := value.(string)
	switch {
	case err != nil:
	case !isString:
		err = fmt.Errorf("must result in a string, not in %s", wording.Value(value))
	case wrongName(name, maxLabel) != "":
		err = fmt.Errorf("results in %q, which %s", wording.Shorten(name), wrongName(name, maxLabel))
	case ReservedNamespace(name):
		err = fmt.Errorf("results in %q; %s", name, reserved)
	default:
		return name, nil
	}
	return "", []Problem{i.evaluation(*e, err)}
}

// Components returns the paths of the version's optional Components that are chosen, in order.
func (i *Instance) Components(in Inputs, t *expression.Tally) (paths []string, problems []Problem) {
	vars := in.Map()
	for _, c := range i.Version.Components {
		chosen, err := c.chosen(vars, t)
		switch {
		case err != nil && t.Over():
			return nil, append(problems, i.overspent(c.When, err, t))
		case err != nil:
			problems = append(problems, i.evaluation(*c.When, err))
		case chosen:
			paths = append(paths, c.Path)
		}
	}
	return paths, problems
}

func (c Component) chosen(vars map[string]any, t *expression.Tally) (bool, error) {
	if c.When == nil {
		return true, nil
	}
	value, err := t.Evaluate(c.When, vars)
	if err != nil {
		return false, err
	}
	chosen, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("must result in a boolean, not in %s", wording.Value(value))
	}
	return chosen, nil
}

// Outputs evaluates the values that the instance gives to those that are bound to it.
func (i *Instance) Outputs(in Inputs, t *expression.Tally) (map[string]any, []Problem) {
	if len(i.Version.Outputs) == 0 {
		return nil, nil
	}
	return i.evaluateAll(i.Version.Outputs, in.Map(), t)
}

// evaluation reports an expression that failed for this instance, where it is written.
func (i *Instance) evaluation(e expression.Expression, err error) Problem {
	p := problemAt(&e, "expression", err.Error())
	p.Environment, p.Request = i.Environment.Name, &i.Request.Key
	return p
}

// overspent reports that the expressions of a placement cost more than they may, at the one that brought them there.
func (i *Instance) overspent(e *expression.Expression, err error, t *expression.Tally) Problem {
	p := i.evaluation(*e, err)
	if p.Rule = schema.RuleTooMuchWork; expression.All.Exceeded(t.Spent) == "" && t.Spent.Bytes <= expression.MaxTogether {
		p.Message += fmt.Sprintf(", as much as each placement of %s may cost by how many %s has; let the expressions do less", i.Offering.Name, i.Environment.Name)
	}
	return p
}

// Costly warns of expressions that cost more than those of a placement may that is new, as their allowance says; nil: they do not.
func (i *Instance) Costly(t *expression.Tally, most expression.Allowance) *Problem {
	exceeded := most.Exceeded(t.Spent)
	if exceeded == "" {
		return nil
	}
	p := i.overspent(t.Heaviest, fmt.Errorf("costs %s together with the ones beside it", exceeded), t)
	p.Message += "; the version runs already, so it may cost ten times as much"
	p.Warning = true
	return &p
}

// Map returns the inputs as the generic object that CEL and the Inputs object of a rendering show.
func (in Inputs) Map() map[string]any {
	bindings := make(map[string]any, len(in.Bindings))
	for name, b := range in.Bindings {
		bindings[name] = b
	}
	labels := make(map[string]any, len(in.Cluster.Labels))
	for k, v := range in.Cluster.Labels {
		labels[k] = v
	}
	return map[string]any{
		"request":     map[string]any{"name": in.Request.Name, "team": in.Request.Team},
		"namespace":   in.Namespace,
		"parameters":  orEmpty(in.Parameters),
		"computed":    orEmpty(in.Computed),
		"bindings":    bindings,
		"environment": map[string]any{"name": in.Environment.Name, "values": orEmpty(in.Environment.Values)},
		"cluster":     map[string]any{"name": in.Cluster.Name, "labels": labels},
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
