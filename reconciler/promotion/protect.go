package promotion

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// protected returns why the release that runs here is not replaced now, or nil. While it soaks for an environment that would
// take it, or makes its way through waves, the newest waits until that is over, or until health breaks: so however often a
// request changes, something gets through.
func (p *Pass) protected(s *subject, c *candidate, skips func(string) bool) *Gate {
	e, r := p.view.Environment, s.base
	if !runs(r) || e.Gates.Replace == "newest" || p.withdrawn(r) {
		return nil
	}
	now := p.view.condition(e, r, nil)
	if now.suspended() || r.Promotion.Unproven != "" || !now.all() && p.mends(s, c.instance) {
		return nil // it soaks for nobody, or its own mend would wait for the release that it mends
	}
	if rollout := r.Promotion.Rollout; rollout != nil {
		if rollout.Stopped != "" || rollout.Cause == "rollback" || p.lost(r, now) {
			return nil
		}
		if len(rollout.Pending) > 0 && p.current(s) != nil { // a release that cannot be resolved any more goes no further
			return &Gate{Name: "rollout", Reason: "what runs here is still on its way to " + strings.Join(rollout.Pending, ", "), Opens: "its rollout, or its failure"}
		}
	}
	if now.counting == 0 || p.lost(r, now) {
		return nil
	}
	for _, d := range p.downstream() {
		soaked, proven := soakedFor(r)
		if !p.asks(d, r) || proven && soaked >= d.Gates.Soak || !p.wouldTake(d, s, r) || p.hurries(d, s.key, c.instance) {
			continue
		}
		if d.Gates.Soak > 0 && skips("soak") {
			return nil
		}
		g := &Gate{
			Name: "soak", Reason: fmt.Sprintf("%s soaks here for %s, %s of %s", short(r.Digest), d.Name, now.soaked.Round(time.Second), d.Gates.Soak),
			Opens: "its health for that long, or its failure",
		}
		if now.all() {
			g.At = p.view.Now.in(max(d.Gates.Soak-now.soaked, 0))
		}
		return g
	}
	return nil
}

// mends reports whether a candidate leaves the rendered bytes as they are and changes only the entries of its version on
// health, on ignored fields and on outputs.
func (p *Pass) mends(s *subject, i *platform.Instance) bool {
	has := p.current(s)
	if has == nil || has.Offering.Name != i.Offering.Name || has.Version.Digest == i.Version.Digest || i.Version.Rendering != has.Version.Rendering {
		return false
	}
	here := p.view.Environment.Name
	return reflect.DeepEqual(visible(&has.Request.Spec, here), visible(&i.Request.Spec, here))
}

// withdrawn reports whether the version that a record names was withdrawn.
func (p *Pass) withdrawn(r *platform.Release) bool {
	v := p.view.Platform.Offerings[r.Offering].Version(r.Version)
	return v != nil && v.Lifecycle == platform.Withdrawn
}

// lost reports whether the release that runs will not get healthy by waiting: it failed, cannot start, or was healthy and is
// not for longer than grace.
func (p *Pass) lost(r *platform.Release, now condition) bool {
	said := now.said
	if said.hopeless() {
		return true
	}
	if r.Promotion.Rollout == nil {
		return said.broke(p.view.Environment.Gates.Grace)
	}
	return said.broke(p.view.Environment.Rollout.ProgressDeadline)
}

// hurries reports whether a person lets a candidate into an environment without its soak, so that nothing older has to soak
// for it any more.
func (p *Pass) hurries(d *platform.Environment, k platform.RequestKey, i *platform.Instance) bool {
	return slices.ContainsFunc(p.view.Platform.Decisions, func(c *platform.Decision) bool {
		return c.Kind == "Override" && c.Environment == d.Name && !c.Broken && slices.Contains(c.Skip, "soak") && p.view.inForce(c) &&
			means(c, k, i.Release, i.Offering.Name, i.Version.Number.String())
	})
}

// wouldTake reports whether an environment has use for the proof of the release that runs here: it does not run that yet, it
// has nothing newer, and the release here has other bytes than the one that it has proof of.
func (p *Pass) wouldTake(d *platform.Environment, s *subject, r *platform.Release) bool {
	there := p.view.Elsewhere[d.Name][s.key]
	if there == nil {
		return true
	}
	if there.Digest == r.Digest || p.view.Prospects.Older(r.Commit, p.place(there)) {
		return false
	}
	ran, known := originIn(r, there.Digest)
	return !known || ran != origin(r.Digest, r.Promotion.Origin)
}
