package promotion_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/state"
)

// A recording is when a value was recorded: truly, and by how much the machine's clock was wrong.
type recording struct{ at, skew time.Duration }

// records checks the values in a record against the truth: each one has stood on its cluster for half a minute, where the instance is healthy at
// the recorded revision, and it goes with its cluster or its output alone. It checks R112, R113 and R114.
func (o *oracle) records(s *stage, was, is *state.Release) {
	if was == nil || is.Absent {
		return
	}
	for cluster, values := range was.Observed {
		_, stays := is.Clusters[cluster]
		if _, kept := is.Observed[cluster]["endpoint"]; len(values) > 0 && stays && len(is.Observes) > 0 && !kept {
			o.breaks("%s forgets the value of %s on %s", s.name, is.Key, cluster)
		}
	}
	for cluster, values := range is.Observed {
		seen, before := values["endpoint"], was.Observed[cluster]["endpoint"]
		if seen == before {
			continue
		}
		id, now := at(s.name, is.Key.Name, cluster), recording{o.clock, o.skew}
		on := s.live[is.Key.Name+"@"+cluster]
		if on == nil || !o.counts(s.name, cluster) {
			o.breaks("%s records a value of %s on %s, which does not count", s.name, is.Key, cluster)
			return
		}
		text, since := o.truth(on)
		if text != seen.Value || o.clock-since < promotion.StandTime {
			o.breaks("%s records %v of %s, and %s has had %q for %s", s.name, seen.Value, is.Key, cluster, text, o.clock-since)
		}
		if health, _ := o.health(s.name, on); health != state.Healthy || on.revision != was.Clusters[cluster].Observed() {
			o.breaks("%s records %v of %s, which is %s on %s", s.name, seen.Value, is.Key, health, cluster)
		}
		if last, again := o.recorded[id]; again && before.Value != nil && last.skew == now.skew && now.at-last.at < time.Minute {
			o.breaks("%s records %v of %s %s after the value before it", s.name, seen.Value, is.Key, now.at-last.at)
		}
		o.recorded[id] = now
	}
}

// handsOn checks the values in bytes that come: each is the one that is recorded of the very cluster, or was before, and a change of nothing but values is approved as
// any other change of the environment, unless they are urgent. It checks R36, R77 and R115.
func (o *oracle) handsOn(s *stage, was, is *state.Release, changed []string) {
	if is.Absent || o.claims.observed == nil {
		return
	}
	before := s.history[fmt.Sprintf("%s-%d", s.name, s.commit-1)]
	for _, provider := range is.Bindings(s.name) {
		for _, c := range changed {
			now, was := s.releases[provider], before[provider]
			if is.Clusters[c].Release != "" {
				continue // it goes back to bytes from before
			}
			if !o.mayGive(now, c, is.Clusters[c].RenderKey) && !o.mayGive(was, c, is.Clusters[c].RenderKey) {
				o.breaks("%s brings %s to %s, where %s has another value or none", s.name, is.Clusters[c].RenderKey, c, provider)
			}
		}
	}
	needed := o.platform.Environments[s.name].Gates.Approval == "required" && !o.claims.urgent
	if !needed || was == nil || was.Digest != is.Digest || !onlyValues(was, is, changed) || o.skips(s.name, "approval", is) {
		return
	}
	for _, c := range changed {
		if !slices.Contains(is.Promotion.Admitted, is.Clusters[c].RenderKey) {
			o.breaks("%s brings %s to %s without an Approval", s.name, is.Clusters[c].RenderKey, c)
		}
	}
}

// mayGive reports whether the bytes of a consumer on a cluster may come of the record of its provider.
func (o *oracle) mayGive(provider *state.Release, cluster, renderKey string) bool {
	if provider == nil || provider.Absent {
		return false
	}
	seen, _ := provider.Observed[cluster]["endpoint"].Value.(string)
	return slices.Contains(strings.Fields(renderKey), seen)
}

// onlyValues reports whether on these clusters nothing changes but values that an instance is given.
func onlyValues(was, is *state.Release, changed []string) bool {
	if was == nil || len(changed) == 0 {
		return false
	}
	return !slices.ContainsFunc(changed, func(c string) bool {
		before, after := was.Clusters[c].RenderKey, is.Clusters[c].RenderKey
		return withoutValue(before) != withoutValue(after) || withoutValue(before) == before || before == after
	})
}
