package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/internal/pattern"
)

// plainly makes the changes that are made to all objects alike: names, namespace, labels, annotations and images.
func (e *estimate) plainly(dir string, k *types.Kustomization, acc *accumulation) {
	sweeps, each := int64(len(k.Replicas)), int64(0)
	for _, text := range []string{k.NamePrefix, k.NameSuffix, k.Namespace} {
		e.fail(dir, limitPairs.exceeded(int64(len(text))))
		if text != "" {
			sweeps, each = sweeps+1, each+int64(len(text))
		}
	}
	for key, value := range k.CommonAnnotations {
		each = plus(each, 2*int64(len(key)+len(value)+6))
	}
	if len(k.CommonAnnotations) > 0 {
		sweeps++
	}
	var image, patterns int64
	written := acc.images()
	for _, i := range k.Images {
		patterned := pattern.Steps(i.Name) // a name is a regular expression
		e.fail(dir, limitPattern.exceeded(patterned))
		e.steps, patterns = plus(e.steps, times(patterned, written)), plus(patterns, patterned)
		n := int64(len(i.NewName) + len(i.NewTag) + len(i.TagSuffix) + len(i.Digest))
		e.fail(dir, limitPairs.exceeded(n))
		sweeps, image = sweeps+1, image+n
	}
	e.walks = plus(e.walks, times(sweeps, acc.nodes))
	e.labels(dir, k, acc)
	acc.affix(k)
	if each+image == 0 {
		return
	}
	for _, i := range acc.items {
		e.compare(i, int64(len(k.Images)), patterns)
		acc.grow(i, 4*int64(len(k.CommonAnnotations)), plus(each, times(image, i.counts.images)))
	}
	e.fail(dir, limitImages.exceeded(e.images))
	e.fail(dir, limitSteps.exceeded(e.steps))
}

// compare counts that the images of an object, and those of the inputs in it, are held against so many with so many steps of patterns.
func (e *estimate) compare(i *item, images, patterns int64) {
	e.images = plus(e.images, times(images, i.counts.images))
	if images > 0 {
		e.imagesOf = added(e.imagesOf, i.reads, images)
		e.stepsOf = added(e.stepsOf, i.reads, patterns)
		e.textsOf = added(e.textsOf, i.imaged, patterns)
	}
}

// images bounds the bytes of all images.
func (a *accumulation) images() (bytes int64) {
	for _, i := range a.items {
		bytes = plus(bytes, i.counts.imageBytes)
	}
	return bytes
}

// labels are those of a kustomization and of its transformers, whose annotations count as labels.
func (s *sources) labels(dir string, k *types.Kustomization) []types.Label {
	all := []types.Label{{Pairs: k.CommonLabels, IncludeSelectors: true}} //nolint:staticcheck // published bases have it
	all = append(all, k.Labels...)
	for n, entry := range k.Transformers {
		from := s.text(fmt.Sprintf("%s#transformer %d", dir, n), entry)
		if !isText(entry) {
			from = s.file(path.Join(dir, entry))
		}
		for _, d := range from.documents {
			all = append(all, transformed(d))
		}
	}
	return all
}

// transformed are the labels or annotations of a transformer.
func transformed(d *yaml.Node) types.Label {
	l := types.Label{Pairs: map[string]string{}}
	for _, field := range []string{"labels", "annotations"} {
		pairs := resolved(Lookup(d, field))
		for n := 0; pairs != nil && n+1 < len(pairs.Content); n += 2 {
			l.Pairs[pairs.Content[n].Value] = pairs.Content[n+1].Value
		}
	}
	specs := resolved(Lookup(d, "fieldSpecs"))
	for n := 0; specs != nil && n < len(specs.Content); n++ {
		if at := Lookup(specs.Content[n], "path"); at != nil {
			l.FieldSpecs = append(l.FieldSpecs, types.FieldSpec{Path: at.Value})
		}
	}
	return l
}

