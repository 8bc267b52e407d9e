package platform

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// stages is everything outside a request and its offering that resolving it depends on. It stays the same value
// from load to load as long as its content does.
type stages struct {
	environments map[string]*Environment
	clusters     map[string][]*Cluster // that instances are placed on, by environment
	opaque       []string
}

func (s *stages) equal(o *stages) bool {
	return o != nil && slices.Equal(s.opaque, o.opaque) && maps.Equal(s.environments, o.environments) &&
		maps.EqualFunc(s.clusters, o.clusters, slices.Equal)
}

func (l *Loader) loadEnvironments(p *Platform) {
	next := map[string]*loaded[*Environment]{}
	p.Environments = make(map[string]*Environment, len(p.tree.environments))
	for name, f := range p.tree.environments {
		files := []*file{f}
		for _, o := range sortedKeys(p.tree.overlays[name]) {
			files = append(files, p.tree.overlays[name][o]...)
		}
		made := l.environments[name]
		if made == nil || !slices.Equal(made.files, files) {
			made = makeEnvironment(name, f, p.tree.overlays[name])
			made.files = files
		}
		next[name] = made
		p.Environments[name] = made.value
		if p.tree.mayExist("clusters") || p.tree.incomplete("environments/"+name) {
			p.Environments[name] = made.value.withhold()
		}
		p.Problems = append(p.Problems, made.problems...)
	}
	l.environments = next
	checkEnvironments(p)
	l.place(p)
}

func makeEnvironment(name string, f *file, overlays map[string][]*file) *loaded[*Environment] {
	d := open(f)
	d.environment = name
	e := decodeEnvironment(d, name, overlays)
	return &loaded[*Environment]{value: e, problems: d.problems}
}

// withhold returns the environment as one that keeps all it has.
func (e *Environment) withhold() *Environment {
	broken := *e
	broken.Broken = true
	return &broken
}

// checkEnvironments finds what is wrong between environments: two that would write to one place, and promotion from
// one that does not exist or that waits for this one.
func checkEnvironments(p *Platform) {
	taken := map[StateRepository]string{}
	for _, name := range sortedKeys(p.Environments) {
		e, d := p.Environments[name], reopen(p.tree.environments[name])
		d.environment = name
		if other, twice := taken[e.State]; twice && e.State.URL != "" {
			d.problem("spec.state", "state", "is also the state repository of environment %s; give each its own repository or branch", other)
		}
		taken[e.State] = name
		for i, from := range e.PromotesFrom {
			field := index("spec.promotesFrom", i)
			switch {
			case p.Environments[from] == nil:
				d.problem(field, "unknown-environment", "no environment %q%s", shorten(from), orThereIs(from, p.Environments))
			case promotes(p, from, name, nil):
				d.problem(field, "cycle", "%s takes its releases from %s: nothing could ever enter either", from, name)
			}
		}
		if len(d.problems) > 0 {
			p.Problems = append(p.Problems, d.problems...)
			p.Environments[name] = e.withhold()
		}
	}
}

// promotes says whether what enters an environment comes from another, directly or not.
func promotes(p *Platform, name, from string, seen []string) bool {
	if name == from {
		return true
	}
	e := p.Environments[name]
	if e == nil || slices.Contains(seen, name) {
		return false
	}
	return slices.ContainsFunc(e.PromotesFrom, func(up string) bool { return promotes(p, up, from, append(seen, name)) })
}

// place finds the clusters of each environment.
func (l *Loader) place(p *Platform) {
	next := &stages{environments: p.Environments, clusters: map[string][]*Cluster{}, opaque: p.tree.opaque}
	for name, e := range p.Environments {
		members, none := members(p, e)
		if none {
			d := reopen(p.tree.environments[name])
			d.environment = name
			d.warn("spec.clusters", "no-cluster", "selects no cluster")
			p.Problems = append(p.Problems, d.problems...)
		}
		next.clusters[name] = members
	}
	if !next.equal(l.stages) {
		l.stages = next
	}
}

// members returns the clusters that an environment's instances are placed on, and whether its selector selects none
// at all. What a broken cluster's labels are nobody knows.
func members(p *Platform, e *Environment) (out []*Cluster, none bool) {
	none = !e.Broken
	for _, name := range sortedKeys(p.Clusters) {
		c := p.Clusters[name]
		if c.Broken {
			none = false
		} else if e.Clusters != nil && e.Clusters.Matches(labels.Set(c.Labels)) {
			none = false
			if c.State != ClusterDraining {
				out = append(out, c)
			}
		}
	}
	return out, none
}
