package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A model is a Status with the indexes that pages need. It is not changed once it is made, but for the pages that are kept of it.
type model struct {
	status.Status
	rows     []*row
	byKey    map[platform.RequestKey]*row
	byName   map[string]*status.Environment
	teams    []string
	running  map[runAt]int // requests
	wrong    int           // Problems
	troubles []string      // of the platform, its environments and clusters, for the head of every page

	contents shelf[*content] // of pages, by address, role and teams
	shared   shelf[*shared]  // pages, by address and person
}

// A row is a request with its instances, in the order of the environments.
type row struct {
	Key       platform.RequestKey
	Offering  string
	Instances []*instance
	rank      int // of the worst verdict; the worst is 0
	text      string
}

// An instance is one of the status with the verdicts of its placements.
type instance struct {
	*status.Instance
	verdicts []verdict // of its placements, and of the release that waits
}

// Worst is the worst verdict of an instance's placements.
func (in *instance) Worst() verdict {
	if len(in.Placements) == 0 {
		return verdictOf(in.Instance, nil)
	}
	worst := verdict(state.Healthy)
	for i := range in.Placements {
		if v := verdictOf(in.Instance, &in.Placements[i]); v.rank() < worst.rank() {
			worst = v
		}
	}
	return worst
}

// Overall is the worst verdict of an instance's placements, or that its next release was rejected. One that waits is nothing bad.
func (in *instance) Overall() verdict {
	worst := in.Worst()
	if waitingVerdict(in.Instance) == rejected && rejected.rank() < worst.rank() {
		return rejected
	}
	return worst
}

func newModel(s status.Status) *model {
	m := &model{Status: s, byKey: map[platform.RequestKey]*row{}, byName: map[string]*status.Environment{}}
	for i := range s.Environments {
		m.byName[s.Environments[i].Name] = &s.Environments[i]
	}
	for i := range s.Instances {
		m.add(&s.Instances[i])
	}
	slices.SortStableFunc(m.rows, func(a, b *row) int { return a.Key.Compare(b.Key) })
	for _, r := range m.rows {
		if len(m.teams) == 0 || m.teams[len(m.teams)-1] != r.Key.Team {
			m.teams = append(m.teams, r.Key.Team)
		}
		r.finish()
	}
	m.running = countRuns(m.rows)
	m.troubles = troubles(s)
	m.wrong = len(m.problems().Problems)
	return m
}

func (m *model) add(in *status.Instance) {
	r := m.byKey[in.Request]
	if r == nil {
		r = &row{Key: in.Request}
		m.byKey[in.Request] = r
		m.rows = append(m.rows, r)
	}
	one := &instance{Instance: in, verdicts: verdictsOf(in)}
	r.Instances = append(r.Instances, one)
	r.Offering = cmp.Or(r.Offering, in.Offering)
	if r.Offering == "" && in.Candidate != nil {
		r.Offering = in.Candidate.Offering
	}
}

// finish computes the rank and the searchable text of a row.
func (r *row) finish() {
	r.rank = len(verdicts)
	words := []string{r.Key.String(), r.Offering}
	for _, in := range r.Instances {
		for _, v := range in.verdicts {
			r.rank = min(r.rank, v.rank())
		}
		words = append(words, in.Offering+"@"+in.Version)
	}
	r.text = strings.ToLower(strings.Join(words, " "))
}

// on returns the instance of an environment; nil: there is none.
func (r *row) on(environment string) *instance {
	for _, in := range r.Instances {
		if in.Environment == environment {
			return in
		}
	}
	return nil
}

// clusterOf is a cluster as one of its environments knows it, and the environments that have it.
func (m *model) clusterOf(name string) (found *status.Cluster, environments []string) {
	for i := range m.Environments {
		e := &m.Environments[i]
		for j := range e.Clusters {
			if e.Clusters[j].Name == name {
				found = &e.Clusters[j]
				environments = append(environments, e.Name)
			}
		}
	}
	return found, environments
}

// mostTroubles is how many faults of the whole the head of a page names.
const mostTroubles = 6

// troubles are the faults that concern more than one request, each once.
func troubles(s status.Status) []string {
	var all []string
	tell := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if s.Platform.Error != "" {
		tell("%s", s.Platform.Error)
	}
	if s.Platform.Frozen != "" {
		tell("%s", s.Platform.Frozen)
	}
	for _, part := range slices.Sorted(maps.Keys(s.Platform.Forge)) {
		if why := s.Platform.Forge[part]; why != "" {
			tell("The forge is not told (%s): %s", part, why)
		}
	}
	for _, e := range s.Environments {
		if e.Frozen != "" {
			tell("%s: %s", e.Name, e.Frozen)
		}
		if e.Error != "" {
			tell("%s is tried again: %s", e.Name, e.Error)
		}
		for _, c := range e.Clusters {
			if text := troubleOf(c); text != "" {
				tell("%s", text)
			}
		}
	}
	if more := len(all) - mostTroubles; more > 0 {
		all = append(all[:mostTroubles], fmt.Sprintf("and %d more: \"transom status\" lists them", more))
	}
	return all
}

// troubleOf is the fault of a cluster that a person must see to; empty: there is none, or it was not asked yet.
func troubleOf(c status.Cluster) string {
	switch {
	case !c.Reachable && c.Message != "":
		return "cluster " + c.Name + " is not reachable: " + c.Message
	case c.Problem != "":
		return c.Problem
	case c.Refusing != "":
		return "cluster " + c.Name + ": " + c.Refusing
	case c.Credential.Warning != "":
		return "cluster " + c.Name + ": " + c.Credential.Warning
	}
	return ""
}
