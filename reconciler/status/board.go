package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/render/platform"
)

// historyLength bounds the events that a Board remembers.
const historyLength = 2000

// Board holds the latest facts. The zero value is not usable; NewBoard makes one. It is safe for concurrent use and no
// method blocks longer than a copy takes.
type Board struct {
	now func() time.Time

	mu           sync.Mutex
	platform     Platform
	environments map[string]*Environment
	clusters     map[string]Cluster // by name, what the fleet last said
	instances    map[instanceKey]*instance
	history      []Event
	subscribers  map[chan struct{}]struct{}
}

type instanceKey struct {
	environment string
	request     platform.RequestKey
}

type instance struct {
	Instance
	placements map[string]*Placement
}

// NewBoard returns an empty Board that stamps what it learns with now.
func NewBoard(now func() time.Time) *Board {
	return &Board{
		now:          now,
		environments: map[string]*Environment{},
		clusters:     map[string]Cluster{},
		instances:    map[instanceKey]*instance{},
		subscribers:  map[chan struct{}]struct{}{},
	}
}

// Subscribe returns a channel that gets a value after something changed, at most one waiting, and a function that ends
// the subscription.
func (b *Board) Subscribe() (changed <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscribers, c)
	}
}

// changed tells subscribers; the caller holds the lock.
func (b *Board) changed() {
	for c := range b.subscribers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// record remembers an event; the caller holds the lock.
func (b *Board) record(e Event) {
	e.At = b.now()
	b.history = append(b.history, e)
	if len(b.history) > historyLength {
		b.history = slices.Delete(b.history, 0, len(b.history)-historyLength)
	}
	b.changed()
}

// Loaded says that the platform's head was loaded, with every Problem that it has.
func (b *Board) Loaded(url, commit string, problems []platform.Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	moved := b.platform.Commit != commit
	b.platform = Platform{URL: url, Commit: commit, LoadedAt: b.now(), Problems: problems}
	if moved {
		b.record(Event{Message: "loaded platform commit " + short(commit)})
	}
	b.changed()
}

// PlatformFailed says why the platform's head cannot be read now.
func (b *Board) PlatformFailed(url string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.platform.URL = url
	if b.platform.Error != err.Error() {
		b.platform.Error = err.Error()
		b.record(Event{Message: err.Error()})
	}
}

// EnvironmentFailed says that a pass over an environment failed and is tried again.
func (b *Board) EnvironmentFailed(name string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.environment(name)
	if e.Error != err.Error() {
		e.Error = err.Error()
		b.record(Event{Environment: name, Message: err.Error()})
	}
}

func (b *Board) environment(name string) *Environment {
	e := b.environments[name]
	if e == nil {
		e = &Environment{Name: name}
		b.environments[name] = e
	}
	return e
}

// Reconciled says what a pass over an environment came to: the environment, and every instance with the placements
// that its state asks for. Placements whose revision is the one that was known keep their health.
func (b *Board) Reconciled(e Environment, instances []Instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.environments[e.Name]; old == nil || old.StateCommit != e.StateCommit || old.Frozen != e.Frozen {
		b.record(Event{Environment: e.Name, Message: cmp.Or(e.Frozen, "committed state "+short(e.StateCommit))})
	}
	b.environments[e.Name] = &e
	listed := make(map[platform.RequestKey]bool, len(instances))
	for i := range instances {
		listed[instances[i].Request] = true
		b.reconciled(e, instances[i])
	}
	for key, in := range b.instances {
		if key.environment == e.Name && !listed[key.request] {
			b.retire(key, in)
		}
	}
	b.changed()
}

// reconciled takes one instance of a pass; the caller holds the lock.
func (b *Board) reconciled(e Environment, in Instance) {
	key := instanceKey{e.Name, in.Request}
	old := b.instances[key]
	if old == nil {
		old = &instance{placements: map[string]*Placement{}}
		b.instances[key] = old
	}
	want := in.Placements
	in.Placements = nil
	old.Instance = in
	asked := map[string]bool{}
	for _, p := range want {
		asked[p.Cluster] = true
		known := old.placements[p.Cluster]
		if known != nil && known.Revision == p.Revision {
			known.StateCommit = cmp.Or(p.StateCommit, known.StateCommit)
			continue
		}
		p.CommittedAt = b.now()
		old.placements[p.Cluster] = &p
		b.record(Event{
			Environment: e.Name, Cluster: p.Cluster, Request: &key.request,
			Message: "committed revision " + short(p.Revision),
		})
	}
	for cluster, p := range old.placements {
		if !asked[cluster] {
			leave(p)
		}
	}
	if in.Absent && len(old.placements) == 0 && len(in.Problems) == 0 {
		delete(b.instances, key)
	}
}

// retire keeps an instance that its state no longer names until its placements are gone.
func (b *Board) retire(key instanceKey, in *instance) {
	in.Absent, in.Problems = true, nil
	for _, p := range in.placements {
		leave(p)
	}
	if len(in.placements) == 0 {
		delete(b.instances, key)
	}
}

// leave marks a placement that its cluster is still to prune.
func leave(p *Placement) {
	if p.Revision != "" {
		*p = Placement{Cluster: p.Cluster, Stage: Committed, Health: "Progressing", Message: "being removed", Objects: p.Objects}
	}
}

// Placed says what a cluster holds of an instance. A report about another revision than the one that the state asks
// for is old news and changes nothing.
func (b *Board) Placed(environment string, request platform.RequestKey, p Placement) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil {
		return
	}
	old := in.placements[p.Cluster]
	if old == nil || old.Revision != p.Revision {
		return
	}
	b.stamp(old, &p)
	if old.Stage != p.Stage || old.Health != p.Health || old.Message != p.Message {
		b.record(Event{Environment: environment, Cluster: p.Cluster, Request: &key.request, Message: describe(p)})
	}
	in.placements[p.Cluster] = &p
	b.changed()
}

