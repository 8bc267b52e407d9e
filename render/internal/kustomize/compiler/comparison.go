package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"transom.dev/render/internal/kustomize"
)

// newTemplate finds out how the results of probes depend on their markers. The error names a part that depends on them in a
// way that cannot be proved.
func (s *shape) newTemplate(results [probes]kustomize.Objects, m [probes]markers, id *kustomize.Identity) (*template, error) {
	t := &template{}
	if err := t.hashes(results, &m); err != nil {
		return nil, err
	}
	values := append(slices.Clone(s.values), make([]value, len(t.hashed))...)
	for n, r := range results[0].Resources() {
		var objects [probes]any
		for i, result := range results {
			content, err := result.Resources()[n].MarshalJSON()
			if err != nil {
				return nil, err
			}
			if objects[i], err = decodeJSON(content); err != nil {
				return nil, err
			}
		}
		if r.GetKind() == kustomize.InputsKind {
			return nil, unproven("the Inputs object is not dropped")
		}
		patched := id.Patched(n)
		c := &comparison{markers: m, values: values, rewritten: patched || s.program.facts.jsonPatches, object: r.GetKind() + " " + r.OrgId().Name}
		tokens, err := c.compare(objects, nil)
		if err != nil {
			return nil, err
		}
		d, err := c.document(tokens, &r.RNode)
		if err != nil {
			return nil, err
		}
		if patched {
			d.object = nil // text out of the ordinary may not have come through the patch as it was
		}
		t.documents = append(t.documents, *d)
	}
	return t, nil
}

func decodeJSON(content []byte) (v any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	return v, decoder.Decode(&v)
}

// A comparison looks at one object in all probes at once.
type comparison struct {
	markers   [probes]markers
	values    []value
	rewritten bool // a patch has written objects anew
	object    string
	gaps      []gap
}

func (c *comparison) differs(path []any) error {
	steps := make([]string, len(path))
	for i, step := range path {
		steps[i] = fmt.Sprint(step)
	}
	return unproven("%s: %s depends on values by more than copying", c.object, strings.Join(steps, "."))
}

// compare returns the object with a token instead of each gap.
func (c *comparison) compare(v [probes]any, path []any) (any, error) {
	switch first := v[0].(type) {
	case map[string]any:
		return c.compareMaps(first, v, path)
	case []any:
		return c.compareLists(first, v, path)
	}
	for _, other := range v[1:] {
		if other != v[0] {
			return c.gap(v, path)
		}
	}
	return v[0], nil
}

func (c *comparison) compareMaps(first map[string]any, v [probes]any, path []any) (any, error) {
	tokens := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(first)) {
		var values [probes]any
		for i := range v {
			m, ok := v[i].(map[string]any)
			if !ok || len(m) != len(first) {
				return nil, c.differs(path)
			}
			if values[i], ok = m[key]; !ok {
				return nil, c.differs(path)
			}
		}
		token, err := c.compare(values, append(slices.Clone(path), key))
		if err != nil {
			return nil, err
		}
		tokens[key] = token
	}
	return tokens, nil
}

func (c *comparison) compareLists(first []any, v [probes]any, path []any) (any, error) {
	tokens := make([]any, len(first))
	for n := range first {
		var values [probes]any
		for i := range v {
			list, ok := v[i].([]any)
			if !ok || len(list) != len(first) {
				return nil, c.differs(path)
			}
			values[i] = list[n]
		}
		token, err := c.compare(values, append(slices.Clone(path), n))
		if err != nil {
			return nil, err
		}
		tokens[n] = token
	}
	return tokens, nil
}

