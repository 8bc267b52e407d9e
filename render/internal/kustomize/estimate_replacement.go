package kustomize

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"

	"transom.dev/render/internal/pattern"
)

// replacement makes one replacement: the value it copies may be as large as those that other replacements have written
// there.
func (e *estimate) replacement(dir string, r types.Replacement, acc *accumulation) {
	bytes, reads := e.value(r, acc)
	counts := e.countsOf(r, acc)
	for _, target := range r.Targets {
		if target == nil || target.Select == nil {
			continue
		}
		takes := selects(target.Select)
		paths := target.FieldPaths
		if len(paths) == 0 {
			paths = []string{types.DefaultReplacementFieldPath}
		}
		for _, i := range acc.items {
			if !takes(i) {
				continue
			}
			for _, path := range paths {
				if e.failure != nil || e.walks > limitWalks.most {
					return
				}
				before := i.looked
				at := i.routeOf(utils.SmarterPathSplitter(path, "."))
				e.filtering(dir, i, at)
				value := bytes
				if e.parts(i, acc, at, target.Options) {
					value = times(escaped, bytes)
				}
				e.write(i, acc, at, value, reads, counts)
				e.walks = plus(e.walks, plus(i.looked-before, int64(len(i.writes))))
			}
		}
	}
}

// value is how large the value of a replacement may be, and which of the inputs' values it may be or contain.
func (e *estimate) value(r types.Replacement, acc *accumulation) (bytes int64, reads map[reading]int64) {
	if r.SourceValue != nil {
		return int64(len(*r.SourceValue)), nil
	}
	if r.Source == nil {
		return 0, nil
	}
	if path, ok := InputsPath(r.Source); ok {
		reads = map[reading]int64{{source: strings.Join(path, fieldSeparator)}: 1}
	}
	at := utils.SmarterPathSplitter(r.Source.FieldPath, ".")
	if r.Source.FieldPath == "" {
		at = utils.SmarterPathSplitter(types.DefaultReplacementFieldPath, ".")
	}
	for _, i := range acc.items {
		isKind := r.Source.Kind == "" || r.Source.Kind == i.kind
		isNamed := r.Source.Name == "" || i.named(r.Source.Name)
		if !isKind || !isNamed {
			continue
		}
		before, from := i.looked, i.routeOf(at)
		bytes = max(bytes, i.sizeAt(from))
		e.walks = plus(e.walks, plus(i.looked-before, int64(len(i.writes))))
		for of, n := range i.readsAt(from) {
			if reads == nil {
				reads = map[reading]int64{}
			}
			reads[of] = max(reads[of], n)
		}
	}
	return bytes, reads
}

// countsOf bounds the fields that images and labels may be written to in the value of a replacement, but for one of the inputs.
func (e *estimate) countsOf(r types.Replacement, acc *accumulation) (counts fieldCounts) {
	if r.Source == nil || r.Source.FieldPath == "" {
		return counts // a text or a name
	}
	if _, ok := InputsPath(r.Source); ok {
		return counts
	}
	at := utils.SmarterPathSplitter(r.Source.FieldPath, ".")
	for _, i := range acc.items {
		isKind := r.Source.Kind == "" || r.Source.Kind == i.kind
		isNamed := r.Source.Name == "" || i.named(r.Source.Name)
		if !isKind || !isNamed {
			continue
		}
		found, from := fieldCounts{}, i.routeOf(at)
		for _, n := range i.nodesAt(i.root, from) {
			found.add(countFields(n))
		}
		if slices.ContainsFunc(i.writes, func(w writing) bool { return w.patch != nil || w.meets(from) }) {
			found = i.counts // it may have any of them by now
		}
		counts = fieldCounts{
			images: max(counts.images, found.images), imageBytes: max(counts.imageBytes, found.imageBytes),
			selectors: max(counts.selectors, found.selectors), widest: max(counts.widest, found.widest),
		}
	}
	return counts
}

// write writes a value, which has some fields, to all fields at a path of an object.
func (e *estimate) write(i *item, acc *accumulation, at route, bytes int64, reads map[reading]int64, counts fieldCounts) {
	fields, over := i.fieldsAt(at)
	counts.add(named(at.steps, bytes))
	i.counts.add(counts.times(fields))
	written := times(fields, bytes)
	e.replaced = plus(e.replaced, written)
	e.walks = plus(e.walks, plus(int64(len(at.steps)), fields))
	acc.grow(i, written/2, written)
	w := writing{route: at, bytes: written}
	slices.Sort(over)
	for of, n := range reads {
		if w.reads == nil {
			w.reads = map[reading]int64{}
		}
		n = times(n, fields)
		w.reads[of] = plus(w.reads[of], n)
		if e.reads == nil {
			e.reads = map[reading]int64{}
		}
		e.reads[of] = plus(e.reads[of], n)
		for _, list := range slices.Compact(slices.Clone(over)) {
			within := reading{of.source, list}
			w.reads[within] = plus(w.reads[within], n)
			e.reads[within] = plus(e.reads[within], n)
		}
	}
	if written > 0 || len(w.reads) > 0 {
		i.wrote(w)
	}
}

// escaped is how many bytes of a text in a text a byte may become: "<" is \u003c there.
const escaped = 6

// parts counts the texts that a replacement reads and writes again to change a part of them: those in which its path goes on, which
// are parsed and printed, and those of which a delimiter divides the parts. It reports whether the path goes on in a text.
func (e *estimate) parts(i *item, acc *accumulation, at route, options *types.FieldOptions) (inText bool) {
	for n := 1; n < len(at.steps); n++ {
		text := at.upTo(n)
		known, maybe := i.textsAt(text)
		if !maybe {
			continue
		}
		inText = true
		for _, t := range known {
			growth := i.print(t)
			acc.grow(i, 0, growth)
			e.texts = plus(e.texts, growth)
		}
		e.rewrite(i, text)
	}
	if options != nil && options.Delimiter != "" {
		e.rewrite(i, at)
	}
	return inText
}

// rewrite counts that whatever is at a path of an object is read and written.
func (e *estimate) rewrite(i *item, at route) {
	const both = 2
	e.texts = plus(e.texts, times(both, i.sizeAt(at)))
	e.rereads = added(e.rereads, i.readsAt(at), both)
}

// filtering counts the work of comparing elements with the filters of a path: each element's field is printed, and the
// pattern is compiled, every time.
func (e *estimate) filtering(dir string, i *item, p route) {
	const dear = 400 // fields that are walked over in the time of one element
	for n, f := range p.filters {
		patterned := pattern.Steps(f.value)
		e.fail(dir, limitPattern.exceeded(patterned))
		elements := int64(len(i.nodesAt(i.root, route{append(append([]string{}, p.steps[:n]...), "*"), p.filters})))
		e.walks = plus(e.walks, times(dear, elements))
		e.steps = plus(e.steps, times(patterned, times(elements, int64(10+len(f.value)))))
	}
	e.fail(dir, limitSteps.exceeded(e.steps))
}

// fieldSeparator stands between the steps of a path in the inputs; keys may have dots and slashes.
const fieldSeparator = "\x00"
