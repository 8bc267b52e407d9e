package render

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// unprefixed warns about text that equals the name that an object had before its prefix. Kustomize renames the
// references that it knows; it does not reach into environment variables, arguments, ConfigMaps and custom kinds.
func unprefixed(file string, objects []kustomize.Object, rendered []*yaml.Node) []platform.Problem {
	names := map[string]string{} // to the kind
	for _, o := range objects {
		names[o.Name] = o.Kind
	}
	var warnings []platform.Problem
	for _, document := range rendered {
		root := document.Content[0]
		apiVersion, kind := valueOf(root, "apiVersion"), valueOf(root, "kind")
		group, _, grouped := strings.Cut(apiVersion, "/")
		_, builtin := platform.BuiltinScope(group, kind)
		visit := &textVisitor{custom: grouped && !builtin, found: func(field, text string) {
			if of, known := names[text]; known {
				warnings = append(warnings, platform.Problem{
					File: file, Rule: "unprefixed-name", Warning: true,
					Message: fmt.Sprintf("%s of the %s is %q, which is what the %s is called before its prefix; "+
						"compute the final name: request.name + %q", field, kind, text, of, "-"+text),
				})
			}
		}}
		visit.node(root, nil)
	}
	return warnings
}

func valueOf(m *yaml.Node, key string) string {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1].Value
		}
	}
	return ""
}

// A textVisitor finds the strings of an object that Kustomize takes for text.
type textVisitor struct {
	custom bool // a kind of which Kustomize knows no reference
	found  func(field, text string)
}

func (v *textVisitor) node(n *yaml.Node, path []string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if len(path) == 0 && key == "metadata" {
				continue
			}
			v.node(n.Content[i+1], append(slices.Clone(path), key))
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			v.node(item, append(slices.Clone(path), fmt.Sprintf("[%d]", i)))
		}
	case yaml.ScalarNode:
		if v.isText(path) {
			v.found(strings.ReplaceAll(strings.Join(path, "."), ".[", "["), n.Value)
		}
	}
}

func (v *textVisitor) isText(path []string) bool {
	if len(path) < 2 {
		return false
	}
	if v.custom {
		return true
	}
	last, list := path[len(path)-1], path[len(path)-2]
	if len(path) > 2 && last == "value" && path[len(path)-3] == "env" {
		return true
	}
	return path[0] == "data" && len(path) == 2 || list == "args" || list == "command"
}
