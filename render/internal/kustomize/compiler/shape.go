package compiler

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"transom.dev/render/internal/kustomize"
)

// Values that a template has a gap for.
const (
	stringValue = 's'
	intValue    = 'i'
	boolValue   = 'b'
)

// Of some kinds only so many values can be told apart when a template is made; the others are part of it.
const (
	maxValues = 900
	maxBools  = 1<<probes - 2
)

// maxInt is the largest number that JSON, which some patches send values through, is sure to keep.
const maxInt = 1 << 53

// A value is one scalar of an instance that its template has gaps for.
type value struct {
	kind byte
	text string
}

// A shape is all about an instance's inputs but the values: where two instances have the same key, Kustomize does the
// same with both and only copies other values.
type shape struct {
	key    []byte
	values []value

	program *Program
	wrapper *kustomize.Wrapper
	markers markers
	inputs  any
	bools   int
	strict  []string // values that Kustomize compares with others
}

// shape takes a wrapper apart. The error is the reason that keeps this instance from being built by template. With markers,
// the shape's inputs become those that replacements read, with markers instead of the values.
func (p *Program) shape(w *kustomize.Wrapper, m markers) (*shape, error) {
	s := &shape{program: p, wrapper: w, markers: m, key: make([]byte, 0, 64), values: make([]value, 0, 16)}
	if err := s.frame(); err != nil {
		return nil, err
	}
	if !written(w.Inputs) {
		return nil, unproven("inputs that are not plain text, numbers, lists and maps")
	}
	for _, root := range p.roots {
		v, ok := find(w.Inputs, root.path)
		if !ok {
			return nil, unproven("the inputs have no %s", strings.Join(root.path, "."))
		}
		marked, err := s.add(root.field, v)
		if err != nil {
			return nil, err
		}
		s.key = append(s.key, ';')
		if m != nil {
			s.inputs = setPath(s.inputs, root.path, marked)
		}
	}
	return s, nil
}

