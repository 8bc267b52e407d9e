package status

import "slices"

// environments are those of a Board, by name.
type environments map[string]*Environment

// named returns an environment, a new one where it is not known yet.
func (all environments) named(name string) *Environment {
	e := all[name]
	if e == nil {
		e = &Environment{Name: name}
		all[name] = e
	}
	return e
}

// has says whether an environment has a cluster.
func (all environments) has(environment, cluster string) bool {
	e := all[environment]
	return e != nil && slices.ContainsFunc(e.Clusters, func(c Cluster) bool { return c.Name == cluster })
}

// anyHas says whether any environment has a cluster.
func (all environments) anyHas(cluster string) bool {
	for environment := range all {
		if all.has(environment, cluster) {
			return true
		}
	}
	return false
}

// having are the environments that have a cluster, sorted.
func (all environments) having(cluster string) (names []string) {
	for name := range all {
		if all.has(name, cluster) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// order counts the environments that a release goes through at most before it may enter this one.
func (all environments) order(name string, above []string) int {
	e := all[name]
	if e == nil || slices.Contains(above, name) {
		return 0
	}
	n := 0
	for _, from := range e.PromotesFrom {
		n = max(n, all.order(from, append(above, name))+1)
	}
	return n
}
