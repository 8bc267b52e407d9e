package kustomize

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A route is a path in an object as the object is by now.
type route struct {
	steps   []string
	filters map[int]*filter // by the number of their step
}

// A filter is a step [key=value] of a path. Kustomize takes the value as a regular expression that any part of a field may match.
type filter struct {
	key, value string
	matches    *regexp.Regexp
	loose      bool // the key may have been written, so that any element may match by now
	sure       bool // what matches has exactly the value, now and at all times before
}

// upTo is the path of the first steps.
func (p route) upTo(step int) route { return route{p.steps[:step], p.filters} }

// routeOf looks at a path in an object: which elements of its lists a filter means depends on what was written before.
func (i *item) routeOf(steps []string) route {
	p := route{steps: steps}
	for n, step := range steps {
		key, value, isFilter := strings.Cut(strings.Trim(step, "[]"), "=")
		if !strings.HasPrefix(step, "[") || !isFilter {
			continue
		}
		f := &filter{key: key, value: value, sure: true}
		if f.matches, _ = regexp.Compile(value); f.matches == nil {
			f.loose, f.sure = true, false // Kustomize fails
		}
		if p.filters == nil {
			p.filters = map[int]*filter{}
		}
		p.filters[n] = f
		i.resolve(f, route{append(append([]string{}, steps[:n]...), "*", key), p.filters})
	}
	return p
}

// resolve finds out whether a filter means the elements that it meant in the files. Keys is the path of its key in all elements.
func (i *item) resolve(f *filter, keys route) {
	known := i.nodesAt(i.root, keys)
	written := false // an element, before
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			found := i.nodesAt(w.patch, keys)
			known = append(known, found...)
			f.loose = f.loose || slices.ContainsFunc(found, f.matched)
			f.sure = f.sure && (len(found) == 0 || !written)
		case overlap(w.steps, keys.steps):
			f.loose, f.sure = true, false
		case overlap(w.steps, keys.steps[:len(keys.steps)-1]):
			written = true
		}
	}
	for _, n := range known {
		f.sure = f.sure && (n.Value == f.value || !f.matched(n))
	}
}

// means says whether an element of a list is one that a filter means.
func (f *filter) means(element *yaml.Node) bool {
	if f.loose {
		return true
	}
	field := resolved(Lookup(resolved(element), f.key))
	return field != nil && f.matched(field)
}

// matched says whether a filter's pattern matches a field.
func (f *filter) matched(field *yaml.Node) bool {
	return f.matches == nil || field.Kind != yaml.ScalarNode || f.matches.MatchString(field.Value)
}

// apart says whether no element of one list was ever meant by both filters.
func (f *filter) apart(o *filter) bool {
	if f == nil || o == nil || f.key != o.key || !f.sure || !o.sure {
		return false
	}
	return !f.matches.MatchString(o.value) && !o.matches.MatchString(f.value)
}

// meets says whether what was written may be at a path or in it.
func (w writing) meets(p route) bool {
	if !overlap(w.steps, p.steps) {
		return false
	}
	for n, f := range p.filters {
		if n < len(w.steps) && f.apart(w.filters[n]) {
			return false
		}
	}
	return true
}

// fieldsAt bounds the fields that there are at a path, or are made there, and says in which parts of the inputs there are more. Of
// those that the steps of a path stand for, an element has one at most: their number is that of the last elements.
func (i *item) fieldsAt(p route) (count int64, over []string) {
	last := -1
	for n, step := range p.steps {
		if step == "*" || p.filters[n] != nil {
			last = n
		}
	}
	if last < 0 {
		return 1, nil
	}
	elements := route{p.steps[:last+1], p.filters}
	lists, over := i.fieldsAt(route{p.steps[:last], p.filters})
	count = plus(int64(len(i.nodesAt(i.root, elements))), i.itemsInText(elements))
	created := map[string]bool{}
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			count = plus(count, int64(len(i.nodesAt(w.patch, elements))))
		case !w.meets(elements):
		case len(w.steps) <= last: // which has such elements
			count = plus(count, w.bytes/2)
			for r := range w.reads {
				over = append(over, r.source)
			}
		case w.steps[last] == "*":
		case w.filters[last] != nil || len(w.steps) > last+1: // which makes an element in each list once
			created[w.steps[last]] = true
		default:
			count = plus(count, lists)
		}
	}
	return max(1, plus(count, times(lists, int64(len(created))))), over
}

// itemsInText bounds the elements at a path in text of an object, which Kustomize parses where a path goes on in it.
func (i *item) itemsInText(p route) (count int64) {
	for n := 1; n < len(p.steps); n++ {
		for _, text := range i.nodesAt(i.root, route{p.steps[:n], p.filters}) {
			if text.Kind == yaml.ScalarNode {
				count = plus(count, int64(len(text.Value)/2))
			}
		}
	}
	return count
}
