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
		field := w.field + rest
		list, key := splitLast(field)
		c.compared = c.compared || f.sequences[list] || f.sequences[field] || refers(field)
		c.parsed = c.parsed || f.writesBelow(field)
		for _, filter := range f.filters {
			ofField := filter.list == list && filter.field == key
			ofItems := filter.list == field && filter.field == ""
			if ofField || ofItems {
				c.matched = append(c.matched, filter.value)
			}
		}
	}
	return c
}

// refers reports whether Kustomize reads the field to tell objects apart: the namespace beside a name, and the subjects and
// role of a binding.
func refers(field string) bool {
	first, _, _ := strings.Cut(field, fieldSeparator)
	_, last := splitLast(field)
	return last == "namespace" || first == "subjects" || first == "roleRef"
}

func splitLast(field string) (parent, last string) {
	if i := strings.LastIndex(field, fieldSeparator); i >= 0 {
		return field[:i], field[i+1:]
	}
	return "", field
}

func (f *facts) writesBelow(field string) bool {
	return slices.ContainsFunc(f.writes, func(w writePath) bool { return strings.HasPrefix(w.field, field+fieldSeparator) })
}

// copies returns an error if a replacement copies from one object to a field of another that Kustomize compares:
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

func (f *facts) looksInto(field string) bool {
	parent, _ := splitLast(field)
	into := func(list string) bool {
		return list == field || list == parent || strings.HasPrefix(list, field+fieldSeparator)
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
