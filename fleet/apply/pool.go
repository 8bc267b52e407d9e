package apply

import "sync"

// pool has one copy of each of many equal values, most of them of objects that a thousand clusters have alike. The zero value works.
type pool[V comparable] struct {
	mu  sync.Mutex
	all map[V]*V
}

// mostPooled bounds the values of a pool: more than that and all are forgotten. Those that are in use stay.
const mostPooled = 50_000

// one returns the copy that is equal to a value, which may be that value. Nobody changes it.
func (p *pool[V]) one(v *V) *V {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.all[*v]; known != nil {
		return known
	}
	if p.all == nil || len(p.all) >= mostPooled {
		p.all = map[V]*V{}
	}
	p.all[*v] = v
	return v
}

func (p *pool[V]) has(v *V) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[*v] != nil
}

// alone says that no more than one cluster shares. Its objects all have traits of their own: a pool of them would be so much more memory.
func (s *Shared) alone() bool { return s == nil || s.clusters.Load() <= 1 }

// unify has an object that a watch saw share its traits with those of other clusters, and its status with all. Its field set needs no
// comparison where an equal one was compared with an equal manifest.
func (s *Shared) unify(l *live) {
	if s == nil {
		return
	}
	t := l.traits
	if !s.alone() {
		t = s.traits.one(t)
	}
	l.share(t, s.health.one(l.byStatus))
	if l.labels.managed && s.whole.has(t) {
		l.cover()
	}
}

// recordWhole records that the field set of an object covers its manifest, where nothing but these counts.
func (s *Shared) recordWhole(t *traits) {
	if !s.alone() {
		s.whole.one(t)
	}
}

// knowsHealthy says whether a workload with the same facts was found healthy.
func (s *Shared) knowsHealthy(facts string) bool {
	return s != nil && facts != "" && s.healthy.has(&facts)
}

// recordHealthy records the facts of a workload that is healthy, with nothing to say about it.
func (s *Shared) recordHealthy(facts string) {
	if s != nil && facts != "" {
		s.healthy.one(&facts)
	}
}
