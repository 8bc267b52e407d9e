package reconciler

import (
	"time"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// toldValues are the values that the objects of a placement had last for its observed outputs, at one revision.
type toldValues struct {
	revision string
	values   map[string]toldValue // by output
}

// toldValue is one of them, and since when it has been so, by the steady clock.
type toldValue struct {
	apply.Told
	since time.Duration
}

// hear takes the values of a result, and reports whether one of them is another than before.
func (t *toldValues) hear(r fleet.Result, now time.Duration) (news bool) {
	if t.revision != r.Revision {
		*t = toldValues{revision: r.Revision}
	}
	for name, said := range r.Told {
		if known, there := t.values[name]; there && known.Told == said {
			continue
		}
		if t.values == nil {
			t.values = map[string]toldValue{}
		}
		t.values[name] = toldValue{said, now}
		news = true
	}
	return news
}

// read returns the values for promotion. Where something happened to the placement that nobody has looked at yet, none has stood.
func (t *toldValues) read(now time.Duration, looked bool) map[string]promotion.Told {
	if len(t.values) == 0 {
		return nil
	}
	read := make(map[string]promotion.Told, len(t.values))
	for name, v := range t.values {
		told := promotion.Told{Value: v.Value, Fault: v.Fault}
		if looked {
			told.Stood = now - v.since
		}
		read[name] = told
	}
	return read
}

// areRecorded reports whether a record has all of the values on a cluster that it may have.
func (t *toldValues) areRecorded(r *state.Release, cluster string) bool {
	for name, v := range t.values {
		seen, recorded := r.Observed[cluster][name]
		if v.Fault == "" && !(recorded && seen.Is(v.Value)) {
			return false
		}
	}
	return true
}

// tellers are the requests of environments of which a cluster told a value that no pass has found to be recorded since.
type tellers map[string]map[platform.RequestKey]bool

func (t tellers) add(environment string, k platform.RequestKey) {
	if t[environment] == nil {
		t[environment] = map[platform.RequestKey]bool{}
	}
	t[environment][k] = true
}

// hear takes the values of observed outputs that a result of the fleet has, and reports whether any is news.
func (o *observations) hear(r fleet.Result) bool {
	at := placement{r.Environment, r.Cluster, platform.RequestKey{Team: r.Team, Name: r.Request}}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(at)
	if r.Err != nil || s == nil || !s.told.hear(r, o.steady()) {
		return false
	}
	o.tellers.add(at.environment, at.request)
	o.news[at.environment]++
	return true
}

// toldBy returns the requests of an environment that have a value which may not be recorded.
func (o *observations) toldBy(environment string) map[platform.RequestKey]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[platform.RequestKey]bool, len(o.tellers[environment]))
	for k := range o.tellers[environment] {
		all[k] = true
	}
	return all
}

// forgetTold forgets the requests whose values a state records.
func (o *observations) forgetTold(environment string, releases map[platform.RequestKey]*state.Release) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range o.tellers[environment] {
		if o.tellsMore(environment, k, releases[k]) {
			continue
		}
		delete(o.tellers[environment], k)
	}
}

// tellsMore reports whether any cluster has a value of a request that its record does not have; the caller holds the lock.
func (o *observations) tellsMore(environment string, k platform.RequestKey, r *state.Release) bool {
	if r == nil || len(r.Observes) == 0 {
		return false
	}
	for cluster := range r.Clusters {
		if s := o.of(placement{environment, cluster, k}); s != nil && !s.told.areRecorded(r, cluster) {
			return true
		}
	}
	return false
}
