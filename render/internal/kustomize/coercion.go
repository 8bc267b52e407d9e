package kustomize

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
)

// Coerced returns the inputs that Kustomize would turn into something else while it writes them: a value whose type
// differs from its target's is read anew as the target's type, so that `"0o17"` in an integer became 15. A value that
// is not there is reported too, with a better remedy than Kustomize has.
func (s *Skeleton) Coerced(inputs map[string]any) ([]platform.Problem, error) {
	if len(s.targets) == 0 {
		return nil, nil
	}
	var problems []platform.Problem
	var values *yaml.RNode
	for _, t := range s.targets {
		given := valueAt(inputs, t.source)
		if t.plainly(given) {
			continue
		}
		if values == nil {
			var err error
			if values, err = readBack(inputs); err != nil {
				return nil, err
			}
		}
		value, err := values.Pipe(yaml.Lookup(t.source...))
		rule, message := "value", ""
		switch {
		case merges(given):
			rule, message = "coercion", t.changes()
		case err != nil || value.IsNilOrEmpty():
			message = fmt.Sprintf("reads %s, which has no value here; give it a default that is not empty, "+
				"or write it in a component with a condition", strings.Join(t.source, "."))
		case t.field == nil && t.metadataText() && value.YNode().Kind != yaml.ScalarNode:
			rule, message = RuleStructure, t.structureless(strings.Join(t.source, "."), typeOf(value.YNode()))
		default:
			rule, message = "coercion", t.coerces(value)
		}
		if message != "" {
			p := t.write.position
			p.Rule, p.Message = rule, message
			problems = append(problems, p)
		}
	}
	return problems, nil
}

// readBack takes the inputs through YAML, as Kustomize gets them.
func readBack(inputs map[string]any) (*yaml.RNode, error) {
	text, err := marshalInputs(inputs)
	if err != nil {
		return nil, err
	}
	values, err := kio.FromBytes(text)
	if err != nil || len(values) != 1 {
		return nil, fmt.Errorf("read back the inputs: %w", err)
	}
	return values[0], nil
}

// plainly reports whether the target takes its value as it is without a doubt, as most do: the two have one type, and
// text is none that YAML could take for anything else.
func (t target) plainly(value any) bool {
	if t.split || t.write.Source.Options != nil || t.field == nil || t.field.YNode().Kind != yaml.ScalarNode {
		return false
	}
	switch v := value.(type) {
	case string:
		return t.field.YNode().Tag == "!!str" && (plain.MatchString(v) || isWord(v))
	case bool:
		return t.field.YNode().Tag == "!!bool"
	case int64:
		return t.field.YNode().Tag == "!!int"
	}
	return false
}

// valueAt is the value at a path of the inputs, or nothing; of a list it is the whole one, whichever element is meant.
func valueAt(value any, path []string) any {
	for _, step := range path {
		if list, ok := value.([]any); ok {
			return list
		}
		m, _ := value.(map[string]any)
		value = m[step]
	}
	return value
}

// merges reports whether a value has a map with the key that Kustomize takes for a merge of the map below it, and loses.
func merges(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			if key == "<<" || merges(below) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, merges)
	}
	return false
}

// plain is text such as a name, an image, a host or a quantity. Six letters are more than any boolean or null has.
var plain = regexp.MustCompile(`^(?:[A-Za-z]{6}|[A-Za-z]+[0-9./@_-])(?:[A-Za-z0-9.:/@_-]*[A-Za-z0-9])?$|^[1-9][0-9]*[A-Z][a-z]?$`)

// isWord reports whether text is a short word, and none that some YAML reads as a boolean, a null or a number.
func isWord(text string) bool {
	return word.MatchString(text) && !slices.Contains(taken, strings.ToLower(text))
}

var (
	word  = regexp.MustCompile(`^[A-Za-z]{1,5}$`)
	taken = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
)

// coerces says how the target would change the value that is written into it; empty if it would not.
func (t target) coerces(value *yaml.RNode) string {
	from := typeOf(value.YNode())
	if !readableThroughout(value.YNode()) {
		return t.changes()
	}
	if t.parts() {
		if t.field != nil && typeOf(t.field.YNode()) != "a string" {
			return fmt.Sprintf("%s of %s is %s, of which no part can be replaced; quote it",
				t.path, t.object, typeOf(t.field.YNode()))
		}
		return ""
	}
	intoScalar := t.field == nil || t.field.YNode().Kind == yaml.ScalarNode
	if !intoScalar || value.YNode().Kind != yaml.ScalarNode {
		return t.structured(from)
	}
	written := &yaml.Node{Kind: yaml.ScalarNode, Value: value.YNode().Value}
	to := "a new field"
	if t.field != nil {
		written.Tag, written.Style = t.field.YNode().Tag, t.field.YNode().Style
		to = typeOf(t.field.YNode())
	}
	switch {
	case from == "an integer" && to == "a number", sameAfterwards(value.YNode(), written):
		return ""
	case from == to:
		return t.changes()
	}
	return t.says(from, to)
}

func (t target) changes() string {
	return fmt.Sprintf("%s is text that Kustomize would not carry to %s of %s unchanged; it has a character "+
		"that YAML takes for something else", strings.Join(t.source, "."), t.path, t.object)
}

func (t target) structured(from string) string {
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

// sameAfterwards reports whether a value, written into a node and taken through YAML as Kustomize does before it
// prints, is still the same value of the same type.
func sameAfterwards(value, written *yaml.Node) bool {
	text, err := yaml.NewRNode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{written}}).String()
	if err != nil {
		return false
	}
	back, err := yaml.Parse(text)
	if err != nil || len(back.YNode().Content) != 1 {
		return false
	}
	var before, after any
	if value.Decode(&before) != nil || back.YNode().Content[0].Decode(&after) != nil {
		return false
	}
	return reflect.DeepEqual(before, after)
}

// readable reports whether a string is the same once Kustomize has printed it and somebody has read that.
//
// Every YAML library on the way escapes the characters that it must, but Kustomize prints an object by writing it as JSON,
// and sigs.k8s.io/yaml reads that JSON with a YAML parser. Go's JSON escapes U+2028 and U+2029, and neither U+0085, which
// inside quotes is a line break to that parser, folded to a space, nor DEL, the other C1 controls and U+FFFE, at which it
// fails. No style and no tag reaches that text. To escape them ourselves there, or to exchange a stand-in afterwards,
// would carry them; but then the committed bytes are not those that "kustomize build" makes of the wrapper, and whoever
// compares the two finds them different for good. So such text is refused, whole.
func readable(text string) bool {
	printed, err := k8syaml.Marshal([]string{text})
	if err != nil {
		return false
	}
	var one, two []string
	return k8syaml.Unmarshal(printed, &one) == nil && slices.Equal(one, []string{text}) &&
		yaml.Unmarshal(printed, &two) == nil && slices.Equal(two, []string{text})
}

// readableThroughout reports whether all text of a value is readable, that in maps and lists too.
func readableThroughout(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return n.ShortTag() != "!!str" || readable(n.Value)
	}
	return !slices.ContainsFunc(n.Content, func(part *yaml.Node) bool { return !readableThroughout(part) })
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
