package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A yamlStep is one step of a path into a document: a key, or, where it is empty, an index of a list.
type yamlStep struct {
	key   string
	index int
}

// parsePath reads a path such as parameters.args[0] or labels."example.com/tier".
func parsePath(path string) (steps []yamlStep, err error) {
	wrong := fmt.Errorf("%q is no path such as parameters.image, args[0] or labels.\"example.com/tier\"", path)
	for rest := path; rest != ""; {
		var step yamlStep
		switch rest[0] {
		case '[':
			number, after, closed := strings.Cut(rest[1:], "]")
			if step.index, err = strconv.Atoi(number); err != nil || !closed || step.index < 0 {
				return nil, wrong
			}
			rest = after
		case '"':
			name, after, closed := strings.Cut(rest[1:], `"`)
			if !closed || name == "" {
				return nil, wrong
			}
			step.key, rest = name, after
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, wrong
			}
			step.key, rest = rest[:end], rest[end:]
		}
		steps = append(steps, step)
		if after, dot := strings.CutPrefix(rest, "."); dot {
			if rest = after; rest == "" {
				return nil, wrong
			}
		} else if rest != "" && rest[0] != '[' {
			return nil, wrong
		}
	}
	if len(steps) == 0 || steps[0].key == "" {
		return nil, wrong
	}
	return steps, nil
}

// errLayout is a place in a file that cannot be edited without rewriting what is around it.
var errLayout = errors.New("is written in a way that cannot be edited here; edit the file by hand")

// A yamlEdit changes values in the text of a YAML file. All else stays as it is, to the byte.
type yamlEdit struct {
	text    string
	newline string
	starts  []int // of lines
	root    *yaml.Node
}

// setYAML sets the value at a path of a YAML document and returns the document and what was there before.
func setYAML(text string, path []yamlStep, value any) (edited string, before any, err error) {
	e, err := parseYAML(text)
	if err != nil {
		return "", nil, err
	}
	var old, now any
	if err := e.root.Decode(&old); err != nil {
		return "", nil, fmt.Errorf("read the document: %w", err)
	}
	before, want, err := assign(old, path, value)
	if err != nil {
		return "", nil, err
	}
	if edited, err = e.set(path, value); err != nil {
		return "", nil, err
	}
	// What comes out is read again: an edit that means anything else than what was asked for is none.
	if err := yaml.Unmarshal([]byte(edited), &now); err != nil || !same(now, want) {
		return "", nil, errLayout
	}
	return edited, before, nil
}

func parseYAML(text string) (*yamlEdit, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("is no YAML object")
	}
	e := &yamlEdit{text: text, newline: "\n", starts: []int{0}, root: document.Content[0]}
	if strings.Contains(text, "\r\n") {
		e.newline = "\r\n"
	}
	for i := range len(text) {
		if text[i] == '\n' {
			e.starts = append(e.starts, i+1)
		}
	}
	return e, nil
}

// assign sets a value in a generic copy and returns what was there.
func assign(node any, path []yamlStep, value any) (before, after any, err error) {
	if len(path) == 0 {
		return node, value, nil
	}
	step, rest := path[0], path[1:]
	switch v := node.(type) {
	case nil:
		for _, step := range path {
			if step.index > 0 {
				return nil, nil, fmt.Errorf("there is no list yet; its first item is [0], not [%d]", step.index)
			}
		}
		return nil, nested(path, value), nil
	case map[string]any:
		if step.key == "" {
			return nil, nil, fmt.Errorf("[%d]: there is an object, not a list", step.index)
		}
		out := make(map[string]any, len(v)+1)
		for k, x := range v {
			out[k] = x
		}
		before, out[step.key], err = assign(v[step.key], rest, value)
		return before, out, err
	case []any:
		if step.key != "" || step.index > len(v) {
			return nil, nil, fmt.Errorf("there is a list of %d; give an index up to [%d]", len(v), len(v))
		}
		out := append([]any{}, v...)
		if step.index == len(v) {
			out = append(out, nil)
		}
		before, out[step.index], err = assign(out[step.index], rest, value)
		return before, out, err
	}
	return nil, nil, fmt.Errorf("there is %s, which has no fields", inlineYAML(node, true))
}

// nested is a value inside the objects and lists that a path leads through.
func nested(path []yamlStep, value any) any {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i].key == "" {
			value = []any{value}
		} else {
			value = map[string]any{path[i].key: value}
		}
	}
	return value
}

// same compares values as JSON knows them.
func same(a, b any) bool {
	var out [2]any
	for i, v := range []any{a, b} {
		data, err := json.Marshal(v)
		if err != nil || json.Unmarshal(data, &out[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(out[0], out[1])
}
