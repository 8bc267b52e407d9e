package kustomize

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/platform"
)

// InputsKind is the kind of the one object that carries an instance's values. Kustomize drops it by its annotation.
const (
	InputsKind = "Inputs"
	InputsName = "inputs"
)

// marshalInputs writes the Inputs object. Every string is double-quoted, so that none is read back as anything else:
// `no`, `0o17`, `1e3` and `null` stay the strings that the developer wrote.
func marshalInputs(fields map[string]any) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	appendEntry(root, "apiVersion", stringNode(platform.APIVersion))
	appendEntry(root, "kind", stringNode(InputsKind))
	metadata, err := valueNode(map[string]any{
		"name":        InputsName,
		"annotations": map[string]any{"config.kubernetes.io/local-config": "true"},
	})
	if err != nil {
		return nil, err
	}
	appendEntry(root, "metadata", metadata)
	for _, key := range sortedKeys(fields) {
		node, err := valueNode(fields[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		appendEntry(root, key, node)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("marshal inputs: %w", err)
	}
	return out.Bytes(), nil
}

func valueNode(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case string:
		return stringNode(v), nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	case map[string]any:
		return mappingNode(v)
	case []any:
		return sequenceNode(v)
	}
	return numberOrGeneric(value)
}

// numberOrGeneric takes numbers as JSON writes them and everything else by way of JSON's generic form.
func numberOrGeneric(value any) (*yaml.Node, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("marshal a value of type %T: %w", value, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var generic any
	if err := decoder.Decode(&generic); err != nil {
		return nil, fmt.Errorf("read back a value of type %T: %w", value, err)
	}
	number, ok := generic.(json.Number)
	if !ok {
		return valueNode(generic)
	}
	tag := "!!int"
	if bytes.ContainsAny(text, ".eE") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: number.String()}, nil
}

func mappingNode(m map[string]any) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range sortedKeys(m) {
		value, err := valueNode(m[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		appendEntry(node, key, value)
	}
	return node, nil
}

func sequenceNode(list []any) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.SequenceNode}
	for i, item := range list {
		value, err := valueNode(item)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		node.Content = append(node.Content, value)
	}
	return node, nil
}

func stringNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}
}

// appendEntry quotes the key only where it would not be read back as that string. The library knows where, but for a key
// that it would take to merge the map below it: such a map would count as parameters that no schema has seen.
func appendEntry(m *yaml.Node, key string, value *yaml.Node) {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	if key == "<<" {
		node.Style = yaml.DoubleQuotedStyle
	}
	m.Content = append(m.Content, node, value)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
