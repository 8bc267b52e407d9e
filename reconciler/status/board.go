package status

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"transom.dev/render/event"
	"transom.dev/render/platform"
)

// historyLength bounds the events that a Board remembers.
const historyLength = 2000

// Board has the latest facts. The zero value is not usable; NewBoard makes one. It is safe for concurrent use and no
// method blocks longer than a copy takes.
type Board struct {
	// Branch, if set before the Board is used, is the one that is followed of the platform repository.
	Branch string

	// Milestones, if set before the Board is used, is called with every Milestone as it comes about. It is called under
	// the Board's lock: it must be quick, and must not call the Board.
	Milestones func(Milestone)

	// OnEvent, if set before the Board is used, is called with every Event in the same way.
	OnEvent func(Event)

	now func() time.Time

	mu           sync.Mutex
	platform     Platform
	environments environments
	clusters     map[string]Cluster    // by name, as the fleet last reported them
	refused      map[membership]string // why nothing of an environment is written on a cluster; empty: it is
	instances    map[instanceKey]*instance
	history      []Event
	readers      readers
}

// ill says whether a cluster needs a person.
func (c Cluster) ill() bool { return !c.Reachable || c.Problem != "" }

// since is the kind of event that a cluster's report is after another one; empty: people are not told of it.
func (c Cluster) since(before Cluster, known bool) event.Kind {
	switch {
	case !c.Reachable && (before.Reachable || !known):
		return event.ClusterLost
	case !c.Reachable:
		return ""
	case c.Problem != before.Problem && c.Problem != "":
		return event.Problem
	case known && !before.Reachable:
		return event.ClusterBack
	case c.Problem != before.Problem:
		return event.Recovered
	default:
		return ""
	}
}

// membership is a cluster of an environment.
type membership struct{ environment, cluster string }

type instanceKey struct {
	environment string
	request     platform.RequestKey
}

type instance struct {
	Instance
	placements map[string]*Placement // each may be shared with those who read
	shown      []Placement           // the copy that all who read share; nil: they changed since
	entered    string                // the release that entered while the Board watched and was not healthy everywhere yet

	// The objects and images that a cluster reported last. Others report the same as a rule, and share them.
	objects []Object
	images  []string
}

// changed says that a placement of the instance is another one now.
func (in *instance) changed() { in.shown = nil }

// edit returns a placement of the instance to be changed. Those who read have the one of before.
func (in *instance) edit(cluster string) *Placement {
	in.changed()
	return in.keepAlone(cluster)
}

// keepAlone has a placement of the instance in memory by itself: one that is shared with those who read keeps all that they had beside it.
func (in *instance) keepAlone(cluster string) *Placement {
	p := *in.placements[cluster]
	in.placements[cluster] = &p
	return &p
}

// NewBoard returns an empty Board. The times of its records and events come from now.
func NewBoard(now func() time.Time) *Board {
	return &Board{
		now:          now,
		environments: environments{},
		clusters:     map[string]Cluster{},
		refused:      map[membership]string{},
		instances:    map[instanceKey]*instance{},
		readers:      readers{subscribers: map[chan struct{}]struct{}{}},
	}
}

// Subscribe returns a channel that gets a value after something changed, at most one waiting, and a function that ends
// the subscription.
func (b *Board) Subscribe() (changed <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers.subscribers[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.readers.subscribers, c)
	}
}

// notify wakes the subscribers. Whoever changes something calls it before the lock, which the caller holds, is free again.
func (b *Board) notify() {
	b.readers.tell()
}

// record appends an event to the history; the caller holds the lock.
func (b *Board) record(e Event) {
	e.At = b.now()
	b.history = append(b.history, e)
	if len(b.history) == 2*historyLength { // seldom: it moves all that stay
		b.history = slices.Delete(b.history, 0, historyLength)
	}
	if b.OnEvent != nil {
		b.OnEvent(e)
	}
	b.notify()
}

// Loaded says that the platform's head was loaded, with every Problem that it has. Its environments are known from then on,
// their instances only when they were Reconciled.
func (b *Board) Loaded(url string, p *platform.Platform) {
	b.mu.Lock()
	defer b.mu.Unlock()
	moved, before, found := b.platform.Commit != p.Commit, b.platform.Problems, b.platform.Commit == ""
	b.platform = Platform{
		URL: url, Commit: p.Commit, LoadedAt: b.now(), Problems: p.Problems, Frozen: b.platform.Frozen, Error: b.platform.Error, Forge: b.platform.Forge,
		offers: p,
	}
	for name, e := range p.Environments {
		if b.environments[name] == nil {
			b.environments[name] = &Environment{Name: name, StateURL: e.State.URL, StateBranch: e.State.Branch, PromotesFrom: e.PromotesFrom}
		}
	}
	if moved {
		b.record(Event{Message: "loaded platform commit " + short(p.Commit)})
	}
	b.recordProblems("", before, p.Problems, found)
	b.notify()
}

