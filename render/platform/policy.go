package platform

import "github.com/google/cel-go/cel"

type policySpec struct {
	Match struct {
		Environments []string
		Kinds        []struct {
			Group string
			Kind  string `decode:"required"`
		}
	}
	Validations []struct {
		Expression string `decode:"required"`
		Message    string `decode:"required"`
	} `decode:"required"`
	Action string `decode:"required" oneof:"deny|warn"`
}

// decodePolicy reads policies/<name>.yaml.
func decodePolicy(d *document, name string) *Policy {
	p := &Policy{Name: name, File: d.path}
	o, ok := read[policySpec](d, "Policy", name)
	if ok {
		p.Environments, p.Action = o.Spec.Match.Environments, o.Spec.Action
		for _, k := range o.Spec.Match.Kinds {
			p.Kinds = append(p.Kinds, Kind{Group: k.Group, Kind: k.Kind})
		}
		for i, v := range o.Spec.Validations {
			d.expression(index("spec.validations", i)+".expression", "", v.Expression, policyScope(), cel.BoolType)
			p.Validations = append(p.Validations, Validation{Expression: v.Expression, Message: v.Message})
		}
		d.warn("kind", notYet, "a Policy is checked, but does not act yet")
	}
	d.name(name, maxLabel)
	p.Broken = d.broken()
	return p
}
