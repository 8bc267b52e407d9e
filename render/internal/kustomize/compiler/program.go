package compiler

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"transom.dev/render/internal/kustomize"
)

// maxTemplates bounds the templates of one program. Beyond it, instances are built the plain way.
const maxTemplates = 128

// A Program builds the instances of one set of components, with the same bytes as Build, and most of them much faster:
// it runs Kustomize a few times on markers, sees where they go, and from then on fills in values. An instance with a value
// that it cannot prove to be only copied is built by Build. A Program is for wrappers that differ in inputs, prefix,
// namespace and the values of labels only, and may be used concurrently.
type Program struct {
	facts  *facts
	labels []string // keys
	roots  []root
	texts  []string // sorted, which no prefix may begin
	why    error    // nothing is built by template

	classes sync.Map // by field
	quotes  quotes
	entries atomic.Pointer[map[string]*entry]
	adding  sync.Mutex // entries: whoever adds one swaps the map for a larger one
}

// A root is a part of the inputs that replacements read.
type root struct {
	path  []string
	field string
}

// An entry is the template of one shape. The first instance of a shape is built the plain way, for it may be the only
// one.
type entry struct {
	done   atomic.Pointer[compiled]
	making sync.Mutex
	seen   bool
}

// compiled is a template, or why there is none.
type compiled struct {
	template *template
	why      error
}

// Compile prepares building instances like the wrapper, whose trees were accepted by Guard.
func Compile(w kustomize.Wrapper) *Program {
	p := &Program{labels: slices.Sorted(maps.Keys(w.Labels))}
	p.entries.Store(&map[string]*entry{})
	if len(w.Resources) > 0 {
		p.why = unproven("resources beside the inputs")
		return p
	}
	if slices.ContainsFunc(w.Trees, func(t kustomize.Tree) bool { return t.Printed > 0 }) {
		p.why = unproven("objects of a chart, which prints them anew for each placement")
		return p
	}
	if p.facts, p.why = gather(w); p.why == nil {
		p.why = p.facts.copies()
	}
	if p.why != nil {
		return p
	}
	p.roots = roots(p.facts.sources)
	texts := p.facts.names
	if p.facts.generated || p.facts.affixed {
		texts = p.facts.constants
	}
	p.texts = slices.Sorted(maps.Keys(texts))
	return p
}

// Never returns a Program that builds nothing by template, because the components do not build at all.
func Never(why error) *Program { return &Program{why: unproven("does not build: %v", why)} }

// roots merges the paths that lie inside each other.
func roots(sources [][]string) []root {
	var found []root
	for _, path := range sources {
		if i := slices.IndexFunc(path, kustomize.IsIndex); i >= 0 {
			path = path[:i]
		}
		if slices.Contains([]string{"apiVersion", "kind", "metadata"}, path[0]) {
			continue
		}
		found = append(found, root{path, strings.Join(path, fieldSeparator)})
	}
	slices.SortFunc(found, func(a, b root) int { return strings.Compare(a.field, b.field) })
	var merged []root
	for _, r := range found {
		inside := func(m root) bool { return m.field == r.field || strings.HasPrefix(r.field, m.field+fieldSeparator) }
		if !slices.ContainsFunc(merged, inside) {
			merged = append(merged, r)
		}
	}
	return merged
}

// startsWith reports whether some text that Kustomize might take for a name begins with a prefix.
func (p *Program) startsWith(prefix string) bool {
	i := sort.SearchStrings(p.texts, prefix)
	return i < len(p.texts) && strings.HasPrefix(p.texts[i], prefix)
}

func (p *Program) class(field string) class {
	if c, ok := p.classes.Load(field); ok {
		return c.(class)
	}
	c := p.facts.class(field)
	p.classes.Store(field, c)
	return c
}

// Build returns the bytes that the function Build returns for the wrapper.
func (p *Program) Build(w kustomize.Wrapper) ([]byte, error) {
	if out, why := p.build(&w, false); why == nil {
		return out, nil
	}
	return kustomize.Build(w)
}

// Why is the reason that keeps the wrapper from being built by template; nil: there is none. It makes the template where
// there is none yet.
func (p *Program) Why(w kustomize.Wrapper) error {
	_, why := p.build(&w, true)
	return why
}

// Never is the reason that keeps all wrappers from being built by template; nil: that depends on their inputs.
func (p *Program) Never() error { return p.why }

