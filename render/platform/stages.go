package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/schema"
	"transom.dev/render/wording"
)

// stages is everything outside a request and its offering that resolving it depends on. It stays the same value
// from load to load as long as its content does.
type stages struct {
	environments map[string]*Environment
	clusters     map[string][]*Cluster // that instances are placed on, by environment
	draining     map[string][]*Cluster // that they would be placed on otherwise, by environment
	unread       bool                  // there is a cluster of which nobody knows whether it belongs to an environment
	opaque       []string

	crowd crowd
	first *stages // the first stages that differ from these in nothing but the crowd
}

func (s *stages) equal(o *stages) bool {
	return o != nil && slices.Equal(s.opaque, o.opaque) && maps.Equal(s.environments, o.environments) &&
		maps.EqualFunc(s.clusters, o.clusters, slices.Equal) && maps.EqualFunc(s.draining, o.draining, slices.Equal) &&
		s.unread == o.unread
}

// among are the same stages with another crowd of requests.
func (s *stages) among(c crowd) *stages {
	if s.crowd.equal(c) {
		return s
	}
	other := *s
	other.crowd = c
	return &other
}

// comesTo reports whether parameters that were merged at other stages are the same at these.
func (s *stages) comesTo(other *stages, m *merged) bool {
	return other != nil && s.first == other.first && (m == nil || m.fits(s.shareOf(m.file)))
}

// shareOf is the work that a request may take.
func (s *stages) shareOf(f *requestFile) schema.Work {
	return s.crowd.share(f.request.Spec.Offering)
}

func (l *Loader) loadEnvironments(p *Platform) {
	next := map[string]*loaded[*Environment]{}
	p.Environments = make(map[string]*Environment, len(p.tree.environments))
	for name, f := range p.tree.environments {
		files := []*file{f}
		for _, o := range sortedKeys(p.tree.overlays[name]) {
			files = append(files, p.tree.overlays[name][o]...)
		}
		for _, secret := range sortedKeys(p.tree.pullSecrets[name]) {
			files = append(files, p.tree.pullSecrets[name][secret])
		}
		made := l.environments[name]
		if made == nil || !slices.Equal(made.files, files) {
			made = makeEnvironment(name, f, p.tree.overlays[name], p.tree.pullSecrets[name])
			made.files = files
		}
		next[name] = made
		p.Environments[name] = made.value
		// Where the folder of decisions cannot be read, none of them may be taken for gone. Where that is one file of it, the environment is held.
		if p.tree.mayExist("clusters") || p.tree.incomplete("environments/"+name) || p.tree.mayExist("decisions/"+name) {
			p.Environments[name] = made.value.keepingAll()
		}
		p.Problems = append(p.Problems, made.problems...)
	}
	l.environments = next
	p.Problems = append(p.Problems, strayPullSecrets(p.tree)...)
	l.checkEnvironments(p)
	if l.last != nil && maps.Equal(l.last.Environments, p.Environments) {
		p.Graph = l.last.Graph
	} else {
		p.Graph = NewGraph(p.Environments)
	}
	l.assignClusters(p)
}

func makeEnvironment(name string, f *file, overlays map[string][]*file, pullSecrets map[string]*file) *loaded[*Environment] {
	d := open(f)
	d.environment = name
	e := decodeEnvironment(d, name, overlays, pullSecrets)
	return &loaded[*Environment]{value: e, problems: d.problems}
}

// branch is a branch of a repository in the one spelling that it has.
func (l *Loader) branch(r StateRepository) StateRepository {
	if l.Repository != nil && r.URL != "" {
		r.URL = l.Repository(r.URL)
	}
	return r
}

// checkState reports a state branch that is the platform's own, or another environment's: then no state is written there.
func (l *Loader) checkState(d *document, e *Environment, users map[StateRepository][]string) {
	at := l.branch(e.State)
	if e.State.URL == "" {
		return
	}
	for _, own := range l.Own {
		if l.branch(own) == at {
			d.problem("spec.state", "state", "is the platform repository itself, on the branch that it is followed on; name another "+
				"repository, or another branch of it")
			return
		}
	}
	others := slices.DeleteFunc(slices.Clone(users[at]), func(name string) bool { return name == e.Name })
	if len(others) > 0 {
		d.problem("spec.state", "state", "is also the state repository of environment %s; give each its own repository or branch",
			strings.Join(others, " and "))
	}
}

