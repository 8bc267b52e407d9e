package platform

import "transom.dev/render/wording"

// mostCompared is how many names are compared with others to find those that were probably meant, of all who may ask. To compare two takes
// some hundred nanoseconds.
const mostCompared = 4_000_000

// A hinter ends messages about names that there are not with the one that was probably meant. Where very many could ask about very many
// names, nobody is told. Whether that is so follows from the platform alone and not from who asks first, so that texts are the same
// everywhere.
type hinter struct {
	names  []string
	silent bool
}

// hints are those of so many askers about the keys of a map.
func hints[V any](askers int, known map[string]V) hinter {
	if askers*len(known) > mostCompared {
		return hinter{silent: true}
	}
	return hinter{names: sortedKeys(known)}
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// suggest names the one that was probably meant, if one was.
func (h hinter) suggest(name string) string {
	if h.silent {
		return ""
	}
	return wording.Suggest(name, h.names)
}

// orThereIs is suggest, or names those that there are.
func (h hinter) orThereIs(name string) string {
	if h.silent {
		return ""
	}
	return orOneOf(name, h.names)
}

// askedByRequests are the hints for requests, each of which may ask about another name.
func askedByRequests[V any](p *Platform, known map[string]V) hinter {
	requests := 0
	for _, files := range p.tree.teams {
		requests += len(files.requests)
	}
	return hints(requests, known)
}