// PlatformReached says that the platform's head can be read, and is the one that was loaded last.
func (b *Board) PlatformReached() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.platformRead()
}

// platformRead ends the error of the platform; the caller holds the lock.
func (b *Board) platformRead() {
	if b.platform.Error != "" {
		b.platform.Error = ""
		b.record(Event{Level: Warning, Kind: event.Recovered, Found: b.platform.Commit == "", Message: "the platform repository can be read again"})
	}
}

// PlatformFailed says why the platform's head cannot be read now.
func (b *Board) PlatformFailed(url string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.platform.URL = url
	if b.platform.Error != err.Error() {
		b.platform.Error = err.Error()
		b.record(Event{Level: Error, Kind: event.Problem, Found: b.platform.Commit == "", Message: err.Error()})
	}
}

// PlatformFrozen says why the platform's head is not followed, or with "" that it is.
func (b *Board) PlatformFrozen(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.platform.Frozen == why {
		return
	}
	b.platform.Frozen = why
	said := Event{Level: Error, Kind: event.Problem, Found: b.platform.Commit == "", Message: why}
	if why == "" {
		said.Level, said.Kind, said.Message = Warning, event.Recovered, "the platform's head is followed again"
	}
	b.record(said)
}

// EnvironmentFailed says that a pass over an environment failed and is tried again.
func (b *Board) EnvironmentFailed(name string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.environments.named(name)
	if e.fail(err.Error()) {
		b.record(Event{Level: Error, Kind: event.Problem, Found: e.StateCommit == "", Environment: name, Message: err.Error()})
	}
}

// EnvironmentReached says that a pass over an environment succeeded, although it may have found nothing to do.
func (b *Board) EnvironmentReached(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.environments[name]; e != nil {
		b.succeeded(e, name)
	}
}

// succeeded ends the error of an environment; the caller holds the lock.
func (b *Board) succeeded(e *Environment, name string) {
	if e.fail("") {
		b.record(Event{
			Level: Warning, Kind: event.Recovered, Found: e.StateCommit == "", Environment: name,
			Message: "passes over the environment succeed again",
		})
	}
}

// ClusterSeen says whether a cluster can be reached, and if not, why and when it last answered.
func (b *Board) ClusterSeen(c Cluster) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.clusters[c.Name]
	c.UID = cmp.Or(c.UID, old.UID)
	if !c.Reachable {
		c.Version, c.Credential, c.Refusing = old.Version, old.Credential, old.Refusing
	}
	answered := c.Since
	c.Since = old.Since
	c.Message = cmp.Or(c.Message, c.Problem)
	if !known || old.Reachable != c.Reachable || old.Message != c.Message {
		c.Since = b.now()
		b.record(Event{
			Level: alarm(known && old.ill(), c.ill()), Kind: c.since(old, known), Found: !known,
			Cluster: c.Name, In: b.environments.having(c.Name), Message: reachability(c),
		})
	}
	if !c.Reachable && !answered.IsZero() {
		c.Since = answered
	}
	tell := func(why, over string) {
		kind := event.Problem
		if why == "" {
			kind = event.Recovered
		}
		b.record(Event{Level: Warning, Kind: kind, Found: !known, Cluster: c.Name, In: b.environments.having(c.Name), Message: cmp.Or(why, over)})
	}
	if warning := c.Credential.Warning; warning != old.Credential.Warning {
		tell(warning, "nothing is wrong with its credential any more")
	}
	if began, ended := c.Refusing != "" && old.Refusing == "", c.Reachable && c.Refusing == "" && old.Refusing != ""; began || ended {
		tell(c.Refusing, "its API server refuses several instances for one cause no more")
	}
	b.clusters[c.Name] = c
	b.notify()
}

// Warned is how many clusters have a credential that a person must see to.
func (b *Board) Warned() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.clusters {
		if c.Credential.Warning != "" {
			n++
		}
	}
	return n
}

// Refused says why nothing of an environment is written on a cluster until a person decides, or with "" that it is written. It
// reports whether that is news.
func (b *Board) Refused(environment, cluster, why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := membership{environment, cluster}
	before, known := b.refused[of]
	b.refused[of] = why
	if before == why {
		return false
	}
	level, kind, text := Error, event.Problem, why
	if why == "" {
		level, kind, text = Warning, event.Recovered, "the environment is written to the cluster again"
	}
	b.record(Event{Level: level, Kind: kind, Found: !known, Environment: environment, Cluster: cluster, Message: text})
	return true
}

// Forget drops an environment that the platform no longer has.
func (b *Board) Forget(environment string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.environments[environment] == nil {
		return
	}
	delete(b.environments, environment)
	maps.DeleteFunc(b.refused, func(of membership, _ string) bool { return of.environment == environment })
	for key := range b.instances {
		if key.environment == environment {
			delete(b.instances, key)
		}
	}
	for name := range b.clusters {
		if !b.environments.anyHas(name) {
			delete(b.clusters, name)
		}
	}
	b.record(Event{Environment: environment, Message: "let go: the platform has no such environment any more"})
}
