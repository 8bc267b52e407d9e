package kustomize

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// references counts the fields of all objects that may name another object. Kustomize compares each of them with every
// object of the build, to find the one whose name a prefix has changed.
func (a *accumulation) references() (count int64) {
	for _, i := range a.items {
		count = plus(count, references(i.root, ""))
	}
	return count
}

// references counts the texts below a node that may name an object, given the field that has the node. It is a little more
// than the fields that Kustomize knows by their paths.
func references(n *yaml.Node, field string) (count int64) {
	n = resolved(n)
	if n == nil {
		return 0
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, resolved(n.Content[i+1])
			switch {
			case value == nil || value.Kind != yaml.ScalarNode:
				count = plus(count, references(value, key))
			case strings.HasSuffix(key, "Name"), key == "name" && refers(field):
				count++
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if below := resolved(item); field == "resourceNames" && below != nil && below.Kind == yaml.ScalarNode {
				count++
			} else {
				count = plus(count, references(below, field))
			}
		}
	}
	return count
}

// refers says whether the name below a field is that of another object.
func refers(field string) bool {
	switch field {
	case "configMap", "secret", "service", "imagePullSecrets", "subjects":
		return true
	}
	return strings.HasSuffix(field, "Ref")
}
