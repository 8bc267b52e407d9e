package compiler

import (
	"slices"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"transom.dev/render/internal/kustomize"
)

// A template is the output of Kustomize for every instance of one shape, with gaps where their values go.
type template struct {
	documents []document
	hashed    []int // documents whose hashes are the values after those of the shape
	size      int   // of the output, about

	chosen string // where the identity goes
	sight  *sight // to see with other values; nil: it always goes there
}

type document struct {
	texts  []string // around the gaps, one more than those
	gaps   []gap
	object *kyaml.RNode // as Kustomize has it before printing; nil: it cannot be printed again
}

// A gap is one scalar that depends on values.
type gap struct {
	parts  []part
	quoted bool // it is a string; otherwise it is printed as it is
	open   bool // it is a string only as long as it does not look like anything else
	column int
	path   []any // keys and indices in the object
}

// A part is text or a value of the shape.
type part struct {
	text  string
	value int // -1: text
}

// errUnusual says that a template cannot print a value by itself.
var errUnusual = unproven("text that is written differently at different places")

// node finds the scalar of a gap in the object.
func (d *document) node(n *kyaml.Node, path []any) *kyaml.Node {
	for _, step := range path {
		var next *kyaml.Node
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == kyaml.MappingNode && i < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					next = n.Content[i+1]
				}
			}
		case int:
			if n.Kind == kyaml.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	if n.Kind != kyaml.ScalarNode {
		return nil
	}
	return n
}

// print fills the gaps with the values of a shape.
func (t *template) print(s *shape) ([]byte, error) {
	values, err := t.withHashes(s.values)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, t.size+t.size/4)
	for i := range t.documents {
		if i > 0 {
			out = append(out, "---\n"...)
		}
		if out, err = t.documents[i].print(out, s.program, values); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *document) print(out []byte, p *Program, values []value) ([]byte, error) {
	straight, err := d.fits(p.facts, values)
	if err != nil {
		return nil, err
	}
	if !straight {
		return d.reprint(out, p.facts, values)
	}
	for i := range d.gaps {
		out = append(out, d.texts[i]...)
		g := &d.gaps[i]
		if text := g.text(values); !g.quoted {
			out = append(out, text...)
		} else if out, err = p.quotes.append(out, text); err != nil {
			return nil, err
		}
	}
	return append(out, d.texts[len(d.gaps)]...), nil
}

// fits reports whether all values can be printed straight into the gaps. The error says that one of them may mean
// something to Kustomize where it stands.
func (d *document) fits(f *facts, values []value) (straight bool, err error) {
	straight = true
	for i := range d.gaps {
		g := &d.gaps[i]
		if !g.quoted {
			continue
		}
		text := g.text(values)
		switch {
		case len(g.parts) > 1 && f.names[text]:
			return false, unproven("a value that is the name of an object")
		case g.open && !isLetter(text[0]), g.open && yamlWord(text):
			return false, unproven("text that could be a number, where there was no field before")
		case !simple(text, g.column):
			straight = false
		}
	}
	return straight, nil
}

func (g *gap) text(values []value) string {
	if len(g.parts) == 1 {
		return values[g.parts[0].value].text
	}
	text := ""
	for _, p := range g.parts {
		if p.value < 0 {
			text += p.text
		} else {
			text += values[p.value].text
		}
	}
	return text
}

// reprint has Kustomize print the object with the values. After a patch by way of JSON, that is not to be had: text out
// of the ordinary may not have come through it as it was.
func (d *document) reprint(out []byte, f *facts, values []value) ([]byte, error) {
	object := d.filled(values)
	if object == nil || f.jsonPatches {
		return nil, errUnusual
	}
	content, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	printed, err := kustomize.PrintJSON(content)
	if err != nil {
		return nil, err
	}
	return append(out, printed...), nil
}

// filled is the object with the values in it, as far as there are any.
func (d *document) filled(values []value) *kyaml.RNode {
	if d.object == nil {
		return nil
	}
	object := d.object.Copy()
	for i := range d.gaps {
		if g := &d.gaps[i]; !slices.ContainsFunc(g.parts, func(p part) bool { return p.value >= len(values) }) {
			d.node(object.YNode(), g.path).Value = g.text(values)
		}
	}
	return object
}
