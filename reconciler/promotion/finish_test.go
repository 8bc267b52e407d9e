package promotion_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// finish takes everything out of the way, and expects all that the head asks for to arrive. It checks R102.
func (w *world) finish() {
	w.note("everything is taken out of the way")
	w.faults, w.lost, w.sick, w.flapping = map[string]fault{}, map[string]bool{}, map[string]bool{}, map[string]time.Duration{}
	w.blocked, w.blind = map[string]time.Duration{}, map[string]time.Duration{}
	w.broken = map[platform.RequestKey]bool{}
	w.platform.Decisions, w.parties.mute = nil, nil
	w.utter()
	for name := range w.parties.denies {
		w.check(name, true)
	}
	for _, c := range slices.Sorted(maps.Keys(w.away)) { // where another cluster is, it stays away for ever
		if w.deserted(w.away[c].Labels["environment"]) {
			w.comeBack(c)
		}
	}
	for _, c := range w.platform.Clusters {
		c.State = platform.ClusterActive
	}
	for _, k := range w.names() {
		r := w.requests[k]
		r.p, r.own, r.hold, r.in = r.p+10, nil, nil, slices.Clone(w.order)
		r.at = nil
	}
	w.publish("1.99.0")
	w.merge("all requests ask for something new, and there is a version that nobody has failed with")
	for end := w.clock + 3*time.Hour; w.clock < end; {
		if w.arrived() {
			return
		}
		w.run(3 * tick)
		w.passes()
		for _, name := range w.order {
			w.approveWaiting(w.stages[name])
		}
	}
	w.judge.breaks("what the head asks for does not arrive: %s", w.late())
}

// deserted reports whether an environment has no cluster.
func (w *world) deserted(environment string) bool {
	for _, c := range w.platform.Clusters {
		if w.member(environment, c) {
			return false
		}
	}
	return true
}

func (w *world) arrived() bool { return w.late() == "" }

// late names an instance that has not arrived yet.
func (w *world) late() string {
	for _, name := range w.order {
		s, asked := w.stages[name], w.asked(name)
		for _, i := range asked {
			r := s.releases[i.Request.Key]
			if r == nil || r.Digest != i.Release || r.Promotion.Rollout != nil || !sameKeys(r, w.make(i).record) {
				return fmt.Sprintf("%s in %s: %s", i.Request.Key, name, standing(s, i.Request.Key))
			}
		}
		for k, r := range s.releases {
			if !r.Absent && !slices.ContainsFunc(asked, func(i *platform.Instance) bool { return i.Request.Key == k }) {
				return fmt.Sprintf("the removal of %s from %s: %s", k, name, standing(s, k))
			}
		}
	}
	return ""
}

func standing(s *stage, k platform.RequestKey) string {
	if s.last == nil || s.last.admission.Standings[k] == nil {
		return "says nothing"
	}
	var b strings.Builder
	for _, g := range s.last.admission.Standings[k].Gates {
		fmt.Fprintf(&b, "[%s: %s (%s)] ", g.Name, g.Reason, g.Opens)
	}
	return s.last.admission.Standings[k].State + " " + b.String()
}
