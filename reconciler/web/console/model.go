package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A model is a Status with the indexes that pages need. It is not changed once it is made.
type model struct {
	status.Status
	rows     []*row
	byKey    map[platform.RequestKey]*row
	byName   map[string]*status.Environment
	teams    []string
	running  map[runAt]int // requests
	wrong    int           // Problems
	troubles []string      // of the platform, its environments and clusters, for the head of every page
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

// modelPace is how often a model is made at most: of a large fleet it costs as much as a pass.
const modelPace = 200 * time.Millisecond

// A cache keeps the model of the latest status. It is safe for concurrent use.
type cache struct {
	board Board
	now   func() time.Time

	kept atomic.Pointer[model]

	mu      sync.Mutex // of those who make a model
	changed <-chan struct{}
	made    time.Time
}

// model returns a model of all that the Board knew when it was called. Calls that come together share one.
func (c *cache) model(ctx context.Context) *model {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed, _ = c.board.Subscribe() // for as long as the process lives
	}
	select {
	case <-c.changed:
	default:
		if m := c.kept.Load(); m != nil {
			return m
		}
	}
	if !c.made.IsZero() {
		pause(ctx, modelPace-c.now().Sub(c.made))
	}
	m := newModel(c.board.Status())
	c.made = c.now()
	c.kept.Store(m)
	return m
}

// pause waits for a while, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(min(d, modelPace))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// latest is the model that was made last; nil: none was yet.
func (c *cache) latest() *model { return c.kept.Load() }
