package reconciler

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// ledger holds the last observation of every placement, and for how long each has been seen as it is. Of that only soak
// survives the process: clusters keep it, in the inventories of the instances.
type ledger struct {
	mu         sync.Mutex
	now        func() time.Time
	checkpoint checkpoint
	began      time.Time // fixed point of the steady clock
	placements map[place]*seen
	clusters   map[string]map[place]*seen // the same by cluster
	members    map[string]map[string]bool // clusters by environment: of others nothing is known
	patience   map[string]patience        // by environment
	news       map[string]int             // by environment: how often something changed that may matter to a decision
}

// checkpoint has a cluster remember a soak.
type checkpoint func(environment, cluster string, k platform.RequestKey, revision string, soaked time.Duration)

// place names a placement.
type place struct {
	environment, cluster string
	request              platform.RequestKey
}

// seen holds all that is known of a placement.
type seen struct {
	promotion.Observation
	meter    promotion.Meter
	held     promotion.Meter // of ill health that is only that of pods of a revision before
	saved    time.Duration   // the soak that its cluster was last asked to remember
	outdated time.Time       // since when the observation may not hold any more, by the fleet's clock; zero: it holds
}

// patience is how soak is measured in an environment: how long ill health is forgiven, and how much soak somebody may
// ask for at most.
type patience struct{ grace, soak time.Duration }

// begin makes the ledger ready.
func (l *ledger) begin(now func() time.Time, save checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now, l.checkpoint, l.began = now, save, now()
	l.placements, l.clusters = map[place]*seen{}, map[string]map[place]*seen{}
	l.members, l.patience, l.news = map[string]map[string]bool{}, map[string]patience{}, map[string]int{}
}

// steady is the time since the ledger began, however the machine's clock is set.
func (l *ledger) steady() time.Duration { return l.now().Sub(l.began) }

// clock is the time of a pass.
func (l *ledger) clock() promotion.Clock {
	now := l.now()
	return promotion.Clock{Wall: now.Round(0), Steady: l.began.Round(0).Add(now.Sub(l.began))}
}

// expect says how soak is measured in an environment from now on.
func (l *ledger) expect(environment string, p patience) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.patience[environment] = p
}

// placed takes a result of the fleet about a placement and reports whether that may matter to a decision.
func (l *ledger) placed(r fleet.Result) bool {
	at := place{r.Environment, r.Cluster, platform.RequestKey{Team: r.Team, Name: r.Request}}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.members[at.environment][at.cluster] {
		return false // it was let go meanwhile
	}
	s := l.at(at)
	next := observation(r, s.Observation)
	if next.Revision != s.Revision {
		s.saved = 0
	}
	if c := r.Checkpoint; c.Revision != "" && c.Revision == metered(next) {
		s.meter.Restore(c.Revision, c.Soaked)
		s.saved = max(s.saved, c.Soaked)
	}
	changed := s.Revision != next.Revision || s.Health != next.Health || s.Stuck != next.Stuck ||
		s.Superseded != next.Superseded || s.Message != next.Message
	left := s.Health == promotion.Healthy && next.Health != promotion.Healthy
	s.Observation = next
	s.meter.Observe(metered(next), next.Health, l.steady(), l.patience[at.environment].grace)
	s.held.Observe(metered(next), holding(next), l.steady(), 0)
	if s.outdated.IsZero() || s.outdated.Before(r.Began) {
		s.outdated = time.Time{}
	} else {
		s.doubt(l.steady(), l.patience[at.environment].grace)
	}
	l.save(at, s, left)
	if changed {
		l.news[at.environment]++
	}
	return changed
}

// outdate takes that something happened to a placement that nobody has looked at: until somebody has, no time counts.
func (l *ledger) outdate(at place, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.placements[at]; s != nil {
		s.outdated = since
		s.doubt(l.steady(), l.patience[at.environment].grace)
	}
}

// doubt stops all that is counted of a placement until it is observed again.
func (s *seen) doubt(now, grace time.Duration) {
	s.meter.Outdate(now, grace)
	s.held.Outdate(now, 0)
}

