package promotion_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// decided finds a decision of a kind that is about a request.
func (o *oracle) decided(environment string, kind decision.Kind, match func(*platform.Decision) bool) *platform.Decision {
	for _, d := range o.platform.Decisions {
		if d.Environment == environment && d.Kind == kind && !d.Broken && match(d) {
			return d
		}
	}
	return nil
}

func names(d *platform.Decision, k platform.RequestKey) bool {
	return d.Request != nil && *d.Request == k || d.Request == nil && d.Offering == "web"
}

func (o *oracle) pin(environment string, r *state.Release) *platform.Decision {
	return o.decided(environment, "Pin", func(d *platform.Decision) bool { return names(d, r.Key) })
}

func (o *oracle) skips(environment, skipped string, r *state.Release) bool {
	return o.decided(environment, "Override", func(d *platform.Decision) bool {
		return names(d, r.Key) && slices.Contains(d.Skip, gate.Name(skipped)) && (d.Release == "" || d.Release == r.Digest) && (d.Version == "" || d.Version == r.Version)
	}) != nil
}

// untouchable checks a change of bytes against holds and windows. It checks R33, R34, R115 and R116.
func (o *oracle) untouchable(s *stage, was, is *state.Release, changed, gone []string) {
	hold := o.decided(s.name, "Hold", func(d *platform.Decision) bool {
		switch {
		case d.Cluster != "":
			return slices.Contains(changed, d.Cluster) || slices.Contains(gone, d.Cluster)
		case d.Team != "":
			return d.Team == is.Key.Team
		case d.Request != nil || d.Offering != "":
			return names(d, is.Key)
		}
		return true
	})
	if at := slices.IndexFunc(o.platform.Decisions, func(d *platform.Decision) bool { return d.Environment == s.name && d.Broken }); at >= 0 {
		hold = o.platform.Decisions[at]
	}
	if hold != nil && !o.skips(s.name, "hold", is) {
		o.breaks("%s changes %s on %v%v past %s", s.name, is.Key, changed, gone, hold.File)
	}
	if r := o.requests[is.Key]; r != nil && r.hold[s.name] && slices.Contains(r.in, s.name) && !o.skips(s.name, "hold", is) && !o.world.broken[is.Key] {
		o.breaks("%s changes %s past its own hold", s.name, is.Key)
	}
	for _, window := range o.platform.Environments[s.name].Windows {
		now := o.now()
		if window.Contains(now.Wall) && window.Contains(now.Steady) == !window.Deny {
			continue
		}
		hastens := len(gone) == 0 && o.claims.urgent && onlyValues(was, is, changed)
		if !o.skips(s.name, "window", is) && !hastens {
			o.breaks("%s changes %s outside its window", s.name, is.Key)
		}
		if !o.skips(s.name, "window", is) && !slices.Contains(is.Promotion.Gates, state.PassedGate{Gate: gate.Window, Figure: "urgent"}) {
			o.breaks("%s changes %s outside its window, and its record does not say why", s.name, is.Key)
		}
	}
}

// failures notes the render keys that were rejected since, and those that are taken again, for which somebody has decided.
// It checks R64 and R65.
func (o *oracle) failures(environment string, was, is *state.Release) {
	var had []state.Failure
	if was != nil {
		had = was.Promotion.Rejected
	}
	same := func(list []state.Failure, f state.Failure) bool {
		return slices.ContainsFunc(list, func(o state.Failure) bool { return reflect.DeepEqual(o, f) })
	}
	for _, f := range had {
		since := o.rejected[at(f.Cluster, f.RenderKey)]
		if !same(is.Promotion.Rejected, f) && o.readmits(environment, f.Release, f.Version, is.Key, since) {
			delete(o.rejected, at(f.Cluster, f.RenderKey))
		}
	}
	for _, f := range is.Promotion.Rejected {
		if !same(had, f) {
			o.rejected[at(f.Cluster, f.RenderKey)] = o.approvals
			if strings.Contains(f.Message, waitsForOld) {
				o.breaks("%s rejects %s of %s for a pod of a revision before", environment, f.Release, is.Key)
			}
			o.unseen(environment, is.Key, f)
		}
	}
}

// unseen checks a rejection against the observations: a release that did not fail, and whose pods can start, was seen not to
// be healthy for as long as it may take. It checks R63 and R64.
func (o *oracle) unseen(environment string, k platform.RequestKey, f state.Failure) {
	cluster, _, _ := strings.Cut(f.Message, ":")
	on := o.stages[environment].live[k.Name+"@"+cluster]
	if on == nil {
		o.breaks("%s rejects %s, which is not on %s", environment, f.Release, cluster)
		return
	}
	if strings.Contains(f.Message, "check ") {
		o.condemns(environment, on, f)
		return
	}
	said := o.observe(environment, k, cluster)
	limit := o.platform.Environments[environment].Rollout.ProgressDeadline
	if said.Health != state.Failed && !said.Stuck && on.seenIll < limit {
		o.breaks("%s rejects %s, which on %s was seen for %s of %s not to be healthy", environment, f.Release, cluster, on.seenIll, limit)
	}
}

// readmits reports whether a person has decided since for something that failed.
func (o *oracle) readmits(environment, release, version string, k platform.RequestKey, since int) bool {
	return slices.ContainsFunc(o.platform.Decisions, func(d *platform.Decision) bool {
		if d.Environment != environment || number(d) <= since {
			return false
		}
		return d.Kind == "Approval" && (d.Release == release || d.Version != "" && d.Version == version || d.Plan != "") || d.Kind == "Pin" && names(d, k)
	})
}

// again checks a change of bytes against the bytes that failed before: only a decision that was merged since lets it in.
// It checks R37.
func (o *oracle) again(s *stage, is *state.Release, changed []string) {
	for _, c := range changed {
		since, failed := o.rejected[at(c, is.Clusters[c].RenderKey)]
		if failed && !o.readmits(s.name, is.Digest, is.Version, is.Key, since) {
			o.breaks("%s takes %s on %s again, which failed there", s.name, is.Clusters[c].RenderKey, c)
		}
	}
}

func number(d *platform.Decision) (n int) {
	_, _ = fmt.Sscanf(d.Name, "d%d", &n)
	return n
}