// labels counts the fields that labels are written to. Each of them is looked for among those that are there.
func (e *estimate) labels(dir string, k *types.Kustomization, acc *accumulation) {
	var pairs int64 // so far
	known := map[itemPath]int64{}
	for _, l := range e.sources.labels(dir, k) {
		if len(l.Pairs) == 0 {
			continue
		}
		var bytes, looked int64
		for key, value := range l.Pairs {
			e.fail(dir, limitPairs.exceeded(int64(len(key)+len(value))))
			bytes, pairs = plus(bytes, int64(len(key)+len(value)+6)), pairs+1
			looked = plus(looked, pairs)
		}
		e.walks = plus(e.walks, acc.nodes)
		for _, i := range acc.items {
			const fields = 3 // metadata, template and selector
			at := int64(fields)
			if l.IncludeSelectors || l.IncludeVolumeClaimTemplates {
				at = plus(at, i.counts.selectors)
			}
			for _, field := range l.FieldSpecs {
				at = plus(at, i.countAt(field.Path, known))
			}
			e.walks = plus(e.walks, plus(times(at, looked), times(int64(len(l.FieldSpecs)), int64(len(i.writes)))))
			acc.grow(i, times(2, times(at, int64(len(l.Pairs)))), times(at, bytes))
		}
		if e.fail(dir, limitWalks.exceeded(e.walks)); e.failure != nil {
			return
		}
	}
}

// countAt counts the fields of an object that a path leads to, one where none is there yet. Known is the number of each object and
// path, which many labels may share.
func (i *item) countAt(path string, known map[itemPath]int64) int64 {
	at := itemPath{i, path}
	count, counted := known[at]
	if !counted {
		steps := strings.Split(strings.ReplaceAll(path, "[]", ""), "/")
		count = leaves(i.root, steps)
		for _, w := range i.writes {
			if w.patch != nil {
				count = plus(count, leaves(w.patch, steps))
			} else {
				count = plus(count, w.leaves(steps))
			}
		}
		count = max(count, 1)
		known[at] = count
	}
	return count
}

// leaves bounds the fields at a path that there are because of a writing, which may have brought lists on the way to them.
func (w writing) leaves(path []string) int64 {
	reached := make([]bool, len(path)+1) // how many steps of the path may lead to where the writing is, so far
	reached[0] = true
	inside := int64(0)
	for _, step := range w.steps {
		if reached[len(path)] {
			inside = 1 // the writing is in such a field
		}
		for n := len(path); n >= 0; n-- {
			stays := reached[n] && wild(step) // at an item of a list, which the path does not tell
			goes := n > 0 && reached[n-1] && overlap(path[n-1:n], []string{step})
			reached[n] = stays || goes
		}
	}
	if slices.Contains(reached, true) {
		return max(1, w.bytes/2)
	}
	return inside
}

// An itemPath is a path in an item of an object.
type itemPath struct {
	item *item
	path string
}

// leaves counts the fields that a path leads to, through all elements of the lists on its way, there or not.
func leaves(n *yaml.Node, steps []string) (count int64) {
	n = resolved(n)
	switch {
	case n == nil || n.Kind == yaml.ScalarNode:
		return 0
	case n.Kind == yaml.SequenceNode:
		for _, element := range n.Content {
			count = plus(count, leaves(element, steps))
		}
		return count
	case len(steps) == 0:
		return 1
	}
	below := resolved(Lookup(n, steps[0]))
	if below == nil || below.Kind == yaml.ScalarNode {
		return 1
	}
	return leaves(below, steps[1:])
}

// fieldCounts counts the fields of an object that images and labels may be written to.
type fieldCounts struct {
	images     int64 // fields named image
	imageBytes int64 // of their values
	selectors  int64 // fields named matchLabels, and claims of a StatefulSet
	widest     int64 // keys of the mapping that has the most, with those that patches add
}

func (c *fieldCounts) add(o fieldCounts) {
	c.images, c.selectors, c.imageBytes = plus(c.images, o.images), plus(c.selectors, o.selectors), plus(c.imageBytes, o.imageBytes)
}

// times are the fields of so many copies.
func (c fieldCounts) times(n int64) fieldCounts {
	return fieldCounts{images: times(n, c.images), imageBytes: times(n, c.imageBytes), selectors: times(n, c.selectors)}
}

// named are the fields that come to be by writing a value of so many bytes to a path, each time that it is written.
func named(at []string, bytes int64) fieldCounts {
	if len(at) == 0 || at[len(at)-1] != "image" {
		return fieldCounts{}
	}
	return fieldCounts{images: 1, imageBytes: bytes}
}

func countFields(n *yaml.Node) (found fieldCounts) {
	n = resolved(n)
	if n == nil {
		return found
	}
	for at, c := range n.Content {
		if n.Kind == yaml.MappingNode && at%2 == 0 {
			switch c.Value {
			case "image":
				found.images++
				found.imageBytes += int64(len(resolved(n.Content[at+1]).Value))
			case "matchLabels":
				found.selectors++
			case "volumeClaimTemplates":
				found.selectors += int64(len(resolved(n.Content[at+1]).Content))
			}
		}
		found.add(countFields(c))
	}
	return found
}
