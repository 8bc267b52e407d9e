package promotion_test

import (
	"maps"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// removed checks a removal against approval, and against the environments before this one: one of them has to have gone
// without the request for long enough. It checks R43, R44, R47 and R48.
func (o *oracle) removed(s *stage, was, is *state.Release) {
	for k, r := range s.releases {
		for _, provider := range r.Bindings(s.name) {
			if !r.Absent && provider == is.Key {
				o.breaks("%s removes %s, which %s is bound to", s.name, is.Key, k)
			}
		}
	}
	for _, on := range s.live {
		if on.revision != "" && on.key != is.Key && o.counts(s.name, on.cluster) && slices.Contains(slices.Collect(maps.Values(on.bound)), is.Key) {
			o.breaks("%s removes %s, which %s on %s is bound to", s.name, is.Key, on.key, on.cluster)
		}
	}
	e := o.platform.Environments[s.name]
	removal := platform.Digest(map[string]any{"team": is.Key.Team, "request": is.Key.Name, "absent": true, "release": was.Digest})
	if o.decided(s.name, "Approval", func(d *platform.Decision) bool {
		return d.Request != nil && *d.Request == is.Key && d.Release == removal &&
			o.apart(s.name, d, o.platform.Commit, is.Key.File())
	}) != nil {
		return
	}
	if e.Gates.Approval == "required" && !o.skips(s.name, "approval", was) {
		o.breaks("%s removes %s without an approval", s.name, is.Key)
	}
	if len(e.PromotesFrom) == 0 || e.Gates.Unproven == "allow" {
		return
	}
	need := e.Gates.Soak
	if o.skips(s.name, "soak", was) {
		need = 0
	}
	for _, up := range o.upstream(e, was.Request) {
		there := o.stages[up].releases[is.Key]
		if there == nil || !there.Absent {
			continue
		}
		for c := range o.platform.Clusters {
			on := o.stages[up].live[is.Key.Name+"@"+c]
			if o.counts(up, c) && on != nil && (on.revision != "" || o.clock-on.since < need) {
				o.breaks("%s removes %s, which left %s on %s only %s ago", s.name, is.Key, up, c, o.clock-on.since)
			}
		}
		return
	}
	o.breaks("%s removes %s, and nothing before it goes without", s.name, is.Key)
}
