// Package yamledit edits a value in the text of a YAML file, as a person would.
//
// In come the text, the path of a value and the value; out come the edited text, in which every comment, order, layout and
// line end that the edit does not concern is as it was, to the byte, and the value of before. It never reformats and
// never guesses: the result is read again, and where that is not exactly the requested value, there is an error and no
// text. It also writes single values as YAML that every reader takes for that value.
package yamledit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Path leads to a value inside a document.
type Path []Step

// A Step is a key, or, where that is empty, an index of a list.
type Step struct {
	Key   string
	Index int
}

// ParsePath reads a path such as parameters.args[0] or labels."example.com/tier".
func ParsePath(path string) (steps Path, err error) {
	wrong := fmt.Errorf("%q is no path such as parameters.image, args[0] or labels.\"example.com/tier\"", path)
	for rest := path; rest != ""; {
		var step Step
		switch rest[0] {
		case '[':
			number, after, closed := strings.Cut(rest[1:], "]")
			if step.Index, err = strconv.Atoi(number); err != nil || !closed || step.Index < 0 {
				return nil, wrong
			}
			rest = after
		case '"':
			name, after, closed := strings.Cut(rest[1:], `"`)
			if !closed || name == "" {
				return nil, wrong
			}
			step.Key, rest = name, after
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, wrong
			}
			step.Key, rest = rest[:end], rest[end:]
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
	if len(steps) == 0 || steps[0].Key == "" {
		return nil, wrong
	}
	return steps, nil
}

// errLayout is the error for a value that cannot be edited without rewriting the text beside it.
var errLayout = errors.New("is written in a way that cannot be edited here; edit the file by hand")

// A document is the text of a YAML file with its nodes.
type document struct {
	text    string
	newline string
	starts  []int // of lines
	root    *yaml.Node
}

// Set sets the value at a path of a YAML document and returns the document and the value of before.
func Set(text string, path Path, value any) (edited string, before any, err error) {
	d, err := parse(text)
	if err != nil {
		return "", nil, err
	}
	var old, now any
	if err := d.root.Decode(&old); err != nil {
		return "", nil, fmt.Errorf("read the document: %w", err)
	}
	before, want, err := assign(old, path, value)
	if err != nil {
		return "", nil, err
	}
	if edited, err = d.set(path, value); err != nil {
		return "", nil, err
	}
	// The result is read again: an edit that means anything else than the requested value is none.
	if err := yaml.Unmarshal([]byte(edited), &now); err != nil || !same(now, want) {
		return "", nil, errLayout
	}
	return edited, before, nil
}

func parse(text string) (*document, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, err
	}
	if len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("is no YAML object")
	}
	if strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\u0085\u2028\u2029") {
		return nil, errLayout // to YAML these end a line too, so that the positions of nodes are not those of lines
	}
	d := &document{text: text, newline: "\n", starts: []int{0}, root: node.Content[0]}
	if strings.Contains(text, "\r\n") {
		d.newline = "\r\n"
	}
	for i := range len(text) {
		if text[i] == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
	return d, nil
}

// assign sets a value in a generic copy and returns the value of before.
func assign(node any, path Path, value any) (before, after any, err error) {
	if len(path) == 0 {
		return node, value, nil
	}
	step, rest := path[0], path[1:]
	switch v := node.(type) {
	case nil:
		for _, step := range path {
			if step.Index > 0 {
				return nil, nil, fmt.Errorf("there is no list yet; its first item is [0], not [%d]", step.Index)
			}
		}
		return nil, nested(path, value), nil
	case map[string]any:
		if step.Key == "" {
			return nil, nil, fmt.Errorf("[%d]: there is an object, not a list", step.Index)
		}
		out := map[string]any{}
		maps.Copy(out, v)
		before, out[step.Key], err = assign(v[step.Key], rest, value)
		return before, out, err
	case []any:
		if step.Key != "" || step.Index > len(v) {
			return nil, nil, fmt.Errorf("there is a list of %d; give an index up to [%d]", len(v), len(v))
		}
		out := append([]any{}, v...)
		if step.Index == len(v) {
			out = append(out, nil)
		}
		before, out[step.Index], err = assign(out[step.Index], rest, value)
		return before, out, err
	}
	return nil, nil, fmt.Errorf("there is %s, which has no fields", Inline(node, true))
}

// nested is a value inside the objects and lists that a path leads through.
func nested(path Path, value any) any {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i].Key == "" {
			value = []any{value}
		} else {
			value = map[string]any{path[i].Key: value}
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
