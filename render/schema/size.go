package schema

import (
	"fmt"
	"maps"
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
)

// maxParameter is how many bytes a text of a parameter may have whose schema has no maxLength.
const maxParameter = 64 << 10

// measure looks how much a value comes to once the schema's defaults are filled in, each as often as there is room for it, and ends once
// that is too much, or more defaults than most. It fills in none.
func (s *Schema) measure(value map[string]any, most int64) room {
	m := room{bytes: expression.MaxTogether, nodes: expression.MaxItems, most: most}
	m.defaulted(value, s.structural)
	return m
}

// room is how many bytes, and fields and items, there may still be, and how many of them defaults filled in.
type room struct {
	bytes, nodes   int64
	defaults, most int64
	inDefault      bool
}

// spent reports whether a value comes to too much.
func (m *room) spent() bool { return m.bytes < 0 || m.nodes < 0 }

func (m *room) take(bytes, nodes int64) bool {
	m.bytes -= bytes
	m.nodes -= nodes
	if m.inDefault {
		m.defaults += nodes
	}
	return !m.spent() && m.defaults <= m.most
}

// defaulted takes a value with the defaults that it lacks.
func (m *room) defaulted(value any, of *structural.Structural) bool {
	switch v := value.(type) {
	case string:
		return m.take(int64(len(v))+2, 1)
	case []any:
		enough := m.take(2, 1)
		for i := 0; enough && i < len(v); i++ {
			enough = m.defaulted(v[i], below(of, "")) && m.take(1, 0)
		}
		return enough
	case map[string]any:
		return m.take(2, 1) && m.fields(v, of)
	}
	return m.take(8, 1)
}

func (m *room) fields(v map[string]any, of *structural.Structural) bool {
	for name, field := range v {
		if !m.take(int64(len(name))+4, 1) || !m.defaulted(field, below(of, name)) {
			return false
		}
	}
	if of == nil {
		return true
	}
	for name, property := range of.Properties {
		if _, set := v[name]; set || property.Default.Object == nil {
			continue
		}
		outer := m.inDefault
		m.inDefault = true
		enough := m.take(int64(len(name))+4, 1) && m.defaulted(property.Default.Object, &property)
		if m.inDefault = outer; !enough {
			return false
		}
	}
	return true
}

// below is the schema of a field, or of the items of a list; nil: none is known.
func below(of *structural.Structural, name string) *structural.Structural {
	switch {
	case of == nil:
		return nil
	case of.Items != nil:
		return of.Items
	}
	if property, ok := of.Properties[name]; ok {
		return &property
	}
	if of.AdditionalProperties != nil {
		return of.AdditionalProperties.Structural
	}
	return nil
}

// LongTexts finds the texts in a value that are longer than one may be whose schema does not say how long.
func (s *Schema) LongTexts(value map[string]any) []Mistake { return longTexts("", value, s.structural) }

func longTexts(path string, value any, of *structural.Structural) (long []Mistake) {
	switch v := value.(type) {
	case string:
		if len(v) > maxParameter && !boundsText(of) {
			long = append(long, Mistake{path, "too-long", fmt.Sprintf("is %d bytes long; at most %d, "+
				"unless the schema of the version says maxLength, which may be up to %d", len(v), maxParameter, expression.MaxValue)})
		}
	case []any:
		for i, item := range v {
			if !plainly(item) {
				long = append(long, longTexts(fieldpath.Index(path, i), item, below(of, ""))...)
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !plainly(v[name]) {
				long = append(long, longTexts(fieldpath.Join(path, name), v[name], below(of, name))...)
			}
		}
	}
	return long
}

// boundsText says whether a schema says how long a text may be.
func boundsText(of *structural.Structural) bool {
	if of == nil || of.ValueValidation == nil {
		return false
	}
	return of.ValueValidation.MaxLength != nil || len(of.ValueValidation.Enum) > 0
}

// plainly says whether there can be no long text in a value.
func plainly(value any) bool {
	switch v := value.(type) {
	case string:
		return len(v) <= maxParameter
	case []any, map[string]any:
		return false
	}
	return true
}