// checkEnvironments finds conflicts between environments: two that would write to one repository, and promotion from one that
// does not exist or that waits for this one.
func (l *Loader) checkEnvironments(p *Platform) {
	users := map[StateRepository][]string{}
	for _, name := range sortedKeys(p.Environments) {
		at := l.branch(p.Environments[name].State)
		users[at] = append(users[at], name)
	}
	g := NewGraph(p.Environments)
	for _, name := range sortedKeys(p.Environments) {
		e, d := p.Environments[name], reopen(p.tree.environments[name])
		d.environment = name
		l.checkState(d, e, users)
		for i, from := range e.PromotesFrom {
			field := fieldpath.Index("spec.promotesFrom", i)
			switch {
			case d.full():
			case p.Environments[from] == nil:
				d.problem(field, "unknown-environment", "no environment %q%s", wording.Shorten(from), orThereIs(from, p.Environments))
			case from == name || listed(g.Upstream(from), name):
				d.problem(field, "cycle", "%s takes its releases from %s: nothing could ever enter either", from, name)
			}
		}
		checkJobs(d, e, p.Environments)
		if len(d.problems) > 0 {
			p.Problems = append(p.Problems, d.problems...)
			p.Environments[name] = e.keepingAll()
		}
	}
}

// assignClusters finds the clusters of each environment.
func (l *Loader) assignClusters(p *Platform) {
	next := &stages{
		environments: p.Environments, clusters: map[string][]*Cluster{}, draining: map[string][]*Cluster{}, opaque: p.tree.opaque,
	}
	for _, c := range p.Clusters {
		if c.Broken && !c.stray {
			next.unread = true
		}
	}
	for name, e := range p.Environments {
		next.addMembers(p, e)
		if !e.Broken && !next.unread && len(next.clusters[name])+len(next.draining[name]) == 0 {
			d := reopen(p.tree.environments[name])
			d.environment = name
			d.warn("spec.clusters", "no-cluster", "selects no cluster")
			p.Problems = append(p.Problems, d.problems...)
		}
	}
	next.warnOfShared(p)
	if next.first = next; !next.equal(l.stages) {
		l.stages = next
	}
}

// warnOfShared warns of a cluster that two environments select, as after one's file was copied, where both put the objects of a team into the
// namespace of its name: what one has there is refused to the other.
func (s *stages) warnOfShared(p *Platform) {
	first := map[string]string{} // the environment that selects a cluster, by the cluster's name
	for _, name := range sortedKeys(p.Environments) {
		e := p.Environments[name]
		if e.Broken || e.Namespace.Name != nil {
			continue
		}
		for _, c := range s.clusters[name] {
			if first[c.Name] == "" {
				first[c.Name] = name
				continue
			}
			d := reopen(p.tree.environments[name])
			d.environment = name
			d.warn("spec.clusters", "shared-cluster", "selects cluster %s, as environment %s does, and both put what a team has into the namespace of its name: a request "+
				"that is in both is refused in one; select other clusters, or give this one spec.namespace.name, such as %s", c.Name, first[c.Name],
				`'request.team + "-" + environment.name'`)
			p.Problems = append(p.Problems, d.problems...)
			break
		}
	}
}

// addMembers finds the clusters of an environment. The labels of a broken cluster are unknown.
func (s *stages) addMembers(p *Platform, e *Environment) {
	for _, name := range sortedKeys(p.Clusters) {
		c := p.Clusters[name]
		switch {
		case c.Broken, e.Clusters == nil, !e.Clusters.Matches(labels.Set(c.Labels)):
		case c.State == ClusterDraining:
			s.draining[e.Name] = append(s.draining[e.Name], c)
		default:
			s.clusters[e.Name] = append(s.clusters[e.Name], c)
		}
	}
}

// placement returns the clusters of an environment that a version's instances are placed on. Where none ever could be,
// it is a Problem of the request: the version is not for this environment.
func (s *stages) placement(d *document, env string, v *Version) []*Cluster {
	members := s.clusters[env]
	if v.Placement == nil {
		return members
	}
	placed := selected(v.Placement, members)
	if len(placed) == 0 && len(members) > 0 && len(selected(v.Placement, s.draining[env])) == 0 && !s.unread {
		d.add(d.at("spec.environments."+env, "placement", fmt.Sprintf("no cluster of %s matches what %s is placed on: %s", env, v, v.Placement)))
	}
	return placed
}

// placements counts the clusters of an environment that a version is placed on; a version that is not there is on none.
func (s *stages) placements(env string, v *Version) int {
	switch {
	case v == nil || v.Broken:
		return 0
	case v.Placement == nil:
		return len(s.clusters[env])
	}
	return len(selected(v.Placement, s.clusters[env]))
}

func selected(selector labels.Selector, clusters []*Cluster) (out []*Cluster) {
	for _, c := range clusters {
		if selector.Matches(labels.Set(c.Labels)) {
			out = append(out, c)
		}
	}
	return out
}