var (
	dnsPrefix = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?-$`)
	dnsLabel  = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	labelText = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
)

// frame adds the prefix, namespace and labels that the wrapper gives every object: their values come first, prefix and
// namespace always.
func (s *shape) frame() error {
	w, f := s.wrapper, s.program.facts
	if w.Prefix != "" && !dnsPrefix.MatchString(w.Prefix) {
		return unproven("prefix %q", w.Prefix)
	}
	plain := dnsLabel.MatchString(w.Namespace) && !yamlWord(w.Namespace)
	if w.Namespace != "" && !plain {
		return unproven("namespace %q", w.Namespace)
	}
	if w.Namespace != "" && f.namespaces[w.Namespace] {
		return unproven("namespace %q", w.Namespace)
	}
	if w.Prefix != "" && s.program.startsWith(w.Prefix) {
		return unproven("a name or text begins with the prefix %q", w.Prefix)
	}
	if len(w.Labels) != len(s.program.labels) {
		return unproven("other labels than those compiled for")
	}
	s.key = fmt.Appendf(s.key, "%t%t;", w.Prefix != "", w.Namespace != "")
	s.values = append(s.values, value{stringValue, w.Prefix}, value{stringValue, w.Namespace})
	for _, key := range s.program.labels {
		text := w.Labels[key]
		if !labelText.MatchString(text) {
			return unproven("label value %q", text)
		}
		s.values = append(s.values, value{stringValue, text})
	}
	if w.Rule != kustomize.Selecting || len(w.Kept) > 0 {
		s.key = fmt.Appendf(s.key, "%d%q;", w.Rule, w.Kept) // which prints maps in order
	}
	if w.KeepReplicas || len(w.Unscaled) > 0 {
		s.key = fmt.Appendf(s.key, "%t%q;", w.KeepReplicas, slices.Sorted(maps.Keys(w.Unscaled)))
	}
	for _, key := range slices.Sorted(maps.Keys(w.Identity)) {
		if w.Identity[key] != w.Labels[key] {
			return unproven("the identity %s is no label", key)
		}
		s.key = append(append(s.key, key...), ';')
	}
	return nil
}

// add adds one value of the inputs, whose path is the field. It returns the value, with markers where there are any.
func (s *shape) add(field string, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		s.key = append(s.key, 'n')
		return v, nil
	case string:
		return s.addString(field, v)
	case bool:
		return s.addBool(field, v)
	case map[string]any:
		return s.addMap(field, v)
	case []any:
		return s.addList(field, v)
	}
	return s.addNumber(field, v)
}

func (s *shape) addMap(field string, m map[string]any) (any, error) {
	marked := map[string]any{}
	s.key = append(s.key, '{')
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !plainKey(key) {
			return nil, unproven("the key %q", key)
		}
		s.key = append(append(s.key, key...), ':')
		item, err := s.add(joinField(field, key), m[key])
		if err != nil {
			return nil, err
		}
		marked[key] = item
	}
	s.key = append(s.key, '}')
	return marked, nil
}

// plainKey reports whether a key is a string however it is written, and means nothing to Kustomize.
func plainKey(key string) bool {
	return labelText.MatchString(strings.ReplaceAll(key, "/", ".")) && isLetter(key[0]) && !yamlWord(key) &&
		!strings.Contains(key, "kustomize") && !strings.Contains(key, "config.kubernetes.io")
}

func (s *shape) addList(field string, list []any) (any, error) {
	marked := make([]any, len(list))
	s.key = append(s.key, '[')
	for i, item := range list {
		item, err := s.add(field, item)
		if err != nil {
			return nil, err
		}
		marked[i] = item
	}
	s.key = append(s.key, ']')
	return marked, nil
}

func (s *shape) addString(field, text string) (any, error) {
	p, w := s.program, s.wrapper
	f, c := p.facts, p.class(field)
	switch {
	case field == "namespace" && text == w.Namespace && text != "" && !strings.ContainsAny(text, f.delimiters):
		s.key = append(s.key, 'N')
		return s.markers.at(1, text), nil
	case text == "", c.parsed, f.named(text), c.compared && f.constants[text], matched(c.matched, text), matched(f.images, text):
		return s.literal(text), nil
	case f.generated && strings.HasPrefix(text, w.Prefix) && f.names[text[len(w.Prefix):]]:
		return nil, unproven("a value that is the name of an object")
	}
	open := strings.Trim(text, f.delimiters) != "" // else it has no value that a marker stands for
	if open && matched(f.images, s.markers.at(len(s.values), "")) {
		return nil, unproven("images that match anything")
	}
	if strings.ContainsAny(text, f.delimiters) {
		return s.pieces(c, text)
	}
	return s.gap(c, value{stringValue, text})
}

// pieces adds a string that replacements may split: each piece is a value of its own.
func (s *shape) pieces(c class, text string) (marked string, err error) {
	delimiters := s.program.facts.delimiters
	if c.compared || len(c.matched) > 0 {
		return "", unproven("a value with a delimiter where values are compared")
	}
	s.key = append(s.key, '(')
	for text != "" {
		end := strings.IndexAny(text, delimiters)
		switch {
		case end == 0:
			s.key = append(s.key, text[0])
			marked += text[:1]
			text = text[1:]
			continue
		case end < 0:
			end = len(text)
		}
		marker, err := s.gap(c, value{stringValue, text[:end]})
		if err != nil {
			return "", err
		}
		marked += marker
		text = text[end:]
	}
	s.key = append(s.key, ')')
	return marked, nil
}

// gap adds a value that the template leaves open. Values that Kustomize compares must all differ.
func (s *shape) gap(c class, v value) (marker string, err error) {
	if len(s.values) >= maxValues {
		return "", unproven("more than %d values", maxValues)
	}
	marker = s.markers.at(len(s.values), v.text)
	if c.compared || len(c.matched) > 0 {
		if v.text == s.wrapper.Namespace || slices.Contains(s.strict, v.text) {
			return "", unproven("equal values where values are compared")
		}
		if s.markers != nil && matched(c.matched, marker) {
			return "", unproven("a path that matches anything")
		}
		s.strict = append(s.strict, v.text)
	}
	s.key = append(s.key, v.kind)
	s.values = append(s.values, v)
	return marker, nil
}

// matched asks about the text as it is and as YAML may quote it.
func matched(expressions []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(expressions, func(r *regexp.Regexp) bool {
		return r.MatchString(text) || r.MatchString(`"`+text+`"`) || r.MatchString(`'`+text+`'`)
	})
}

// literal adds a value that becomes part of the template.
func (s *shape) literal(v any) any {
	s.key = fmt.Appendf(s.key, "=%T%q", v, fmt.Sprint(v))
	return v
}

func (s *shape) addBool(field string, v bool) (any, error) {
	c := s.program.class(field)
	if s.bools == maxBools || c.parsed || c.compared || len(c.matched) > 0 {
		return s.literal(v), nil
	}
	s.bools++
	marker, err := s.gap(c, value{boolValue, strconv.FormatBool(v)})
	return marker == "true", err
}

func (s *shape) addNumber(field string, v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if text[0] != '-' && !isDigit(text[0]) {
		return nil, unproven("a value of type %T", v)
	}
	number := json.Number(text)
	c := s.program.class(field)
	n, err := strconv.ParseInt(string(number), 10, 64)
	odd := err != nil || n < 0 || n > maxInt || strconv.FormatInt(n, 10) != string(number)
	equal := c.compared && s.program.facts.constants[string(number)]
	if odd || equal || c.parsed || matched(c.matched, string(number)) {
		s.literal(number)
		return v, nil
	}
	marker, err := s.gap(c, value{intValue, string(number)})
	return json.Number(marker), err
}

// written reports whether the inputs can be written as YAML for sure, those that nothing reads included.
func written(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, json.Number:
		return true
	case float64:
		return v-v == 0 // neither infinite nor not a number
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, item := range v {
			if !written(item) {
				return false
			}
		}
		return true
	case map[string]any:
		for key, item := range v {
			if !utf8.ValidString(key) || !written(item) {
				return false
			}
		}
		return true
	}
	return false
}

// find follows a path of keys and indices.
func find(v any, path []string) (any, bool) {
	for _, step := range path {
		switch c := v.(type) {
		case map[string]any:
			next, ok := c[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// setPath puts a value at a path into a tree of maps and lists.
func setPath(at any, path []string, v any) any {
	if len(path) == 0 {
		return v
	}
	m, ok := at.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0]] = setPath(m[path[0]], path[1:], v)
	return m
}
