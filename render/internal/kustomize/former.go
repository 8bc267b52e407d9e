package kustomize

// formerNames tells which names objects had before the kustomizations of a build gave them prefixes and suffixes.
type formerNames struct {
	affixes map[string]bool
	ends    map[string]nameEnds // by name
}

// nameEnds says of each position in a name whether the text before it, or from it on, is made of affixes alone.
type nameEnds struct{ lead, tail []bool }

func newFormerNames(affixes []string) *formerNames {
	f := &formerNames{affixes: map[string]bool{}, ends: map[string]nameEnds{}}
	for _, affix := range affixes {
		f.affixes[affix] = affix != ""
	}
	return f
}

// had reports whether a name, without some affixes, is the other one.
func (f *formerNames) had(name, before string) bool {
	if name == before {
		return true
	}
	ends := f.of(name)
	for from := range len(name) - len(before) + 1 {
		to := from + len(before)
		if ends.lead[from] && ends.tail[to] && name[from:to] == before {
			return true
		}
	}
	return false
}

// of finds the ends of a name. Its steps are the square of the name's length.
func (f *formerNames) of(name string) nameEnds {
	if known, ok := f.ends[name]; ok {
		return known
	}
	n := len(name)
	e := nameEnds{lead: make([]bool, n+1), tail: make([]bool, n+1)}
	e.lead[0], e.tail[n] = true, true
	for to := range n + 1 {
		for from := range to {
			if e.lead[from] && f.affixes[name[from:to]] {
				e.lead[to] = true
				break
			}
		}
	}
	for from := n - 1; from >= 0; from-- {
		for to := from + 1; to <= n; to++ {
			if e.tail[to] && f.affixes[name[from:to]] {
				e.tail[from] = true
				break
			}
		}
	}
	f.ends[name] = e
	return e
}
