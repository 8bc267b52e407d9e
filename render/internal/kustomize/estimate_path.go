package kustomize

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sizeAt bounds the bytes of the values that are at a path of an object by now.
func (i *item) sizeAt(at []string) int64 {
	size := sizeOf(i.nodesAt(i.root, at))
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			size = plus(size, sizeOf(i.nodesAt(w.patch, at)))
		case overlap(w.path, at):
			size = plus(size, w.bytes)
		}
	}
	return min(size, i.bytes)
}

// readsAt are the parts of the inputs that are at a path of an object by now.
func (i *item) readsAt(at []string) map[reading]int64 {
	var reads map[reading]int64
	for _, w := range i.writes {
		if w.patch != nil || len(w.reads) == 0 || !overlap(w.path, at) {
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

// fieldsAt counts the fields at a path of an object by now, and says in which parts of the inputs there are more.
func (i *item) fieldsAt(at []string) (count int64, over []string) {
	count = int64(len(i.nodesAt(i.root, at)))
	several := false
	for _, step := range at {
		several = several || step == "*" || strings.HasPrefix(step, "[")
	}
	for _, w := range i.writes {
		switch {
		case !several:
		case w.patch != nil:
			count = plus(count, int64(len(i.nodesAt(w.patch, at))))
		case overlap(w.path, at):
			count = plus(count, w.bytes/2)
			for r := range w.reads {
				over = append(over, r.source)
			}
		}
	}
	return max(count, 1), over
}

// itemsAt counts the items of the lists at a path of an object by now, but for those that come from the inputs: it says
// which part of the inputs each is of.
func (i *item) itemsAt(at []string) (count int64, from map[string]bool) {
	for _, n := range i.nodesAt(i.root, at) {
		count = plus(count, int64(len(n.Content)))
	}
	for _, w := range i.writes {
		switch {
		case w.patch != nil:
			for _, n := range i.nodesAt(w.patch, at) {
				count = plus(count, int64(len(n.Content)))
			}
		case overlap(w.path, at) && len(w.path) <= len(at):
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

// nodesAt are the nodes at a path, in which a step may be a key, an index, * or [key=value].
func (i *item) nodesAt(n *yaml.Node, at []string) []*yaml.Node {
	n = resolved(n)
	switch {
	case n == nil:
		return nil
	case len(at) == 0 && n.Kind == 0:
		return nil
	case len(at) == 0:
		return []*yaml.Node{n}
	}
	var found []*yaml.Node
	i.looked += int64(len(n.Content))
	for index, c := range n.Content {
		switch n.Kind {
		case yaml.MappingNode:
			meant := at[0] == "*" || c.Value == at[0]
			if meant && index%2 == 0 {
				found = append(found, i.nodesAt(n.Content[index+1], at[1:])...)
			}
		case yaml.SequenceNode:
			if means(at[0], index, c) {
				found = append(found, i.nodesAt(c, at[1:])...)
			}
		}
	}
	return found
}

// means says whether a step of a path leads to an element of a list.
func means(step string, index int, element *yaml.Node) bool {
	if strings.HasPrefix(step, "[") && has(element, step) {
		return true
	}
	return step == "*" || step == strconv.Itoa(index)
}

// has says whether an element of a list is one that [key=value] means.
func has(element *yaml.Node, filter string) bool {
	key, value, _ := strings.Cut(strings.Trim(filter, "[]"), "=")
	field := resolved(Lookup(resolved(element), key))
	return field == nil || field.Value == value
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
