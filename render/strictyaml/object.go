package strictyaml

import (
	"reflect"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/fieldpath"
)

// An Object is the one object of a file, as its tree of nodes. The nil Object has no fields.
type Object struct {
	root *yaml.Node

	mu   sync.Mutex
	keys map[*yaml.Node]map[string]int // of long mappings, with the place of each; made when a field of it is first looked for
}

// Parse scans a file that has one object. It returns either the Object or the Problems of the file.
func Parse(data []byte) (*Object, []Problem) {
	documents, wrong := Scan(data, Options{})
	switch {
	case len(wrong) > 0:
		return nil, wrong
	case len(documents) == 0:
		return nil, []Problem{{Rule: "empty", Message: "is empty; delete the file or write an object"}}
	}
	root := documents[0]
	if root.Kind != yaml.MappingNode {
		return nil, []Problem{{Line: root.Line, Column: root.Column, Rule: "type", Message: "must be an object, not " + describe(root)}}
	}
	return &Object{root: root}, nil
}

// Decode decodes the object into out, a pointer, and returns all that does not fit. A field is called as the json tag of a Go field
// says, or by its Go name with a small first letter. The tag decode:"required" is for fields that must be there, oneof:"a|b" for
// strings of few values, is:"duration" for strings of that form, and is:"prose" for text that people read, in which characters that
// steer a terminal or turn the direction of writing are replaced. Marks are further fields.
func (o *Object) Decode(out any, marks ...Mark) []Problem {
	d := &decoder{marks: marks}
	d.decodeValue(o.root, o.root, "", reflect.ValueOf(out).Elem())
	return d.problems
}

// Has says whether the object sets a field.
func (o *Object) Has(field string) bool {
	if o == nil {
		return false
	}
	_, _, rest := o.locate(field)
	return rest == ""
}

// Text returns the text of the scalar at a field; empty: there is none.
func (o *Object) Text(field string) string {
	if o == nil {
		return ""
	}
	if _, n, rest := o.locate(field); rest == "" && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// Position returns the line and column of a field's key, or of the nearest field around it that is there.
func (o *Object) Position(field string) (line, column int) {
	if o == nil {
		return 0, 0
	}
	at, _, _ := o.locate(field)
	return at.Line, at.Column
}

// locate follows a field's path as far as the tree goes. It returns the key (or list item) of the last step that it
// found, the value there, and the rest of the path that it did not find. Keys may contain dots: the longest wins.
func (o *Object) locate(field string) (at, value *yaml.Node, rest string) {
	at, value, rest = o.root, o.root, field
	for rest != "" {
		key, child, next := o.step(value, rest)
		if child == nil {
			break
		}
		at, value, rest = key, child, next
	}
	return at, value, rest
}

func (o *Object) step(n *yaml.Node, field string) (key, child *yaml.Node, rest string) {
	if n.Kind == yaml.SequenceNode && field[0] == '[' {
		end := strings.IndexByte(field, ']')
		i, err := strconv.Atoi(field[1:max(1, end)])
		if err != nil || i < 0 || i >= len(n.Content) {
			return nil, nil, field
		}
		return n.Content[i], n.Content[i], strings.TrimPrefix(field[end+1:], ".")
	}
	if n.Kind != yaml.MappingNode {
		return nil, nil, field
	}
	if len(n.Content) > 2*longMapping {
		return o.stepInto(n, field)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		after, begins := fieldpath.CutKey(field, k.Value)
		longer := key == nil || len(k.Value) > len(key.Value)
		if begins && longer {
			key, child, rest = k, n.Content[i+1], strings.TrimPrefix(after, ".")
		}
	}
	if key == nil {
		return nil, nil, field
	}
	return key, child, rest
}

// longMapping is how many keys a mapping has at least whose keys are kept by their text: a file may have very many fields that are looked for.
const longMapping = 32

// stepInto is step for a long mapping.
func (o *Object) stepInto(n *yaml.Node, field string) (key, child *yaml.Node, rest string) {
	keys := o.keysOf(n)
	for end := len(field); end >= 0; end = strings.LastIndexAny(field[:end], ".[") {
		if at, there := keys[field[:end]]; there {
			return n.Content[at], n.Content[at+1], strings.TrimPrefix(field[end:], ".")
		}
	}
	return nil, nil, field
}

func (o *Object) keysOf(n *yaml.Node) map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if keys := o.keys[n]; keys != nil {
		return keys
	}
	keys := make(map[string]int, len(n.Content)/2)
	for at := len(n.Content) - 2; at >= 0; at -= 2 { // of two with one text, the first
		keys[n.Content[at].Value] = at
	}
	if o.keys == nil {
		o.keys = map[*yaml.Node]map[string]int{}
	}
	o.keys[n] = keys
	return keys
}
