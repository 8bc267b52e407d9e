package kustomize

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sizeAt bounds the bytes of the values that are at a path of an object by now.
func (i *item) sizeAt(at route) int64 {
	size := sizeOf(i.nodesAt(i.root, at))
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			size = plus(size, sizeOf(i.nodesAt(w.patch, at)))
		case w.meets(at):
			size = plus(size, w.bytes)
		}
	}
	return min(size, i.bytes)
}

// readsAt are the parts of the inputs that are at a path of an object by now.
func (i *item) readsAt(at route) map[reading]int64 {
	var reads map[reading]int64
	for _, w := range i.writes {
		if w.patch != nil || len(w.reads) == 0 || !w.meets(at) {
			continue
		}
		if reads == nil {
			reads = map[reading]int64{}
		}
		for r, n := range w.reads {
			reads[r] = plus(reads[r], n)
		}
	}
	return reads
}

// itemsAt counts the items of the lists at a path of an object by now, but for those that come from the inputs: it says
// which part of the inputs each is of.
func (i *item) itemsAt(at route) (count int64, from map[string]bool) {
	for _, n := range i.nodesAt(i.root, at) {
		count = plus(count, int64(len(n.Content)))
	}
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			for _, n := range i.nodesAt(w.patch, at) {
				count = plus(count, int64(len(n.Content)))
			}
		case w.meets(at) && len(w.steps) <= len(at.steps):
			count = plus(count, w.bytes/4)
			for r := range w.reads {
				if from == nil {
					from = map[string]bool{}
				}
				from[r.source] = true
			}
		}
	}
	return count, from
}

func sizeOf(nodes []*yaml.Node) (size int64) {
	for _, n := range nodes {
		_, bytes := countNodes(n)
		size = plus(size, bytes)
	}
	return size
}

// nodesAt are the nodes at a path, whose steps may each be a key, an index, * or [key=value].
func (i *item) nodesAt(n *yaml.Node, at route) []*yaml.Node { return i.nodesFrom(n, at, 0) }

func (i *item) nodesFrom(n *yaml.Node, at route, step int) []*yaml.Node {
	n = resolved(n)
	switch {
	case n == nil:
		return nil
	case len(at.steps) == step && n.Kind == 0:
		return nil
	case len(at.steps) == step:
		return []*yaml.Node{n}
	}
	var found []*yaml.Node
	i.looked += int64(len(n.Content))
	for index, c := range n.Content {
		switch n.Kind {
		case yaml.MappingNode:
			meant := at.steps[step] == "*" || c.Value == at.steps[step]
			if meant && index%2 == 0 {
				found = append(found, i.nodesFrom(n.Content[index+1], at, step+1)...)
			}
		case yaml.SequenceNode:
			if at.means(step, index, c) {
				found = append(found, i.nodesFrom(c, at, step+1)...)
			}
		}
	}
	return found
}

// means says whether a step of a path leads to an element of a list.
func (p route) means(step, index int, element *yaml.Node) bool {
	switch f := p.filters[step]; {
	case p.steps[step] == "*":
		return true
	case f != nil:
		return f.means(element)
	}
	return p.steps[step] == strconv.Itoa(index)
}

// overlap says whether one of two paths may lead to or into the other; nil leads everywhere.
func overlap(a, b []string) bool {
	for n := 0; n < len(a) && n < len(b); n++ {
		if a[n] != b[n] && !wild(a[n]) && !wild(b[n]) {
			return false
		}
	}
	return true
}

// wild says whether a step of a path may stand for one that is written differently.
func wild(step string) bool {
	return step == "*" || step == "-" || strings.HasPrefix(step, "[") || strings.Trim(step, "0123456789") == ""
}
