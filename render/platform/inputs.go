package platform

import (
	"fmt"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// Inputs evaluates the values that rendering this instance for one cluster may read: its namespace and the version's
// computed values. The outputs of the instances that it is bound to come by the name of the binding.
func (i *Instance) Inputs(c *Cluster, bindings map[string]map[string]any) (Inputs, []Problem) {
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
		in.Namespace, problems = i.namespace(in)
	}
	vars, total := in.Map(), expression.Spending{}
	for _, e := range i.Version.Computed {
		value, spent, err := e.Evaluate(vars)
		if err == nil {
			err = total.Add(spent)
		}
		if err != nil {
			problems = append(problems, i.evaluation(e, err))
			continue
		}
		in.Computed[e.Name] = value
	}
	return in, problems
}

func (i *Instance) namespace(in Inputs) (string, []Problem) {
	e := i.Environment.Namespace.Name
	if e == nil {
		return in.Request.Team, nil
	}
	vars := in.Map()
	value, err := e.Eval(map[string]any{
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
func (i *Instance) Components(in Inputs) (paths []string, problems []Problem) {
	vars := in.Map()
	for _, c := range i.Version.Components {
		chosen, err := c.chosen(vars)
		if err != nil {
			problems = append(problems, i.evaluation(*c.When, err))
		} else if chosen {
			paths = append(paths, c.Path)
		}
	}
	return paths, problems
}

func (c Component) chosen(vars map[string]any) (bool, error) {
	if c.When == nil {
		return true, nil
	}
	value, err := c.When.Eval(vars)
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
func (i *Instance) Outputs(in Inputs) (map[string]any, []Problem) {
	if len(i.Version.Outputs) == 0 {
		return nil, nil
	}
	var problems []Problem
	vars, out, total := in.Map(), map[string]any{}, expression.Spending{}
	for _, e := range i.Version.Outputs {
		value, spent, err := e.Evaluate(vars)
		if err == nil {
			err = total.Add(spent)
		}
		if err != nil {
			problems = append(problems, i.evaluation(e, err))
			continue
		}
		out[e.Name] = value
	}
	return out, problems
}

// evaluation reports an expression that failed for this instance, where it is written.
func (i *Instance) evaluation(e expression.Expression, err error) Problem {
	p := problemAt(&e, "expression", err.Error())
	p.Environment, p.Request = i.Environment.Name, &i.Request.Key
	return p
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
