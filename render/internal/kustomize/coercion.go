package kustomize

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"transom.dev/render/platform"
)

// Coerced returns the inputs that Kustomize would turn into something else while it writes them: a value whose type
// differs from its target's is read anew as the target's type, so that `"0o17"` in an integer became 15. A value that
// is not there is reported too, with a better remedy than Kustomize has.
func (s *Skeleton) Coerced(inputs map[string]any) ([]platform.Problem, error) {
	if len(s.targets) == 0 {
		return nil, nil
	}
	text, err := marshalInputs(inputs)
	if err != nil {
		return nil, err
	}
	values, err := kio.FromBytes(text)
	if err != nil || len(values) != 1 {
		return nil, fmt.Errorf("read back the inputs: %w", err)
	}
	var problems []platform.Problem
	for _, t := range s.targets {
		value, err := values[0].Pipe(yaml.Lookup(t.source...))
		rule, message := "value", ""
		if err != nil || value.IsNilOrEmpty() {
			message = fmt.Sprintf("reads %s, which has no value here; give it a default that is not empty, "+
				"or write it in a component with a condition", strings.Join(t.source, "."))
		} else {
			rule, message = "coercion", t.coerces(value)
		}
		if message != "" {
			p := t.write.place
			p.Rule, p.Message = rule, message
			problems = append(problems, p)
		}
	}
	return problems, nil
}

// coerces says what is wrong with writing the value into the target, or nothing.
func (t target) coerces(value *yaml.RNode) string {
	from := typeOf(value.YNode())
	if t.split || t.write.Source.Options != nil && t.write.Source.Options.Delimiter != "" {
		if t.field != nil && typeOf(t.field.YNode()) != "a string" {
			return t.says(from, typeOf(t.field.YNode()))
		}
		return ""
	}
	if t.field != nil && t.field.YNode().Kind != yaml.ScalarNode || value.YNode().Kind != yaml.ScalarNode {
		return t.structured(value, from)
	}
	written := &yaml.Node{Kind: yaml.ScalarNode, Value: value.YNode().Value}
	to := "a new field"
	if t.field != nil {
		written.Tag, written.Style = t.field.YNode().Tag, t.field.YNode().Style
		to = typeOf(t.field.YNode())
	}
	read, ok := reread(written)
	switch {
	case ok && from == "an integer" && to == "a number":
		return ""
	case !ok, typeOf(read) != from:
		return t.says(from, to)
	case read.Value != value.YNode().Value:
		return fmt.Sprintf("%s has a character that Kustomize loses on the way to %s of %s",
			strings.Join(t.source, "."), t.path, t.object)
	}
	return ""
}

func (t target) structured(value *yaml.RNode, from string) string {
	if t.field == nil {
		return ""
	}
	if to := typeOf(t.field.YNode()); to != from {
		return t.says(from, to)
	}
	return ""
}

func (t target) says(from, to string) string {
	source := strings.Join(t.source, ".")
	if t.field == nil {
		return fmt.Sprintf("%s is %s that Kustomize would read as another type in the new field %s of %s; "+
			"write a value of its type there instead of create: true", source, from, t.path, t.object)
	}
	return fmt.Sprintf("%s is %s, but %s of %s is %s, and Kustomize would convert it; make them the same type",
		source, from, t.path, t.object, to)
}

// reread writes a node as YAML and reads it back, as Kustomize does before it prints.
func reread(n *yaml.Node) (*yaml.Node, bool) {
	text, err := yaml.NewRNode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}).String()
	if err != nil {
		return nil, false
	}
	back, err := yaml.Parse(text)
	if err != nil || len(back.YNode().Content) != 1 {
		return nil, false
	}
	read := back.YNode().Content[0]
	var value any
	if err := read.Decode(&value); err != nil {
		return nil, false
	}
	return read, true
}

func typeOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "a string"
	case "!!int":
		return "an integer"
	case "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "null"
	}
	return "a value of type " + strings.TrimPrefix(n.ShortTag(), "!!")
}
