package render

import (
	"reflect"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A selection has the requests that a pass visits, with the instance and record of each. Requests may be added while the
// pass goes on: it is arranged anew then.
type selection struct {
	*snapshot
	memory     *memory                            // of the environment
	byKey      map[platform.RequestKey]*candidate // of the visited requests; nil: there is no instance
	candidates []*candidate                       // the visited instances, sorted by request
	orphans    []platform.RequestKey              // visited, without an instance, and in the base; sorted
	levels     [][]*candidate                     // providers before their consumers
}

// newSelection selects the instances that the environment can have; in a pass that continues the last one, those that may
// come to another record.
func newSelection(s *snapshot, m *memory) *selection {
	l := &selection{snapshot: s, memory: m, byKey: map[platform.RequestKey]*candidate{}}
	for k := range s.direction.Restore {
		l.visit(k)
	}
	if s.continued {
		for k := range s.instances.Differing(m.instances) {
			l.visit(k)
		}
		m.costly(s.shares, l.visit)
		for _, k := range m.revisit {
			l.visit(k)
		}
		for k, r := range s.direction.Records {
			if before := s.base.Releases[k]; before != nil && !reflect.DeepEqual(before.Observed, r.Observed) {
				l.visit(k) // and those that are bound to it
			}
		}
	} else {
		for i := range s.instances.All() {
			l.visit(i.Request.Key)
		}
		for k := range s.base.Releases {
			l.visit(k)
		}
	}
	l.arrange()
	l.refuseSecondVerbatim()
	return l
}

// visit adds a request, and those whose outcome may depend on its: requests that are bound to it, and those that share an
// offering with it of which each team has one.
func (l *selection) visit(k platform.RequestKey) {
	if _, visited := l.byKey[k]; visited {
		return
	}
	l.byKey[k] = nil
	i, release := l.instance(k), l.recordOf(k)
	switch {
	case l.restored(k) != nil:
	case i != nil:
		c := &candidate{instance: i, base: release, evaluation: l.memory.evaluation(i)}
		l.byKey[k] = c
		l.candidates = append(l.candidates, c)
	case release != nil && hasContent(release):
		l.orphans = append(l.orphans, k)
	}
	for consumer := range l.index.consumers[k] {
		l.visit(consumer)
	}
	if i != nil && i.Version.Names == platform.Verbatim {
		for other := range l.index.users[use{k.Team, i.Offering.Name}] {
			l.visit(other)
		}
	}
}

// arrange sorts the candidates into levels: each is bound to none but those of lower levels.
func (l *selection) arrange() {
	l.refuseCycles()
	slices.SortFunc(l.candidates, func(a, b *candidate) int { return a.key().Compare(b.key()) })
	slices.SortFunc(l.orphans, platform.RequestKey.Compare)
	l.levels = nil
	levels := map[*candidate]int{}
	for _, c := range l.candidates {
		n := l.level(c, levels)
		for len(l.levels) <= n {
			l.levels = append(l.levels, nil)
		}
		l.levels[n] = append(l.levels[n], c)
	}
}

func (l *selection) level(c *candidate, known map[*candidate]int) (n int) {
	if len(c.instance.Bindings) == 0 {
		return 0
	}
	if n, ok := known[c]; ok {
		return n
	}
	known[c] = 0 // ends a cycle, whose members all have a Problem
	for _, provider := range c.instance.Bindings {
		if of := l.byKey[provider]; of != nil {
			n = max(n, 1+l.level(of, known))
		}
	}
	known[c] = n
	return n
}

// refuseCycles refuses instances that are bound to themselves in the end. Loading has refused every cycle of the head, but
// contents of several ages may make one together.
func (l *selection) refuseCycles() {
	if l.direction.Instances == nil {
		return
	}
	for _, c := range l.candidates {
		if len(c.instance.Bindings) > 0 && l.reaches(c, c.key(), map[*candidate]bool{}) {
			c.report("", "cycle", "is bound to itself in %s, through what its bindings are bound to there", l.environment.Name)
		}
	}
}

// reaches reports whether a candidate is bound to a request, directly or through others.
func (l *selection) reaches(c *candidate, k platform.RequestKey, seen map[*candidate]bool) bool {
	seen[c] = true
	for _, provider := range c.instance.Bindings {
		if provider == k {
			return true
		}
		if of := l.byKey[provider]; of != nil && !seen[of] && l.reaches(of, k, seen) {
			return true
		}
	}
	return false
}

// refuseSecondVerbatim leaves one request of each team to every offering whose objects keep their names: a second one would
// write the same objects. The one that runs goes first, then the one whose path sorts earlier.
func (l *selection) refuseSecondVerbatim() {
	first := map[use]platform.RequestKey{}
	for _, k := range l.orphans {
		if l.kept(k) {
			first[use{k.Team, l.recordOf(k).Offering}] = k
		}
	}
	for _, running := range []bool{true, false} {
		for _, c := range l.candidates {
			if c.instance.Version.Names != platform.Verbatim || running != c.runs() {
				continue
			}
			of := use{c.key().Team, c.instance.Offering.Name}
			other, taken := first[of]
			if !taken {
				first[of] = c.key()
				continue
			}
			c.report("", "verbatim", "%s has one request per team, because its objects keep their names, and that is %s; remove one of the two",
				c.instance.Version, other)
		}
	}
}

// evaluationOf returns the evaluation of a request that has no Problem.
func (l *selection) evaluationOf(k platform.RequestKey) *evaluation {
	c, visited := l.byKey[k]
	switch {
	case !visited:
		return l.memory.evaluation(l.instance(k))
	case c == nil || c.broken():
		return nil
	}
	return c.evaluation
}

// hasProblem reports whether a request has a Problem that somebody has to mend, of rendering or of the platform.
func (l *selection) hasProblem(k platform.RequestKey) bool {
	if c := l.byKey[k]; c != nil && c.broken() {
		return true
	}
	return l.platform.Broken(l.environment.Name, k)
}

// hasContent reports whether anything of a release may be on a cluster: it is no tombstone, or its removal is under way.
func hasContent(r *state.Release) bool { return !r.Absent || len(r.Clusters) > 0 }
