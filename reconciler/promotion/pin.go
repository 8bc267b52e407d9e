package promotion

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// pinOf returns the Pin that decides which release an instance runs, or nil: one of the request before one of its offering.
func (p *Pass) pinOf(s *subject) *platform.Decision {
	var found *platform.Decision
	offering := s.offering()
	for _, d := range p.decisions.pins {
		if about(d, s.key, offering) && (found == nil || found.Request == nil && d.Request != nil) {
			found = d
		}
	}
	return found
}

// pinned returns the candidate of a Pin, which is its own approval; nil where the instance runs it already.
func (p *Pass) pinned(s *subject, pin *platform.Decision) *candidate {
	if runs(s.base) && means(pin, s.key, s.base.Digest, s.base.Offering, s.base.Version) {
		return nil
	}
	if ran := p.ranAs(s, pin); ran != nil {
		return &candidate{cause: "pin", restore: ran, passed: []platform.ReleaseGate{p.by("pin", pin)}} // as a rollback, which nothing holds
	}
	idle := "which nothing here knows"
	for _, content := range p.pinnable(s, pin) {
		i, problems := p.view.Prospects.Resolve(s.key, content)
		if len(problems) > 0 && content.Digest == "" {
			idle = "which it cannot have: " + problems[0].String()
		}
		if len(problems) > 0 || i == nil || !means(pin, s.key, i.Release, i.Offering.Name, i.Version.Number.String()) {
			continue
		}
		if runs(s.base) && i.Release == s.base.Digest {
			return nil
		}
		keys, problems := p.view.Prospects.Keys(i)
		if len(problems) > 0 {
			p.wait(s.key, problem(problems))
			return nil
		}
		c := &candidate{content: content, instance: i, keys: keys, cause: "pin", passed: []platform.ReleaseGate{p.by("pin", pin)}}
		if rejected := rejected(s.base, keys, p.since(s, i, pin)); rejected != nil {
			p.wait(s.key, *rejected)
			return nil
		}
		if closed := p.barred(s, i); len(closed) > 0 {
			p.wait(s.key, closed...)
			return nil
		}
		return c
	}
	p.wait(s.key, Gate{
		Name: "pin", Reason: fmt.Sprintf("pinned by %s to %s, %s", pin.File, pinName(pin), idle),
		Opens: "whoever changes or removes " + pin.File,
	})
	return nil
}

// barred are the gates that are closed for a release that a pin asks for and that never was healthy here. A pin is an
// approval, and nothing else.
func (p *Pass) barred(s *subject, i *platform.Instance) (closed []Gate) {
	skips := func(gate string) bool {
		return p.overridden(gate, s.key, i.Release, i.Offering.Name, i.Version.Number.String()) != nil
	}
	if g := p.hold(s, i.Offering.Name); g != nil && !skips("hold") {
		closed = append(closed, *g)
	}
	if g := p.window(); g != nil && !skips("window") {
		closed = append(closed, *g)
	}
	return closed
}

// since are the decisions that readmit the release that a pin asks for: the pin itself among them, once.
func (p *Pass) since(s *subject, i *platform.Instance, pin *platform.Decision) []*platform.Decision {
	return append(p.approvals(s, i.Release, i.Offering.Name, i.Version.Number.String(), &i.Request.Spec), pin)
}

func pinName(pin *platform.Decision) string {
	if pin.Release != "" {
		return "release " + short(pin.Release)
	}
	return "version " + pin.Version
}

// ranAs returns the last time that a pinned release was healthy here, if it was: it comes back as the bytes that ran.
func (p *Pass) ranAs(s *subject, pin *platform.Decision) *platform.ReleaseRan {
	if s.base == nil || pin.Release == "" {
		return nil
	}
	for _, ran := range slices.Backward(s.base.Promotion.Ran) {
		if ran.Digest == pin.Release {
			return &ran
		}
	}
	return nil
}

// pinnable lists the contents that a pin may mean: those that are known of the request, and where it names a version the
// release that runs here, or else the one that the head asks for, with that version.
func (p *Pass) pinnable(s *subject, pin *platform.Decision) (list []Content) {
	if s.head != nil {
		list = append(list, contentOfInstance(s.head, p.view.Platform.Commit))
	}
	for _, up := range p.view.Platform.Graph.Upstream(p.view.Environment.Name) {
		list = append(list, p.yielded(s, up)...)
	}
	if pin.Release == "" && pin.Version != "" {
		var c Content
		switch {
		case runs(s.base):
			c = ContentOf(s.base)
		case s.head != nil:
			c = contentOfInstance(s.head, p.view.Platform.Commit)
		default:
			return list
		}
		c.Digest, c.Version, c.VersionDigest = "", pin.Version, ""
		list = slices.Insert(list, 0, c)
		if own := c.Spec.Environments[p.view.Environment.Name].Version; own != "" && own != pin.Version {
			c.Spec = withVersion(c.Spec, p.view.Environment.Name, pin.Version)
			list = slices.Insert(list, 1, c)
		}
	}
	return list
}

// withVersion is a spec that asks for exactly one version in an environment, in place of the range that it asks for there.
func withVersion(spec *platform.RequestSpec, environment, version string) *platform.RequestSpec {
	asked := *spec
	asked.Environments = maps.Clone(spec.Environments)
	own := asked.Environments[environment]
	own.Version = version
	asked.Environments[environment] = own
	return &asked
}

// frozen returns why the bytes of a release stay when the environment changes: a Pin names the release.
func (p *Pass) frozen(k platform.RequestKey, r *platform.Release) *Gate {
	for _, d := range p.decisions.pins {
		if d.Request != nil && *d.Request == k && d.Release != "" && d.Release == r.Digest {
			return &Gate{Name: "pin", Reason: "pinned by " + d.File + ": what runs stays as it is", Opens: "whoever removes " + d.File}
		}
	}
	return nil
}

// restorePinned brings back a release that was healthy here, because a person pinned it.
func (p *Pass) restorePinned(s *subject, c *candidate) {
	target, err := p.view.Prospects.Ran(c.restore.State, s.key)
	if err == nil && target != nil && !target.Absent && runs(s.base) {
		ran := p.left(s.base)
		if p.restore(s, target, c.restore.State, sortedKeys(s.base.Clusters), platform.ReleaseRollout{Cause: "pin"}) {
			s.base.Promotion.Ran, s.base.Promotion.Gates = ran, c.passed
			return
		}
	}
	p.Keep[s.key] = true
	p.wait(s.key, Gate{Name: "pin", Reason: "what ran before is not to be found in state commit " + c.restore.State, Opens: "another Pin"})
}
