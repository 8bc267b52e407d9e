package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// readers are those who look at a Board, and the copies that all of them share until something changes.
type readers struct {
	subscribers map[chan struct{}]struct{}
	status      *Status
	history     []Event

	sorted  []*instance       // in the order of a Status; nil: there are others now
	order   map[string]int    // of the environments, in which they are sorted
	unheard map[string]string // why clusters are not reachable, which their placements say then
}

// tell wakes the subscribers, and drops the copies.
func (r *readers) tell() {
	r.status, r.history = nil, nil
	for c := range r.subscribers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// keepStatus and keepHistory keep copies for those who read next.
func (r *readers) keepStatus(s Status)     { r.status = &s }
func (r *readers) keepHistory(all []Event) { r.history = all }

// Status returns all that is known. Whoever asks before something changes gets the same: nobody may change it.
func (b *Board) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers.status != nil {
		return *b.readers.status
	}
	s := Status{Platform: b.platform, Environments: []Environment{}, Instances: make([]Instance, 0, len(b.instances))}
	s.Platform.Branch = b.Branch
	order := map[string]int{}
	for name := range b.environments {
		order[name] = b.environments.order(name, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(b.environments)) {
		e := b.environments[name]
		s.Environments = append(s.Environments, e.with(b.clustersOf(e), order[name]))
	}
	slices.SortStableFunc(s.Environments, func(x, y Environment) int { return cmp.Compare(x.Order, y.Order) })
	b.readers.sort(b.instances, order)
	b.readers.hear(b.clusters, b.instances)
	for _, in := range b.readers.sorted {
		if in.shown == nil {
			in.shown = b.placements(in)
		}
		s.Instances = append(s.Instances, in.with(slices.Clip(in.shown)))
	}
	b.readers.keepStatus(s)
	return s
}

// sort sorts the instances, where there are others or the order of the environments is another one.
func (r *readers) sort(instances map[instanceKey]*instance, order map[string]int) {
	if r.sorted != nil && maps.Equal(r.order, order) {
		return
	}
	r.order, r.sorted = order, slices.Collect(maps.Values(instances))
	slices.SortFunc(r.sorted, func(x, y *instance) int {
		return cmp.Or(x.Request.Compare(y.Request), cmp.Compare(order[x.Environment], order[y.Environment]),
			strings.Compare(x.Environment, y.Environment))
	})
}

// drop forgets an instance.
func (r *readers) drop(instances map[instanceKey]*instance, key instanceKey) {
	delete(instances, key)
	r.sorted = nil
}

// hear has all placements shown anew where a cluster went away or came back.
func (r *readers) hear(clusters map[string]Cluster, instances map[instanceKey]*instance) {
	unheard := map[string]string{}
	for name, c := range clusters {
		if !c.Reachable {
			unheard[name] = "cluster " + name + " is " + reachability(c)
		}
	}
	if maps.Equal(unheard, r.unheard) {
		return
	}
	r.unheard = unheard
	for _, in := range instances {
		in.changed()
	}
}

// clustersOf are the clusters of an environment with the fleet's last report about each; the caller holds the lock.
func (b *Board) clustersOf(e *Environment) []Cluster {
	clusters := slices.Clone(e.Clusters)
	for i, c := range clusters {
		if report, ok := b.clusters[c.Name]; ok {
			report.State, report.Reason, report.Wave = c.State, c.Reason, c.Wave
			clusters[i] = report
		}
		if why := b.refused[membership{e.Name, c.Name}]; why != "" {
			clusters[i].Problem = why
			clusters[i].Message = cmp.Or(clusters[i].Message, why)
		}
	}
	return clusters
}

// placements copies those of an instance. A report that a cluster gave before it went away is no longer known to be true. The caller
// holds the lock.
func (b *Board) placements(in *instance) []Placement {
	if len(in.placements) == 0 {
		return nil
	}
	placements := make([]Placement, 0, len(in.placements))
	for _, name := range slices.Sorted(maps.Keys(in.placements)) {
		p := *in.placements[name]
		if why := b.readers.unheard[name]; why != "" {
			p.lose(why)
		}
		placements = append(placements, p)
	}
	return placements
}

// History returns the latest events, oldest first. Like a Status, nobody may change it.
func (b *Board) History() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers.history == nil {
		b.readers.keepHistory(slices.Clone(b.history[max(0, len(b.history)-historyLength):]))
	}
	return b.readers.history
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
