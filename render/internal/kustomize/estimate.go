package kustomize

import (
	"maps"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// An estimate goes through a build as Kustomize would, in the same order, and only counts: how many objects each change looks
// at, and how much they may grow. Its counts are never less than the work of a build.
type estimate struct {
	sources *sources
	failure *Failure // the first limit that was exceeded

	looks, walks, merging, copies, replaced int64
	named                                   []types.FieldSpec // fields that configurations say to have names
	burden
}

// A reading is a part of the inputs on its way into objects. Over is the part of the inputs that had been written before and
// has the fields that it is written to; empty: it is written to fields of the files.
type reading struct{ source, over string }

// An accumulation is the objects that a kustomization has so far.
type accumulation struct {
	items []*item
	nodes int64
	bytes int64
}

// An item is an object, as large as it may have become.
type item struct {
	kind, name string // as written
	affixed    bool   // a kustomization may have changed the name
	root       *yaml.Node
	nodes      int64
	bytes      int64
	counts     fieldCounts
	writes     []writing
	reads      map[reading]int64 // in all writes
	imaged     map[reading]int64 // in those that write an image
	printed    map[*yaml.Node]bool
	looked     int64 // nodes that were looked at to find others
}

// A writing is a value that a change has put into an object: at a path, or as a patch that looks like the object.
type writing struct {
	route // without steps: anywhere
	patch *yaml.Node
	bytes int64
	reads map[reading]int64 // in it, and how often
}

func (e *estimate) fail(dir, message string) {
	if e.failure == nil && message != "" {
		e.failure = counted(dir, message)
	}
}

// component goes through a directory whose changes are made to the objects that are there already.
func (e *estimate) component(dir string, acc *accumulation) {
	k := e.sources.kustomization(dir)
	if k == nil || e.failure != nil {
		return
	}
	e.configure(dir, k)
	for _, p := range k.Resources {
		name := path.Join(dir, p)
		if !e.sources.isDirectory(name) {
			for _, object := range e.sources.file(name).objects() {
				acc.add(newItem(object))
			}
			continue
		}
		own := &accumulation{}
		e.component(name, own)
		for _, i := range own.items {
			acc.add(i)
		}
	}
	for _, c := range k.ConfigMapGenerator {
		if e.generate(dir, k, c, acc); e.failure != nil {
			return
		}
	}
	for _, p := range k.Components {
		e.component(path.Join(dir, p), acc)
	}
	e.change(dir, k, acc)
}

// generate makes a ConfigMap of a kustomization. One that is merged into another writes all keys that are there once more.
func (e *estimate) generate(dir string, k *types.Kustomization, c types.ConfigMapArgs, acc *accumulation) {
	made := e.sources.generated(dir, k, c)
	i := &item{kind: "ConfigMap", name: c.Name, nodes: made.nodes, bytes: made.size}
	keys, bytes := i.data(), i.bytes
	if types.NewGenerationBehavior(c.Behavior) == types.BehaviorMerge {
		for _, other := range acc.items {
			if other.kind == i.kind && other.named(c.Name) {
				keys, bytes = plus(keys, other.data()), plus(bytes, other.bytes)
			}
		}
	}
	e.merging = plus(e.merging, written(keys, bytes))
	e.fail(dir, limitMerging.exceeded(e.merging))
	acc.add(i)
}

func (a *accumulation) add(i *item) {
	a.items = append(a.items, i)
	a.nodes, a.bytes = plus(a.nodes, i.nodes), plus(a.bytes, i.bytes)
}

func newItem(object *yaml.Node) *item {
	i := &item{root: object}
	i.nodes, i.bytes = countNodes(object)
	if n := resolved(Lookup(object, "kind")); n != nil {
		i.kind = n.Value
	}
	if n := resolved(Lookup(object, "metadata", "name")); n != nil {
		i.name = n.Value
	}
	i.counts = countFields(object)
	i.counts.widest = widestOf(object)
	return i
}

// change makes a kustomization's own changes, in the order of Kustomize.
func (e *estimate) change(dir string, k *types.Kustomization, acc *accumulation) {
	objects := int64(len(acc.items))
	patches := patched(k)
	changes := int64(len(patches) + len(k.Images) + len(k.Replicas))
	for _, l := range e.sources.labels(dir, k) {
		changes = plus(changes, times(int64(len(l.Pairs)), 1+int64(len(l.FieldSpecs))))
	}
	for _, r := range k.Replacements {
		for _, one := range e.sources.replacements(dir, r) {
			changes++
			for _, target := range one.Targets {
				if target != nil {
					changes += 1 + int64(len(target.FieldPaths))
				}
			}
		}
	}
	e.looks = plus(e.looks, times(changes, objects))
	e.fail(dir, limitLooks.exceeded(e.looks))
	if e.patterns(dir, k, acc); e.failure != nil {
		return
	}
	for n, p := range patches {
		if n == len(k.Patches) {
			acc.affix(k) // which comes before patchesJson6902
		}
		e.patch(dir, n, p, acc)
	}
	e.plainly(dir, k, acc)
	for _, r := range k.Replacements {
		for _, one := range e.sources.replacements(dir, r) {
			e.replacement(dir, one, acc)
		}
	}
	e.fail(dir, limitWalks.exceeded(e.walks))
	e.fail(dir, limitMerging.exceeded(e.merging))
	e.fail(dir, limitCopies.exceeded(e.copies))
	e.fail(dir, limitReplaced.exceeded(e.replaced))
	e.fail(dir, limitTexts.exceeded(e.texts))
	e.fail(dir, limitNodes.exceeded(acc.nodes))
	e.fail(dir, limitBytes.exceeded(acc.bytes))
}

// affix notes that names may be others after a kustomization than before it.
func (a *accumulation) affix(k *types.Kustomization) {
	if k.NamePrefix == "" && k.NameSuffix == "" {
		return
	}
	for _, i := range a.items {
		i.affixed = true
	}
}

// grow notes that an object became larger.
func (a *accumulation) grow(i *item, nodes, bytes int64) {
	i.nodes, i.bytes = plus(i.nodes, nodes), plus(i.bytes, bytes)
	a.nodes, a.bytes = plus(a.nodes, nodes), plus(a.bytes, bytes)
}

// wrote notes a writing. Of very many, only their sum is remembered.
func (i *item) wrote(w writing) {
	const most = 500
	i.reads = added(i.reads, w.reads, 1)
	if named(w.steps, 0).images > 0 {
		i.imaged = added(i.imaged, w.reads, 1)
	}
	if len(i.writes) < most {
		i.writes = append(i.writes, w)
		return
	}
	all := &i.writes[most-1]
	all.route, all.patch, all.bytes = route{}, nil, plus(all.bytes, w.bytes)
	all.reads = added(maps.Clone(all.reads), w.reads, 1)
}

// added adds readings, each so many times, to others.
func added(to, reads map[reading]int64, count int64) map[reading]int64 {
	if to == nil && len(reads) > 0 {
		to = map[reading]int64{}
	}
	for r, n := range reads {
		to[r] = plus(to[r], times(n, count))
	}
	return to
}

// named says whether an object may have a name, which is one of before or after it was given a prefix or suffix.
func (i *item) named(name string) bool {
	if i.affixed {
		return strings.Contains(name, i.name)
	}
	return i.name == name
}