// stamp carries the times of old over to p and adds what p reached for the first time.
func (b *Board) stamp(old, p *Placement) {
	p.CommittedAt, p.AppliedAt, p.HealthyAt = old.CommittedAt, old.AppliedAt, old.HealthyAt
	if p.AppliedAt.IsZero() && (p.Stage == Applied || p.Stage == Healthy) {
		p.AppliedAt = b.now()
	}
	if p.HealthyAt.IsZero() && p.Stage == Healthy {
		p.HealthyAt = b.now()
	}
}

// Removed says that a cluster holds nothing of an instance any more.
func (b *Board) Removed(environment string, request platform.RequestKey, cluster string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil || in.placements[cluster] == nil || in.placements[cluster].Revision != "" {
		return
	}
	delete(in.placements, cluster)
	b.record(Event{Environment: environment, Cluster: cluster, Request: &key.request, Message: "removed"})
	if in.Absent && len(in.placements) == 0 {
		delete(b.instances, key)
	}
}

// Lost says that a placement could not be looked at, and why. Its stage stays; its health is no longer known.
func (b *Board) Lost(environment string, request platform.RequestKey, cluster, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := instanceKey{environment, request}
	in := b.instances[key]
	if in == nil || in.placements[cluster] == nil {
		return
	}
	p := in.placements[cluster]
	if p.Health == "Unknown" && p.Message == why {
		return
	}
	p.Health, p.Message = "Unknown", why
	b.record(Event{Environment: environment, Cluster: cluster, Request: &key.request, Message: describe(*p)})
}

// ClusterSeen says whether a cluster can be reached, and if not, why.
func (b *Board) ClusterSeen(c Cluster) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.clusters[c.Name]
	c.UID = cmp.Or(c.UID, old.UID)
	c.Since = old.Since
	if !known || old.Reachable != c.Reachable || old.Message != c.Message {
		c.Since = b.now()
		b.record(Event{Cluster: c.Name, Message: reachability(c)})
	}
	b.clusters[c.Name] = c
	b.changed()
}

// Status returns a copy of all that is known.
func (b *Board) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Platform: b.platform, Environments: []Environment{}, Instances: []Instance{}}
	for _, name := range slices.Sorted(maps.Keys(b.environments)) {
		s.Environments = append(s.Environments, b.seen(*b.environments[name]))
	}
	for _, in := range b.instances {
		s.Instances = append(s.Instances, b.known(in))
	}
	slices.SortFunc(s.Instances, func(x, y Instance) int {
		return cmp.Or(x.Request.Compare(y.Request), strings.Compare(x.Environment, y.Environment))
	})
	return s
}

// seen adds to an environment's clusters what the fleet knows of them.
func (b *Board) seen(e Environment) Environment {
	clusters := slices.Clone(e.Clusters)
	for i, c := range clusters {
		if fact, ok := b.clusters[c.Name]; ok {
			fact.State = c.State
			clusters[i] = fact
		}
	}
	e.Clusters = clusters
	return e
}

// known copies an instance. What a cluster said before it went away is no longer known to be so.
func (b *Board) known(in *instance) Instance {
	c := in.Instance
	for _, name := range slices.Sorted(maps.Keys(in.placements)) {
		p := *in.placements[name]
		if cluster, heard := b.clusters[name]; heard && !cluster.Reachable {
			p.Health, p.Message = "Unknown", "cluster "+name+" is "+reachability(cluster)
		}
		c.Placements = append(c.Placements, p)
	}
	return c
}

// History returns the latest events, oldest first.
func (b *Board) History() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.history)
}

func describe(p Placement) string {
	text := fmt.Sprintf("%s, %s", p.Stage, p.Health)
	if p.Stage == Healthy {
		text = p.Health
	}
	if p.Message != "" {
		text += ": " + p.Message
	}
	return text
}

func reachability(c Cluster) string {
	if c.Reachable {
		return cmp.Or(c.Message, "reachable")
	}
	return "not reachable: " + c.Message
}

// short is how people read a hash.
func short(hash string) string {
	hash = strings.TrimPrefix(hash, "sha256:")
	return hash[:min(len(hash), 7)]
}

// Forget drops an environment that the platform no longer has.
func (b *Board) Forget(environment string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.environments[environment] == nil {
		return
	}
	delete(b.environments, environment)
	for key := range b.instances {
		if key.environment == environment {
			delete(b.instances, key)
		}
	}
	b.record(Event{Environment: environment, Message: "let go: the platform has no such environment any more"})
}
