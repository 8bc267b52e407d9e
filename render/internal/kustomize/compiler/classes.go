package compiler

import (
	"regexp"
	"slices"
	"strings"
)

// A class is the use that Kustomize makes of a value besides copying it.
type class struct {
	compared bool             // with other values
	matched  []*regexp.Regexp // with expressions
	parsed   bool             // as YAML
}

// class finds the use of the value at a field of the inputs.
func (f *facts) class(input string) class {
	var c class
	for _, w := range f.writes {
		rest, ok := strings.CutPrefix(input, w.source)
		if w.source == "" || !ok {
			continue
		}
		if rest != "" && !strings.HasPrefix(rest, fieldSeparator) {
			continue
		}
		place := w.field + rest
		list, key := splitLast(place)
		c.compared = c.compared || f.sequences[list] || f.sequences[place] || refers(place)
		c.parsed = c.parsed || f.writesBelow(place)
		for _, filter := range f.filters {
			ofField := filter.list == list && filter.field == key
			ofItems := filter.list == place && filter.field == ""
			if ofField || ofItems {
				c.matched = append(c.matched, filter.value)
			}
		}
	}
	return c
}

// refers reports whether Kustomize reads the field to tell objects apart: the namespace beside a name, and the subjects and
// role of a binding.
func refers(place string) bool {
	first, _, _ := strings.Cut(place, fieldSeparator)
	_, last := splitLast(place)
	return last == "namespace" || first == "subjects" || first == "roleRef"
}

func splitLast(field string) (parent, last string) {
	if i := strings.LastIndex(field, fieldSeparator); i >= 0 {
		return field[:i], field[i+1:]
	}
	return "", field
}

func (f *facts) writesBelow(place string) bool {
	return slices.ContainsFunc(f.writes, func(w writePath) bool { return strings.HasPrefix(w.field, place+fieldSeparator) })
}

// copies returns an error if a replacement copies from one object to a place of another at which Kustomize compares:
// the values there may be anybody's.
func (f *facts) copies() error {
	for _, w := range f.writes {
		if !w.copied {
			continue
		}
		if refers(w.field) || f.writesBelow(w.field) || f.looksInto(w.field) {
			return unproven("a replacement copies to where values are compared")
		}
	}
	return nil
}

func (f *facts) looksInto(place string) bool {
	parent, _ := splitLast(place)
	into := func(list string) bool {
		return list == place || list == parent || strings.HasPrefix(list, place+fieldSeparator)
	}
	for list := range f.sequences {
		if into(list) {
			return true
		}
	}
	return slices.ContainsFunc(f.filters, func(p filterPath) bool { return into(p.list) })
}

// named reports whether a string may be taken for the name of an object.
func (f *facts) named(s string) bool {
	if !f.affixed {
		return f.names[s]
	}
	for name := range f.names {
		if name != "" && strings.Contains(s, name) {
			return true
		}
	}
	return false
}
