package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// patch makes one patch, of whichever form.
func (e *estimate) patch(dir string, n int, p types.Patch, acc *accumulation) {
	text := e.sources.text(fmt.Sprintf("%s#%d", dir, n), p.Patch)
	if p.Path != "" {
		text = e.sources.file(path.Join(dir, p.Path))
	}
	for _, d := range text.documents {
		switch d.Kind {
		case yaml.SequenceNode:
			e.operations(d, acc, targets(p.Target, d))
		case yaml.MappingNode:
			e.merge(d, acc, targets(p.Target, d))
		}
	}
}

// targets returns which objects a patch is for: those of its target, or the one that it looks like.
func targets(s *types.Selector, patch *yaml.Node) func(*item) bool {
	if s != nil {
		return selects(s)
	}
	kind, name := resolved(Lookup(patch, "kind")), resolved(Lookup(patch, "metadata", "name"))
	return func(i *item) bool {
		return kind != nil && name != nil && i.kind == kind.Value && i.named(name.Value)
	}
}

// selects returns which objects a selector may take. Whatever else than kinds and names it asks for, it only takes fewer.
func selects(s *types.Selector) func(*item) bool {
	compiled, err := types.NewSelectorRegex(s)
	if err != nil {
		return func(*item) bool { return false } // Kustomize fails
	}
	plain := strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-.^$") == ""
	name := strings.Trim(s.Name, "^$")
	onlyKind := types.Selector{ResId: resid.ResId{Gvk: resid.Gvk{Kind: s.Kind}}}
	if kinds, err := types.NewSelectorRegex(&onlyKind); err == nil {
		return func(i *item) bool {
			if !kinds.MatchGvk(resid.Gvk{Kind: i.kind}) {
				return false
			}
			if compiled.MatchName(i.name) {
				return true
			}
			mayBeNamed := !plain || i.named(name)
			return i.affixed && mayBeNamed
		}
	}
	return func(*item) bool { return true }
}

// merge makes a strategic merge patch.
func (e *estimate) merge(patch *yaml.Node, acc *accumulation, takes func(*item) bool) {
	nodes, bytes := countNodes(patch)
	counts, widest := countFields(patch), widestOf(patch)
	for _, i := range acc.items {
		if e.overdone(acc) {
			return // which is counted before anything is done
		}
		if !takes(i) {
			continue
		}
		e.walks = plus(e.walks, plus(i.nodes, nodes))
		e.lists(patch, nil, i)
		acc.grow(i, nodes, bytes)
		i.counts.widest = plus(i.counts.widest, widest)
		e.merging = plus(e.merging, plus(i.nodes, times(i.counts.widest, i.nodes)/lookupsOfNode))
		i.counts.add(counts)
		i.wrote(writing{patch: patch, bytes: bytes})
	}
}

// lists counts the work of merging the lists of a patch: Kustomize compares each item with all others.
func (e *estimate) lists(patch *yaml.Node, at []string, i *item) {
	if patch = resolved(patch); patch == nil || e.walks > limitWalks.most {
		return
	}
	switch patch.Kind {
	case yaml.MappingNode:
		for n := 0; n+1 < len(patch.Content); n += 2 {
			e.lists(patch.Content[n+1], slices.Concat(at, []string{patch.Content[n].Value}), i)
		}
	case yaml.SequenceNode:
		const dear = 10 // fields that are walked over in the time that two items are compared
		items, from := i.itemsAt(i.routeOf(at))
		items = plus(items, int64(len(patch.Content)))
		e.walks = plus(e.walks, times(dear, times(items, items)))
		for source := range from {
			if e.merges == nil {
				e.merges = map[string]int64{}
			}
			e.merges[source]++
		}
		for _, c := range patch.Content {
			e.lists(c, slices.Concat(at, []string{"*"}), i)
		}
	}
}

// operations makes a JSON patch, for which the whole object is written as JSON and read again. The value that an operation moves may
// be as large as the object.
func (e *estimate) operations(patch *yaml.Node, acc *accumulation, takes func(*item) bool) {
	for _, i := range acc.items {
		if e.overdone(acc) {
			return
		}
		if !takes(i) {
			continue
		}
		e.walks = plus(e.walks, plus(i.nodes, times(int64(len(patch.Content)), 8)))
		copied, before := int64(0), i.bytes
		for _, operation := range patch.Content {
			e.operation(resolved(operation), i, acc, &copied)
		}
		e.texts = plus(e.texts, plus(before, i.bytes))
		e.walks = plus(e.walks, int64(len(i.reads)))
		e.rereads = added(e.rereads, i.reads, 2)
	}
}

func (e *estimate) operation(o *yaml.Node, i *item, acc *accumulation, copied *int64) {
	op, at, value := resolved(Lookup(o, "op")), route{steps: steps(Lookup(o, "path"))}, Lookup(o, "value")
	if op == nil {
		return
	}
	switch op.Value {
	case "add", "replace":
		nodes, bytes := countNodes(value)
		acc.grow(i, nodes, bytes)
		i.counts.add(countFields(value))
		i.counts.add(named(at.steps, bytes))
		i.wrote(writing{route: at, bytes: bytes})
	case "copy":
		e.copies = plus(e.copies, 1)
		from := route{steps: steps(Lookup(o, "from"))}
		bytes := max(0, min(i.sizeAt(from), copySizeLimit-*copied))
		*copied += bytes
		acc.grow(i, bytes/2, bytes)
		i.counts.add(i.counts)
		i.counts.add(named(at.steps, bytes))
		i.wrote(writing{route: at, bytes: bytes, reads: i.readsAt(from)})
	case "move":
		from := route{steps: steps(Lookup(o, "from"))}
		i.counts.add(named(at.steps, i.sizeAt(from)))
		i.wrote(writing{route: at, bytes: i.sizeAt(from), reads: i.readsAt(from)})
	}
}

// steps are those of a JSON pointer.
func steps(pointer *yaml.Node) []string {
	if pointer = resolved(pointer); pointer == nil {
		return nil
	}
	all := strings.Split(strings.TrimPrefix(pointer.Value, "/"), "/")
	for n, step := range all {
		all[n] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return all
}

// overdone reports whether what was counted is too much already, so that counting on would be, too.
func (e *estimate) overdone(acc *accumulation) bool {
	return e.failure != nil || e.walks > limitWalks.most || e.merging > limitMerging.most || e.texts > limitTexts.most || acc.nodes > limitNodes.most || acc.bytes > limitBytes.most
}