func (p *Program) build(w *kustomize.Wrapper, first bool) ([]byte, error) {
	if p.why != nil {
		return nil, p.why
	}
	s, why := p.shape(w, nil)
	if why != nil {
		return nil, why
	}
	e := p.entry(s.key)
	if e == nil {
		return nil, unproven("more than %d shapes of inputs", maxTemplates)
	}
	t, why := e.ready(s, first)
	if why == nil && t.sight != nil {
		t, why = p.variant(t, s, first)
	}
	if why != nil {
		return nil, why
	}
	return t.print(s)
}

// variant is the template of the shape in which the identity goes where these values send it.
func (p *Program) variant(t *template, s *shape, first bool) (*template, error) {
	chosen := t.sight.chosen(s)
	if chosen == t.chosen {
		return t, nil
	}
	e := p.entry(append(s.key, chosen...))
	if e == nil {
		return nil, unproven("more than %d shapes of inputs", maxTemplates)
	}
	t, why := e.ready(s, first)
	if why == nil && t.chosen != chosen {
		return nil, unproven("where the identity goes depends on values by more than copying")
	}
	return t, why
}

// entry finds the entry of a shape's template, or nil where there are too many.
func (p *Program) entry(key []byte) *entry {
	if e := (*p.entries.Load())[string(key)]; e != nil {
		return e
	}
	p.adding.Lock()
	defer p.adding.Unlock()
	entries := *p.entries.Load()
	e := entries[string(key)]
	if e == nil && len(entries) < maxTemplates {
		e = &entry{}
		entries = maps.Clone(entries)
		entries[string(key)] = e
		p.entries.Store(&entries)
	}
	return e
}

// ready makes the template where there is none yet, for the second instance of a shape or when told to for the first.
func (e *entry) ready(s *shape, first bool) (*template, error) {
	if c := e.done.Load(); c != nil {
		return c.template, c.why
	}
	e.making.Lock()
	defer e.making.Unlock()
	if c := e.done.Load(); c != nil {
		return c.template, c.why
	}
	seen := e.seen || first
	e.seen = true
	if !seen {
		return nil, unproven("the first of its shape")
	}
	c := &compiled{}
	c.template, c.why = s.compile()
	if unfinished := (*kustomize.Unfinished)(nil); !errors.As(c.why, &unfinished) {
		e.done.Store(c)
	}
	return c.template, c.why
}

// unbuilt says why a build that failed keeps a shape from being compiled.
func unbuilt(why string, err error) error {
	if unfinished := (*kustomize.Unfinished)(nil); errors.As(err, &unfinished) {
		return err
	}
	return unproven("%s: %v", why, err)
}

// compile makes the template of a shape, and compares it with the plain build of its instance.
func (s *shape) compile() (*template, error) {
	real, err := kustomize.Accumulate(*s.wrapper)
	if err != nil {
		return nil, unbuilt("fails with these values", err)
	}
	id, err := s.wrapper.Identify(real)
	if err != nil {
		return nil, err
	}
	var results [probes]kustomize.Objects
	var marks [probes]markers
	var views [probes]kustomize.Views
	for i := range probes {
		marks[i] = s.marked(i)
		w, err := s.probe(marks[i])
		if err != nil {
			return nil, err
		}
		if results[i], err = kustomize.Accumulate(w); err != nil {
			return nil, unbuilt("fails with other values", err)
		}
		if results[i].Size() != real.Size() {
			return nil, unproven("which objects there are depends on values")
		}
		views[i] = kustomize.ViewsOf(results[i], w.Prefix)
		if err := id.Of(w.Identity).Apply(results[i]); err != nil {
			return nil, err
		}
	}
	t, err := s.newTemplate(results, marks, id)
	if err != nil {
		return nil, err
	}
	if id.Chosen != "" {
		if t.sight, err = s.newSight(views, marks); err != nil {
			return nil, err
		}
	}
	if err := id.Apply(real); err != nil {
		return nil, err
	}
	want, err := kustomize.Print(real)
	if err != nil {
		return nil, unproven("fails with these values: %v", err)
	}
	t.chosen, t.size = id.Chosen, len(want)
	got, err := t.print(s)
	if err == nil && !bytes.Equal(want, got) {
		return nil, unproven("does not print what Kustomize prints")
	}
	return t, nil
}
