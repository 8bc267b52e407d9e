package reconciler

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// observations has the last observation of every placement, and for how long each has been seen as it is. Of that only soak, and
// the answers to checks, survive the process: clusters keep them, in the inventories of the instances.
type observations struct {
	mu         sync.Mutex
	now        func() time.Time
	checkpoint checkpoint
	began      time.Time                          // fixed point of the steady clock
	clusters   map[string]map[placement]*observed // what is known of each placement, by cluster
	members    map[string]map[string]bool         // clusters by environment: of others nothing is known
	patience   map[string]patience                // by environment
	tellers    tellers
	news       map[string]int // by environment: how often something changed that may matter to a decision
}

// checkpoint has a cluster remember a revision.
type checkpoint func(environment, cluster string, k platform.RequestKey, c apply.Checkpoint)

// placement is an instance on a cluster.
type placement struct {
	environment, cluster string
	request              platform.RequestKey
}

// observed has all that is known of a placement.
type observed struct {
	promotion.Observation
	meter    promotion.Meter
	old      promotion.Meter // of ill health that is only that of pods of a revision before
	saved    time.Duration   // the soak that its cluster was last asked to remember
	told     toldValues
	answers  answers   // to checks, that its cluster is to remember
	moved    bool      // this process has seen another revision here
	outdated time.Time // since when the observation may not be true any more, by the fleet's clock; zero: it is
}

// patience is how soak is measured in an environment: how long ill health is forgiven, and how much soak somebody may
// ask for at most.
type patience struct{ grace, soak time.Duration }

// begin makes the observations ready.
func (o *observations) begin(now func() time.Time, save checkpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now, o.checkpoint, o.began = now, save, now()
	o.tellers = tellers{}
	o.clusters = map[string]map[placement]*observed{}
	o.members, o.patience, o.news = map[string]map[string]bool{}, map[string]patience{}, map[string]int{}
}

// steady is the time since the process began, however the machine's clock is set.
func (o *observations) steady() time.Duration { return o.now().Sub(o.began) }

// clock is the time of a pass.
func (o *observations) clock() promotion.Clock {
	now := o.now()
	return promotion.Clock{Wall: now.Round(0), Steady: o.began.Round(0).Add(now.Sub(o.began))}
}

// setPatience says how soak is measured in an environment from now on.
func (o *observations) setPatience(environment string, p patience) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.patience[environment] = p
}

// take takes a result of the fleet about a placement and reports whether that may matter to a decision.
func (o *observations) take(r fleet.Result) bool {
	at := placement{r.Environment, r.Cluster, platform.RequestKey{Team: r.Team, Name: r.Request}}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.members[at.environment][at.cluster] {
		return false // it was let go meanwhile
	}
	s := o.entry(at)
	next := observation(r, s.Observation)
	if next.Revision != s.Revision {
		s.moved = s.moved || s.Revision != ""
		s.saved, s.answers = 0, nil
	}
	if c := r.Checkpoint; c.Revision != "" && c.Revision == metered(next) {
		s.restoreAnswers(at.request, c.Checks)
		s.meter.Restore(c.Revision, c.Soaked)
		s.saved = max(s.saved, c.Soaked)
	}
	changed := s.Revision != next.Revision || s.Health != next.Health || s.Stuck != next.Stuck ||
		s.Superseded != next.Superseded || s.Message != next.Message
	fell := s.Health == state.Healthy && next.Health != state.Healthy
	s.Observation = next
	s.meter.Observe(metered(next), next.Health, o.steady(), o.patience[at.environment].grace)
	s.old.Observe(metered(next), oldPods(next), o.steady(), 0)
	if s.outdated.IsZero() || s.outdated.Before(r.Began) {
		s.outdated = time.Time{}
	} else {
		s.suspend(o.steady(), o.patience[at.environment].grace)
	}
	o.save(at, s, fell)
	if changed {
		o.news[at.environment]++
	}
	return changed
}

// outdate takes that something happened to a placement that nobody has looked at: until somebody has, no time counts.
func (o *observations) outdate(at placement, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.of(at); s != nil {
		s.outdated = since
		s.suspend(o.steady(), o.patience[at.environment].grace)
	}
}

// suspend stops all that is counted of a placement until it is observed again.
func (s *observed) suspend(now, grace time.Duration) {
	s.meter.Outdate(now, grace)
	s.old.Outdate(now, 0)
}

