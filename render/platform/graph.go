package platform

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A Graph is the graph of environments that promotesFrom draws: releases go along its edges from an environment to those
// that take releases from it. It is made at load and read-only. Environments that take releases from each other in a circle
// are Broken; no walk over the graph is endless for it.
type Graph struct {
	direct     map[string][]string // promotesFrom of each environment, as written
	upstream   map[string][]string // of each environment, sorted
	downstream map[string][]string // of each environment, sorted
	reached    map[string][]string // the part of upstream whose releases can get here now, sorted
	order      []string            // all environments, in the order in which releases go through them
}

// NewGraph makes the graph of these environments.
func NewGraph(environments map[string]*Environment) *Graph {
	g := &Graph{
		direct: map[string][]string{}, upstream: map[string][]string{}, downstream: map[string][]string{}, reached: map[string][]string{},
	}
	for name, e := range environments {
		g.direct[name] = e.PromotesFrom
	}
	for _, name := range sortedKeys(environments) {
		g.upstream[name] = g.above(name, func(string) bool { return true })
		g.reached[name] = g.above(name, func(at string) bool { return environments[at] != nil && !environments[at].Broken })
		for _, up := range g.upstream[name] {
			g.downstream[up] = append(g.downstream[up], name)
		}
	}
	depths := map[string]int{}
	for name := range environments {
		g.depth(name, depths)
	}
	g.order = slices.SortedFunc(maps.Keys(environments), func(a, b string) int {
		return cmp.Or(cmp.Compare(depths[a], depths[b]), strings.Compare(a, b))
	})
	return g
}

// above lists the environments that one takes releases from, sorted, going on from those only that goes says.
func (g *Graph) above(environment string, goes func(string) bool) []string {
	seen := map[string]bool{}
	for next := []string{environment}; len(next) > 0; next = next[1:] {
		if !goes(next[0]) {
			continue
		}
		for _, up := range g.direct[next[0]] {
			if !seen[up] {
				seen[up], next = true, append(next, up)
			}
		}
	}
	return sortedKeys(seen)
}

// depth counts the environments that a release goes through at most before it may enter this one. Those in a circle with it
// do not count.
func (g *Graph) depth(environment string, known map[string]int) int {
	if n, ok := known[environment]; ok {
		return n
	}
	n := 0
	for _, up := range g.upstream[environment] {
		if !listed(g.upstream[up], environment) {
			n = max(n, 1+g.depth(up, known))
		}
	}
	known[environment] = n
	return n
}

func listed(sorted []string, name string) bool {
	_, found := slices.BinarySearch(sorted, name)
	return found
}

// Order lists all environments in the order in which releases go through them, and by name where that leaves it open.
func (g *Graph) Order() []string { return g.order }

// Upstream lists the environments that an environment takes releases from, directly or not, sorted. An environment in a
// circle is upstream of itself, and one that does not exist is there by its name.
func (g *Graph) Upstream(environment string) []string { return g.upstream[environment] }

// Downstream lists the environments that take releases from an environment, directly or not, sorted.
func (g *Graph) Downstream(environment string) []string { return g.downstream[environment] }

// Reaches says whether releases of one environment can get to another, directly or not. None gets to or through a Broken
// environment.
func (g *Graph) Reaches(from, to string) bool { return listed(g.reached[to], from) }

// Neighbours lists an environment with all that it reaches or that reach it, sorted: those whose states and health its
// decisions depend on.
func (g *Graph) Neighbours(environment string) (names []string) {
	for name := range g.direct {
		if name == environment || g.Reaches(environment, name) || g.Reaches(name, environment) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Nearest lists the environments that prove a release of a request for an environment, sorted: the nearest ones upstream that
// the request is placed in.
func (g *Graph) Nearest(environment string, spec *RequestSpec) []string {
	return g.nearest(environment, func(up string) bool { _, placed := spec.Environments[up]; return placed })
}

// Feeds says whether releases of a request get from one environment to another through no further one that the request is
// placed in. Whether it is placed in these two does not matter.
func (g *Graph) Feeds(from, to string, spec *RequestSpec) bool {
	if !listed(g.upstream[to], from) {
		return false
	}
	if slices.Contains(g.direct[to], from) {
		return true
	}
	goesOn := func(up string) bool { _, placed := spec.Environments[up]; return !placed }
	if !slices.ContainsFunc(g.direct[to], goesOn) {
		return false // each way ends at once, as for nearly all requests
	}
	ends := func(up string) bool { return !goesOn(up) || up == from }
	return listed(g.nearest(to, ends), from)
}

// nearest walks upstream on each way as far as the first environment where the way ends.
func (g *Graph) nearest(environment string, ends func(string) bool) (list []string) {
	seen := map[string]bool{}
	for next := []string{environment}; len(next) > 0; next = next[1:] {
		for _, up := range g.direct[next[0]] {
			switch {
			case seen[up]:
			case ends(up):
				list = append(list, up)
			default:
				next = append(next, up)
			}
			seen[up] = true
		}
	}
	slices.Sort(list)
	return list
}
