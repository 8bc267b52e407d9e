package platform

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/render/wording"
)

// maxProblems bounds how many Problems one file can have, so that those of the others are still seen.
const maxProblems = 50

// document is one file of ours while it is read. Fields are named by paths such as spec.environments.prod.version or
// spec.components[0].path, and a Problem stands where its field's key does.
type document struct {
	path      string
	root      *yaml.Node // a mapping; nil where the file could not be parsed
	problems  []Problem
	source    []byte   // parsed once a place is asked for, where root is not set: most files have no Problem, and trees are large
	displayed []string // parameters that are marked to be shown
	opaque    bool     // part of the document's subject cannot be read, as is reported elsewhere

	// the subject of every Problem of the file
	request     *RequestKey
	environment string
}

// object is the shape that all kinds of a platform repository share.
type object[S any] struct {
	APIVersion string `json:"apiVersion" decode:"required"`
	Kind       string `json:"kind" decode:"required"`
	Metadata   struct {
		Name        string            `decode:"required"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `decode:"required"`
	Spec S `decode:"required"`
}

// parse makes the document's tree of data.
func (d *document) parse(data []byte) {
	docs, problems := ScanYAML(d.path, data, YAMLOptions{})
	switch {
	case len(problems) > 0:
		for _, p := range problems {
			d.add(p)
		}
	case len(docs) == 0:
		d.report(nil, "", "empty", "is empty; delete the file or write an object")
	case docs[0].Kind != yaml.MappingNode:
		d.report(docs[0], "", "type", "must be an object, not "+describe(docs[0]))
	default:
		d.root = docs[0]
	}
}

// read decodes the document as the one object of the given kind that belongs here, whose name its place gives. It
// returns false where nothing of the spec could be read.
func read[S any](d *document, kind, name string) (o object[S], ok bool) {
	if d.root == nil || !d.header(kind) {
		return o, false
	}
	d.decode(&o)
	if got := o.Metadata.Name; got != name && got != "" {
		d.problem("metadata.name", "name", "must be %q, as its place in the repository says, not %q", name, got)
	}
	d.labels("metadata.labels", o.Metadata.Labels)
	return o, true
}

// header checks the fields that must be right before anything else of the file means something.
func (d *document) header(kinds ...string) bool {
	before := len(d.problems)
	switch v := d.text("apiVersion"); v {
	case APIVersion:
	case "":
		d.problem("apiVersion", "required", "is required; write apiVersion: %s", APIVersion)
	default:
		d.problem("apiVersion", "api-version", "must be %s, not %q", APIVersion, wording.Shorten(v))
	}
	switch k := d.text("kind"); {
	case slices.Contains(kinds, k):
	case k == "":
		d.problem("kind", "required", "is required; a file here is of kind %s", strings.Join(kinds, " or "))
	default:
		d.problem("kind", "kind", "must be %s here, not %q%s", strings.Join(kinds, " or "), wording.Shorten(k), wording.Suggest(k, kinds))
	}
	return len(d.problems) == before
}

// text returns the string at a field, or nothing.
func (d *document) text(field string) string {
	if d.root == nil {
		return ""
	}
	if _, n, rest := locate(d.root, field); rest == "" && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// has says whether the file sets a field.
func (d *document) has(field string) bool {
	if d.root == nil {
		return false
	}
	_, _, rest := locate(d.root, field)
	return rest == ""
}

func (d *document) labels(field string, values map[string]string) {
	for _, k := range sortedKeys(values) {
		errs := append(validation.IsQualifiedName(k), validation.IsValidLabelValue(values[k])...)
		for _, e := range errs {
			e, _, _ = strings.Cut(e, " (e.g.")
			d.problem(field+"."+k, "label", "is no Kubernetes label: %s", e)
		}
	}
}

// problem reports a Problem of a field at its key, or at the nearest field around it that is there.
func (d *document) problem(field, rule, format string, args ...any) {
	d.report(nil, field, rule, fmt.Sprintf(format, args...))
}

// warn is problem for a Warning, which blocks nothing.
func (d *document) warn(field, rule, format string, args ...any) {
	p := d.make(nil, field, rule, fmt.Sprintf(format, args...))
	p.Warning = true
	d.add(p)
}

func (d *document) report(at *yaml.Node, field, rule, message string) {
	d.add(d.make(at, field, rule, message))
}

func (d *document) make(at *yaml.Node, field, rule, message string) Problem {
	p := Problem{File: d.path, Field: field, Rule: rule, Message: message}
	if at == nil && d.tree() != nil {
		at, _, _ = locate(d.root, field)
	}
	if at != nil {
		p.Line, p.Column = at.Line, at.Column
	}
	return p
}

func (d *document) tree() *yaml.Node {
	if d.root == nil && d.source != nil {
		again := &document{path: d.path}
		again.parse(d.source)
		d.root, d.source = again.root, nil
	}
	return d.root
}

func (d *document) add(p Problem) {
	if p.Request == nil {
		p.Request = d.request
	}
	p.Environment = cmp.Or(p.Environment, d.environment)
	if len(d.problems) < maxProblems && !d.said(p) {
		d.problems = append(d.problems, p)
	}
}

// said finds an earlier Problem of the same field: the value of a field that could not be read is not judged again.
func (d *document) said(p Problem) bool {
	return p.Field != "" && !p.Warning && slices.ContainsFunc(d.problems, func(o Problem) bool {
		return o.Field == p.Field && o.Line == p.Line && !o.Warning
	})
}

// decode fills out, a pointer, from the whole document.
func (d *document) decode(out any) {
	(&decoder{d}).value(d.root, d.root, "", reflect.ValueOf(out).Elem())
}

// wrongBelow says whether a field or anything in it has a Problem.
func (d *document) wrongBelow(field string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return !p.Warning && strings.HasPrefix(p.Field, field) })
}

// broken says whether the document's subject cannot be used.
func (d *document) broken() bool { return d.opaque || broken(d.problems) }

// broken says whether any Problem blocks.
func broken(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// locate follows a field's path as far as the tree goes. It returns the key (or list item) of the last step that it
// found, the value there, and the rest of the path that it did not find. Keys may contain dots: the longest wins.
func locate(n *yaml.Node, field string) (at, value *yaml.Node, rest string) {
	at, value, rest = n, n, field
	for rest != "" {
		key, child, next := step(value, rest)
		if child == nil {
			break
		}
		at, value, rest = key, child, next
	}
	return at, value, rest
}

func step(n *yaml.Node, field string) (key, child *yaml.Node, rest string) {
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
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		after, ok := strings.CutPrefix(field, k.Value)
		longer := key == nil || len(k.Value) > len(key.Value)
		if ok && longer && (after == "" || after[0] == '.' || after[0] == '[') {
			key, child, rest = k, n.Content[i+1], strings.TrimPrefix(after, ".")
		}
	}
	if key == nil {
		return nil, nil, field
	}
	return key, child, rest
}
