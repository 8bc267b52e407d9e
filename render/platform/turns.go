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
// reads so many bytes of new ones in each load, and of the others nothing is known until later loads: what they open stays closed a little
// longer. A Hold and a Pin are never among them, as they close.

// decisionBytes is how much of the new decisions one load reads.
const decisionBytes = 1 << 20

// readable are the sorted paths of the decisions that this load reads, and how many others there are. Environments with few new ones come
// first.
func readable(t *tree, all bool) (paths []string, others int) {
	paths = slices.Sorted(maps.Keys(t.decisions))
	if all {
		return paths, 0
	}
	waits := func(at string) bool { f := t.decisions[at]; return f.decoded == nil && !mayClose(f) }
	size := map[string]int{} // of what waits, by folder
	for _, at := range paths {
		if waits(at) {
			size[path.Dir(at)] += len(t.decisions[at].data)
		}
	}
	inTurn := slices.SortedFunc(slices.Values(paths), func(a, b string) int {
		return cmp.Or(cmp.Compare(size[path.Dir(a)], size[path.Dir(b)]), cmp.Compare(a, b))
	})
	rest, later := decisionBytes, map[string]bool{}
	for _, at := range inTurn {
		if !waits(at) {
			continue
		}
		if rest <= 0 {
			later[at] = true
		}
		rest -= len(t.decisions[at].data)
	}
	return slices.DeleteFunc(paths, func(at string) bool { return later[at] }), len(later)
}

// mayClose reports whether a file may be a Hold or a Pin, however its text is written.
func mayClose(f *file) bool {
	return f.opaque || bytes.Contains(f.data, []byte(decision.Hold)) || bytes.Contains(f.data, []byte(decision.Pin)) || bytes.IndexByte(f.data, '\\') >= 0
}
