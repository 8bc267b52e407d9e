package kustomize

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// A trial goes through a build as Kustomize would, in the same order, and only counts: how many objects each change looks
// at, and how much they may grow. Its counts are never less than the work of a build.
type trial struct {
	sources *sources
	failure *Failure // the first limit that was exceeded

	looks, walks, copies, replaced, steps int64
	named                                 []types.FieldSpec // fields that configurations say to hold names
	reads                                 map[reading]int64 // how often the inputs' values are written
	merges                                map[string]int64  // how often patches merge lists of the inputs
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
	containers int64 // fields named image
	writes     []writing
	looked     int64 // nodes that were looked at to find others
}

// A writing is a value that a change has put into an object: at a path, or as a patch that looks like the object.
type writing struct {
	path  []string // nil: anywhere
	patch *yaml.Node
	bytes int64
	reads map[reading]int64 // in it, and how often
}

func (t *trial) fail(dir, message string) {
	if t.failure == nil && message != "" {
		t.failure = &Failure{Dir: dir, Message: message}
	}
}

// component goes through a directory whose changes are made to the objects that are there already.
func (t *trial) component(dir string, acc *accumulation) {
	k := t.sources.kustomization(dir)
	if k == nil || t.failure != nil {
		return
	}
	t.configure(dir, k)
	for _, p := range k.Resources {
		name := path.Join(dir, p)
		if !t.sources.isDirectory(name) {
			for _, object := range t.sources.file(name).objects() {
				acc.add(newItem(object))
			}
			continue
		}
		own := &accumulation{}
		t.component(name, own)
		for _, i := range own.items {
			acc.add(i)
		}
	}
	for _, c := range k.ConfigMapGenerator {
		made := t.sources.generated(dir, c)
		acc.add(&item{kind: "ConfigMap", name: c.Name, nodes: made.nodes, bytes: made.size})
	}
	for _, p := range k.Components {
		t.component(path.Join(dir, p), acc)
	}
	t.change(dir, k, acc)
}

func (a *accumulation) add(i *item) {
	a.items = append(a.items, i)
	a.nodes, a.bytes = plus(a.nodes, i.nodes), plus(a.bytes, i.bytes)
}

func newItem(object *yaml.Node) *item {
	i := &item{root: object}
	i.nodes, i.bytes = weight(object)
	if n := resolved(Lookup(object, "kind")); n != nil {
		i.kind = n.Value
	}
	if n := resolved(Lookup(object, "metadata", "name")); n != nil {
		i.name = n.Value
	}
	i.containers = images(object)
	return i
}

// images counts the fields that an image may be written to.
func images(n *yaml.Node) (count int64) {
	n = resolved(n)
	if n == nil {
		return 0
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == "image" {
			count++
		}
		count = plus(count, images(c))
	}
	return count
}

// change makes a kustomization's own changes, in the order of Kustomize.
func (t *trial) change(dir string, k *types.Kustomization, acc *accumulation) {
	objects := int64(len(acc.items))
	patches := patched(k)
	changes := int64(len(patches) + len(k.Images) + len(k.Replicas) + len(k.Labels))
	for _, r := range k.Replacements {
		for _, one := range t.sources.replacements(dir, r) {
			changes++
			for _, target := range one.Targets {
				if target != nil {
					changes += 1 + int64(len(target.FieldPaths))
				}
			}
		}
	}
	t.looks = plus(t.looks, times(changes, objects))
	t.fail(dir, limitLooks.exceeded(t.looks))
	if t.patterns(dir, k, acc); t.failure != nil {
		return
	}
	for n, p := range patches {
		if n == len(k.Patches) {
			acc.affix(k) // which comes before patchesJson6902
		}
		t.patch(dir, n, p, acc)
	}
	t.plainly(dir, k, acc)
	for _, r := range k.Replacements {
		for _, one := range t.sources.replacements(dir, r) {
			t.replacement(one, acc)
		}
	}
	t.fail(dir, limitWalks.exceeded(t.walks))
	t.fail(dir, limitCopies.exceeded(t.copies))
	t.fail(dir, limitReplaced.exceeded(t.replaced))
	t.fail(dir, limitNodes.exceeded(acc.nodes))
	t.fail(dir, limitBytes.exceeded(acc.bytes))
}

// plainly makes the changes that are made to all objects alike: names, namespace, labels, annotations and images.
func (t *trial) plainly(dir string, k *types.Kustomization, acc *accumulation) {
	sweeps, each := int64(len(k.Replicas)), int64(0)
	for _, text := range []string{k.NamePrefix, k.NameSuffix, k.Namespace} {
		t.fail(dir, limitPairs.exceeded(int64(len(text))))
		if text != "" {
			sweeps, each = sweeps+1, each+int64(len(text))
		}
	}
	const places = 3                             // metadata, template and selector
	pairs := []map[string]string{k.CommonLabels} //nolint:staticcheck // published bases have it
	for _, l := range k.Labels {
		pairs = append(pairs, l.Pairs)
	}
	for _, m := range pairs {
		for key, value := range m {
			t.fail(dir, limitPairs.exceeded(int64(len(key)+len(value))))
			each += places * int64(len(key)+len(value)+6)
		}
		if len(m) > 0 {
			sweeps++
		}
	}
	for key, value := range k.CommonAnnotations {
		each = plus(each, 2*int64(len(key)+len(value)+6))
	}
	if len(k.CommonAnnotations) > 0 {
		sweeps++
	}
	var image int64
	for _, i := range k.Images {
		n := int64(len(i.NewName) + len(i.NewTag) + len(i.TagSuffix) + len(i.Digest))
		t.fail(dir, limitPairs.exceeded(n))
		sweeps, image = sweeps+1, image+n
	}
	t.walks = plus(t.walks, times(sweeps, acc.nodes))
	acc.affix(k)
	if each+image == 0 {
		return
	}
	for _, i := range acc.items {
		acc.grow(i, 0, plus(each, times(image, i.containers)))
	}
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
	if len(i.writes) < most {
		i.writes = append(i.writes, w)
		return
	}
	all := &i.writes[most-1]
	all.path, all.patch, all.bytes = nil, nil, plus(all.bytes, w.bytes)
	sum := map[reading]int64{}
	for _, reads := range []map[reading]int64{all.reads, w.reads} {
		for r, n := range reads {
			sum[r] = plus(sum[r], n)
		}
	}
	all.reads = sum
}

// named says whether an object may have a name, which is one of before or after it was given a prefix or suffix.
func (i *item) named(name string) bool {
	if i.affixed {
		return strings.Contains(name, i.name)
	}
	return i.name == name
}