// gap explains a scalar that is not the same in all probes by their markers.
func (c *comparison) gap(v [probes]any, path []any) (any, error) {
	g := gap{path: path}
	switch first := v[0].(type) {
	case string:
		g.quoted = true
		g.parts = c.parts(first)
	case json.Number:
		g.parts = c.parts(first.String())
	case bool:
		g.parts = c.parts(strconv.FormatBool(first))
	}
	for i := range v {
		_, ok := v[i].(string)
		if _, number := v[i].(json.Number); g.quoted && number && len(g.parts) == 1 {
			ok, g.open = true, true
		}
		if ok != g.quoted || join(g.parts, c.markers[i]) != fmt.Sprint(v[i]) {
			return c.boolean(v, path)
		}
	}
	oneNumber := len(g.parts) == 1 && c.values[g.parts[0].value].kind == intValue
	if !g.quoted && !oneNumber {
		return nil, c.differs(path)
	}
	c.gaps = append(c.gaps, g)
	return token(len(c.gaps) - 1), nil
}

// parts finds the markers in a text of the first probe.
func (c *comparison) parts(text string) []part {
	var parts []part
	from := 0
	for at := 0; at < len(text); {
		i := slices.IndexFunc(c.markers[0], func(m string) bool { return m != "" && strings.HasPrefix(text[at:], m) })
		if i < 0 || c.values[i].kind == boolValue {
			at++
			continue
		}
		if at > from {
			parts = append(parts, part{text[from:at], -1})
		}
		parts = append(parts, part{value: i})
		at += len(c.markers[0][i])
		from = at
	}
	if from < len(text) {
		parts = append(parts, part{text[from:], -1})
	}
	return parts
}

// boolean explains a scalar by a boolean: each is true in another set of probes.
func (c *comparison) boolean(v [probes]any, path []any) (any, error) {
	for value := range c.values {
		if c.values[value].kind != boolValue {
			continue
		}
		g := gap{path: path, parts: []part{{value: value}}}
		_, g.quoted = v[0].(string)
		same := true
		for i := range v {
			_, quoted := v[i].(string)
			same = same && quoted == g.quoted && fmt.Sprint(v[i]) == c.markers[i][value]
		}
		if same {
			c.gaps = append(c.gaps, g)
			return token(len(c.gaps) - 1), nil
		}
	}
	return nil, c.differs(path)
}

func join(parts []part, m markers) string {
	text := ""
	for _, p := range parts {
		if p.value < 0 {
			text += p.text
		} else {
			text += m[p.value]
		}
	}
	return text
}

// token is a plain word that no object has, which marks a gap in printed text.
func token(gap int) string { return fmt.Sprintf("zqgap%05dqz", gap) }

// document prints the object with tokens and cuts it at them.
func (c *comparison) document(tokens any, object *kyaml.RNode) (*document, error) {
	content, err := json.Marshal(tokens)
	if err != nil {
		return nil, err
	}
	printed, err := kustomize.PrintJSON(content)
	if err != nil {
		return nil, err
	}
	d := &document{object: object.Copy()}
	rest := string(printed)
	for len(c.gaps) > len(d.gaps) {
		before, after, found := strings.Cut(rest, "zqgap")
		if !found || len(after) < 7 {
			return nil, unproven("%s: a key depends on values", c.object)
		}
		n, err := strconv.Atoi(after[:5])
		if err != nil || n >= len(c.gaps) {
			return nil, unproven("%s: is printed unexpectedly", c.object)
		}
		g := c.gaps[n]
		g.column = len(before) - 1 - strings.LastIndexByte(before, '\n')
		if len(d.gaps) > 0 && !strings.Contains(before, "\n") {
			return nil, unproven("%s: is printed unexpectedly", c.object)
		}
		d.texts, d.gaps, rest = append(d.texts, before), append(d.gaps, g), after[7:]
	}
	d.texts = append(d.texts, rest)
	if !c.scalars(d) {
		d.object = nil
	}
	return d, nil
}

// scalars finds the nodes of the gaps, and whether each is sure to be a string.
func (c *comparison) scalars(d *document) (found bool) {
	found = true
	for i := range d.gaps {
		g := &d.gaps[i]
		n := d.node(d.object.YNode(), g.path)
		if n == nil {
			found = false
		}
		// A patch by way of JSON fixes the type of a scalar, which may have been open before.
		fixed := !c.rewritten || len(g.parts) <= 1
		if n == nil || n.Tag != kyaml.NodeTagString || !fixed {
			g.open = true
		}
	}
	return found
}
