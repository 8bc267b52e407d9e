package kustomize

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splitField splits patches[0].target.kind into its steps.
func splitField(field string) []string {
	return strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// Lookup returns the value at a path of keys and indices, or nil.
func Lookup(n *yaml.Node, path ...string) *yaml.Node {
	for _, step := range path {
		_, n = child(n, step)
		if n == nil {
			return nil
		}
	}
	return n
}

// lookupKey returns the key, not the value, at the end of a path: the position that an editor should show.
func lookupKey(n *yaml.Node, path []string) *yaml.Node {
	var key *yaml.Node
	for _, step := range path {
		key, n = child(n, step)
		if n == nil {
			return nil
		}
	}
	return key
}

func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if n == nil {
		return nil, nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// IsIndex reports whether a step of a path goes into a list: by a number, to every entry, or behind the last one.
func IsIndex(step string) bool {
	switch step {
	case "*", "-":
		return true
	case "":
		return false
	}
	return strings.Trim(step, "0123456789") == ""
}
