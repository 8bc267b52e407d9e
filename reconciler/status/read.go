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
	sorted      []instanceKey     // of the Status made last
	order       map[string]int    // of its environments
	unheard     map[string]string // why clusters are not reachable, which their placements say then
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

// sort returns the keys of all instances by request and environment. To sort very many takes longer than to copy them, so that an order
// stays for as long as it is of the same ones.
func (r *readers) sort(all map[instanceKey]*instance, order map[string]int) []instanceKey {
	gone := func(key instanceKey) bool { return all[key] == nil }
	if len(r.sorted) == len(all) && maps.Equal(order, r.order) && !slices.ContainsFunc(r.sorted, gone) {
		return r.sorted
	}
	r.order = order
	r.sorted = slices.SortedFunc(maps.Keys(all), func(x, y instanceKey) int {
		return cmp.Or(x.request.Compare(y.request), cmp.Compare(order[x.environment], order[y.environment]),
			strings.Compare(x.environment, y.environment))
	})
	return r.sorted
}

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
	b.readers.hear(b.clusters, b.instances)
	for _, key := range b.readers.sort(b.instances, order) {
		in := b.instances[key]
		if in.shown == nil {
			in.shown = b.placements(in)
		}
		s.Instances = append(s.Instances, in.with(slices.Clip(in.shown)))
	}
	b.readers.keepStatus(s)
	return s
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

// placements copies those of an instance, which are in memory once from then on: the Board has the same until they change. A report that a
// cluster gave before it went away is no longer known to be true, and is not the Board's. The caller holds the lock.
func (b *Board) placements(in *instance) []Placement {
	if len(in.placements) == 0 {
		return nil
	}
	placements := make([]Placement, 0, len(in.placements))
	names := slices.AppendSeq(make([]string, 0, len(in.placements)), maps.Keys(in.placements))
	slices.Sort(names)
	for _, name := range names {
		placements = append(placements, *in.placements[name])
		p := &placements[len(placements)-1]
		if why := b.readers.unheard[name]; why != "" {
			in.keepAlone(name)
			p.lose(why)
		} else {
			in.placements[name] = p
		}
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
