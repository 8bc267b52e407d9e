package platform

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"

	"transom.dev/render/decision"
)

// A merge may bring very many decisions, too, and to read a megabyte of them takes some tenths of a second. Where a Loader has a bound, it
// reads so many bytes of new ones in each load, and of the others nothing is known until later loads: what they let in waits a little
// longer. A decision that stands is never among them: a Hold and a Pin close gates, and a rollout whose check an Override skips would fail
// without it.

// decisionBytes is how much of the new decisions one load reads.
const decisionBytes = 1 << 20

// readable are the sorted paths of the decisions that this load reads, and how many others there are. Environments with few new ones come
// first.
func readable(t *tree, all bool) (paths []string, others int) {
	paths = slices.Sorted(maps.Keys(t.decisions))
	if all {
		return paths, 0
	}
	var waiting []string
	size := map[string]int{} // of what waits, by folder
	for _, at := range paths {
		if f := t.decisions[at]; f.decoded == nil && !mayStand(f) {
			waiting = append(waiting, at)
			size[path.Dir(at)] += len(f.data)
		}
	}
	slices.SortFunc(waiting, func(a, b string) int {
		return cmp.Or(cmp.Compare(size[path.Dir(a)], size[path.Dir(b)]), cmp.Compare(a, b))
	})
	rest, later := decisionBytes, map[string]bool{}
	for _, at := range waiting {
		if rest <= 0 {
			later[at] = true
		}
		rest -= len(t.decisions[at].data)
	}
	return slices.DeleteFunc(paths, func(at string) bool { return later[at] }), len(later)
}

// mayStand reports whether a file may be a decision that stands until somebody takes it back, however its text is written: also one that
// names no kind that there is, as that holds its environment.
func mayStand(f *file) bool {
	named := func(kind decision.Kind) bool { return bytes.Contains(f.data, []byte(kind)) }
	return f.opaque || !named(decision.Approval) || slices.ContainsFunc(decision.Standing(), named) || bytes.IndexByte(f.data, '\\') >= 0
}