// observation is a fleet's result in the words of promotion. A Problem that a person must mend is ill health: it has the
// time that any ill health has to go away, and not for ever.
func observation(r fleet.Result, last promotion.Observation) promotion.Observation {
	if r.Err != nil {
		last.Health, last.Message = state.Unknown, r.Err.Error()
		return last
	}
	o := promotion.Observation{
		Revision: state.ObservedAs(r.Revision, r.Anew), Health: r.Health, Stuck: r.Stuck, Superseded: r.Superseded, At: r.At,
		Object: r.Object, Message: strings.TrimPrefix(r.Message, r.Object+": "),
	}
	switch {
	case r.Overtaken:
		o.Health = state.Unknown // it is not applied before the state is fetched again
	case r.Foreign != nil:
		o.Health, o.Message = state.Unknown, r.Message
	case r.Withheld != "": // nothing of it was tried
		o.Health, o.Object, o.Message = state.Unknown, "", r.Withheld
	case len(r.Problems) > 0:
		o.Health, o.Object, o.Superseded = state.Progressing, "", false
		if problem := r.Problems[0]; problem.Object != (apply.Object{}) {
			o.Object = problem.Object.String()
		}
		o.Message = r.Problems[0].Message
	case len(r.Drift) > 0 && r.Health == state.Healthy:
		o.Health, o.Message = state.Unknown, "what others changed is left alone: "+r.Drift[0].String()
	case r.Absent && r.Settled && !r.Observed:
		o.Health = state.Healthy
	case r.Absent:
		o.Health, o.Message = state.Progressing, cmp.Or(r.Message, "being removed")
	}
	return o
}

// oldPods is how the meter of that time takes an observation: it counts while only pods of a revision before are ill.
func oldPods(o promotion.Observation) state.Health {
	if o.Health == state.Progressing && !o.Superseded {
		return state.Unknown
	}
	return o.Health
}

// metered is the key by which the soak of a placement is counted: its revision, or the mark that nothing is there.
func metered(o promotion.Observation) string { return cmp.Or(o.Revision, apply.Removed) }

// of returns what is known of a placement, nil if nothing is; the caller holds the lock.
func (o *observations) of(p placement) *observed { return o.clusters[p.cluster][p] }

// entry returns the entry of a placement, to be changed; the caller holds the lock.
func (o *observations) entry(p placement) *observed {
	s := o.of(p)
	if s == nil {
		s = &observed{}
		if o.clusters[p.cluster] == nil {
			o.clusters[p.cluster] = map[placement]*observed{}
		}
		o.clusters[p.cluster][p] = s
	}
	return s
}

// clusterLost takes that a cluster does not answer: the health of all its placements is unknown until it does. It returns the
// environments that this matters to.
func (o *observations) clusterLost(cluster, why string) map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	concerned := map[string]bool{}
	for at, s := range o.clusters[cluster] {
		if s.Health == state.Unknown && s.Message == why {
			continue
		}
		fell := s.Health == state.Healthy
		s.Health, s.Message = state.Unknown, why
		s.meter.Observe(metered(s.Observation), state.Unknown, o.steady(), o.patience[at.environment].grace)
		s.old.Observe(metered(s.Observation), state.Unknown, o.steady(), 0)
		o.save(at, s, fell)
		concerned[at.environment] = true
	}
	for environment := range concerned {
		o.news[environment]++
	}
	return concerned
}

// read returns the observation of a placement at a time.
func (o *observations) read(environment string, k platform.RequestKey, cluster string, now time.Duration) promotion.Observation {
	at := placement{environment, cluster, k}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(at)
	if s == nil {
		return promotion.Observation{}
	}
	read := s.Observation
	read.Soaked, read.Ailing = s.meter.Read(metered(s.Observation), now, o.patience[environment].grace)
	_, read.SupersededFor = s.old.Read(metered(s.Observation), now, 0)
	read.Told = s.told.read(now, s.outdated.IsZero())
	o.save(at, s, false)
	return read
}

// save has the cluster remember the soak, if that became worth it: whenever it stopped being healthy, and every tenth of
// the longest soak that somebody may ask for. The caller holds the lock.
func (o *observations) save(at placement, s *observed, fell bool) {
	wanted := o.patience[at.environment].soak
	if wanted == 0 || o.checkpoint == nil {
		return
	}
	soaked, _ := s.meter.Read(metered(s.Observation), o.steady(), o.patience[at.environment].grace)
	enough := s.saved >= wanted && soaked > s.saved
	if enough || soaked == s.saved {
		return
	}
	if fell || soaked < s.saved || soaked-s.saved >= wanted/10 {
		o.keep(at, s)
	}
}

// membersOf lists the clusters of an environment.
func (o *observations) membersOf(environment string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.members[environment]))
}

// setClusters says which clusters an environment has from now on. The entries of any other are forgotten, because nobody looks
// there any more: when it comes back its placements are observed anew, and its inventories remember their soak.
func (o *observations) setClusters(environment string, clusters []fleet.Cluster) {
	members := map[string]bool{}
	for _, c := range clusters {
		members[c.Name] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for cluster := range o.members[environment] {
		if members[cluster] {
			continue
		}
		for at := range o.clusters[cluster] {
			if at.environment == environment {
				delete(o.clusters[cluster], at)
			}
		}
	}
	o.members[environment] = members
}

// forget drops a request that an environment has nothing of any more.
func (o *observations) forget(environment string, k platform.RequestKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for cluster, there := range o.clusters {
		delete(there, placement{environment, cluster, k})
	}
}

// newsOf counts how often something changed in environments that may matter to a decision.
func (o *observations) newsOf(environments []string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range environments {
		n += o.news[e]
	}
	return n
}