// observation is a fleet's result in the words of promotion. A Problem that a person must mend is ill health: it has the
// time that any ill health has to go away, and not for ever.
func observation(r fleet.Result, last promotion.Observation) promotion.Observation {
	if r.Err != nil {
		last.Health, last.Message = promotion.Unknown, r.Err.Error()
		return last
	}
	o := promotion.Observation{
		Revision: state.ObservedAs(r.Revision, r.Anew), Health: string(r.Health), Stuck: r.Stuck, Superseded: r.Superseded, At: r.At,
		Object: r.Object, Message: strings.TrimPrefix(r.Message, r.Object+": "),
	}
	switch {
	case r.Doubted:
		o.Health = promotion.Unknown // it is not applied before the state is fetched again
	case r.Foreign != nil:
		o.Health, o.Message = promotion.Unknown, r.Message
	case r.Held != "": // nothing of it was tried
		o.Health, o.Object, o.Message = promotion.Unknown, "", r.Held
	case len(r.Problems) > 0:
		o.Health, o.Object, o.Superseded = promotion.Progressing, "", false
		if problem := r.Problems[0]; problem.Object != (apply.Object{}) {
			o.Object = problem.Object.String()
		}
		o.Message = r.Problems[0].Message
	case len(r.Drift) > 0 && r.Health == apply.Healthy:
		o.Health, o.Message = promotion.Unknown, "what others changed is left alone: "+r.Drift[0].String()
	case r.Absent && r.Settled && !r.Observed:
		o.Health = promotion.Healthy
	case r.Absent:
		o.Health, o.Message = promotion.Progressing, cmp.Or(r.Message, "being removed")
	}
	return o
}

// holding is how the meter of held time takes an observation: it counts while only pods of a revision before are ill.
func holding(o promotion.Observation) string {
	if o.Health == promotion.Progressing && !o.Superseded {
		return promotion.Unknown
	}
	return o.Health
}

// metered is the key by which the soak of a placement is counted: its revision, or the mark that nothing is there.
func metered(o promotion.Observation) string { return cmp.Or(o.Revision, apply.Removed) }

// at returns the entry of a placement, to be changed; the caller holds the lock.
func (l *ledger) at(p place) *seen {
	s := l.placements[p]
	if s == nil {
		s = &seen{}
		l.placements[p] = s
		if l.clusters[p.cluster] == nil {
			l.clusters[p.cluster] = map[place]*seen{}
		}
		l.clusters[p.cluster][p] = s
	}
	return s
}

// away notes that a cluster does not answer: the health of all its placements is unknown until it does. It returns the
// environments that this matters to.
func (l *ledger) away(cluster, why string) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	concerned := map[string]bool{}
	for at, s := range l.clusters[cluster] {
		if s.Health == promotion.Unknown && s.Message == why {
			continue
		}
		left := s.Health == promotion.Healthy
		s.Health, s.Message = promotion.Unknown, why
		s.meter.Observe(metered(s.Observation), promotion.Unknown, l.steady(), l.patience[at.environment].grace)
		s.held.Observe(metered(s.Observation), promotion.Unknown, l.steady(), 0)
		l.save(at, s, left)
		concerned[at.environment] = true
	}
	for environment := range concerned {
		l.news[environment]++
	}
	return concerned
}

// observe returns the observation of a placement at a time.
func (l *ledger) observe(environment string, k platform.RequestKey, cluster string, now time.Duration) promotion.Observation {
	at := place{environment, cluster, k}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.placements[at]
	if s == nil {
		return promotion.Observation{}
	}
	o := s.Observation
	o.Soaked, o.Ailing = s.meter.Read(metered(s.Observation), now, l.patience[environment].grace)
	_, o.SupersededFor = s.held.Read(metered(s.Observation), now, 0)
	l.save(at, s, false)
	return o
}

// save has the cluster remember the soak, if that became worth it: whenever health is left, and every tenth of
// the longest soak that somebody may ask for. The caller holds the lock.
func (l *ledger) save(at place, s *seen, left bool) {
	wanted := l.patience[at.environment].soak
	if wanted == 0 || l.checkpoint == nil {
		return
	}
	soaked, _ := s.meter.Read(metered(s.Observation), l.steady(), l.patience[at.environment].grace)
	if soaked == s.saved || s.saved >= wanted && soaked > s.saved {
		return
	}
	if left || soaked < s.saved || soaked-s.saved >= wanted/10 {
		s.saved = soaked
		l.checkpoint(at.environment, at.cluster, at.request, metered(s.Observation), soaked)
	}
}

// watch says which clusters an environment has from now on. The entries of any other are forgotten, because nobody looks
// there any more: when it comes back its placements are observed anew, and its inventories remember their soak.
func (l *ledger) watch(environment string, clusters []fleet.Cluster) {
	members := map[string]bool{}
	for _, c := range clusters {
		members[c.Name] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for cluster := range l.members[environment] {
		if members[cluster] {
			continue
		}
		for at := range l.clusters[cluster] {
			if at.environment == environment {
				delete(l.placements, at)
				delete(l.clusters[cluster], at)
			}
		}
	}
	l.members[environment] = members
}

// drop forgets a request that an environment has nothing of any more.
func (l *ledger) drop(environment string, k platform.RequestKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for cluster, there := range l.clusters {
		at := place{environment, cluster, k}
		delete(there, at)
		delete(l.placements, at)
	}
}

// heard counts the news of environments so far.
func (l *ledger) heard(environments []string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range environments {
		n += l.news[e]
	}
	return n
}
