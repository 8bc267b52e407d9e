package promotion

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// A candidate is a release that an instance could have next, or its removal.
type candidate struct {
	content  Content
	instance *platform.Instance
	keys     map[string]string
	removal  bool

	cause   string
	group   string
	within  bool                   // the instance is in the group already, and has not to wait for its turn
	from    []string               // environments that proved it
	passed  []platform.ReleaseGate // of its gates
	closed  []Gate
	restore *platform.ReleaseRan // a pin's, to bytes that ran here
}

// pick returns the candidate that an instance should have next, or nil, and the instance of the release that it has.
func (p *Pass) pick(s *subject) (next *candidate, stay *platform.Instance) {
	stay = p.current(s)
	if pin := p.pinOf(s); pin != nil {
		return p.pinned(s, pin), stay
	}
	if p.view.Prospects.Broken(s.key) {
		return nil, stay
	}
	if s.head == nil {
		return p.removal(s), stay
	}
	newest, contents := true, p.contents(s)
	for i, content := range contents {
		c := p.weigh(s, content)
		if c == nil {
			continue
		}
		if len(c.closed) == 0 {
			return c, stay
		}
		if newest {
			newest = false
			p.standing(s.key).Candidate, p.standing(s.key).Overtaken = &c.content, len(contents)-1-i
			p.wait(s.key, c.closed...)
		} else {
			for _, g := range c.closed {
				p.wake(g.At)
			}
		}
	}
	return nil, stay
}

// current returns the instance of the release that a request has here; nil where there is nothing, or it cannot be resolved
// any more: then its last bytes stay.
func (p *Pass) current(s *subject) *platform.Instance {
	switch {
	case !runs(s.base):
		return nil
	case s.head != nil && s.head.Release == s.base.Digest:
		return s.head
	}
	i, problems := p.view.Prospects.Resolve(s.key, ContentOf(s.base))
	if len(problems) > 0 {
		p.wait(s.key, problem(problems))
	}
	if i != nil && i.Release != s.base.Digest {
		return nil // the environment resolves the version itself, and to another one by now
	}
	return i
}

func problem(problems []platform.Problem) Gate {
	return Gate{Name: "problem", Reason: problems[0].String(), Opens: "whoever mends it"}
}

// contents lists the releases that an instance could have instead of its own, the newest first: that of the head, and those
// that any environment before this one runs or has proven, if they are newer here in the platform's history.
func (p *Pass) contents(s *subject) []Content {
	head := contentOfInstance(s.head, p.view.Platform.Commit)
	if len(p.view.Environment.PromotesFrom) == 0 {
		if s.base != nil && s.base.Digest == head.Digest {
			return nil
		}
		return []Content{head}
	}
	known := map[string]Content{head.Digest: head}
	place := "" // in history of the release that runs
	if s.base != nil {
		place = s.base.Commit
	}
	for _, up := range p.view.Platform.Graph.Upstream(p.view.Environment.Name) {
		for _, c := range p.yielded(s, up) {
			if s.base != nil && c.Digest == s.base.Digest && p.view.Prospects.Older(place, c.Commit) {
				place = c.Commit
			}
			if old, ok := known[c.Digest]; !ok || p.view.Prospects.Older(old.Commit, c.Commit) {
				known[c.Digest] = c
			}
		}
	}
	p.remember(s.base, known)
	return p.newer(s, known, place)
}

// newer keeps the contents that come after the release of an instance, the newest first. The release of the head comes last
// of all in history, so nothing is newer than an instance that has it already.
func (p *Pass) newer(s *subject, known map[string]Content, place string) (list []Content) {
	if s.base != nil && s.base.Digest == s.head.Release {
		p.forward(s, known)
		return nil
	}
	for _, digest := range slices.Sorted(maps.Keys(known)) {
		if c := known[digest]; p.newerThan(s.base, place, c) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Content) int {
		switch {
		case p.view.Prospects.Older(b.Commit, a.Commit):
			return -1
		case p.view.Prospects.Older(a.Commit, b.Commit):
			return 1
		}
		return cmp.Compare(a.Digest, b.Digest)
	})
	return list
}

// forward moves a release to the place in history where the head yields it again, if something in between would
// otherwise pass for newer.
func (p *Pass) forward(s *subject, known map[string]Content) {
	for _, c := range known {
		if c.Digest != s.base.Digest && p.view.Prospects.Older(s.base.Commit, c.Commit) {
			s.edit().Commit = p.view.Platform.Commit
			return
		}
	}
}

// yielded lists the releases that an environment runs of a request and has proven, as far as it places the request here. A
// version that the environment chose by an override of its own does not travel.
func (p *Pass) yielded(s *subject, up string) (list []Content) {
	r := p.view.Elsewhere[up][s.key]
	if r == nil {
		return nil
	}
	here := p.view.Environment.Name
	add := func(c Content) {
		if c.Spec == nil {
			return
		}
		if _, placed := c.Spec.Environments[here]; placed && p.sameVersion(c.Spec, up) {
			list = append(list, c)
		}
	}
	if !r.Absent {
		add(ContentOf(r))
	}
	for _, proof := range r.Promotion.Proven {
		add(contentOfProof(s.key, proof))
	}
	return list
}

// sameVersion reports whether a request asks for the same version in another environment as in this one.
func (p *Pass) sameVersion(spec *platform.RequestSpec, up string) bool {
	return constraint(spec, up) == constraint(spec, p.view.Environment.Name)
}

func constraint(spec *platform.RequestSpec, environment string) string {
	return cmp.Or(spec.Environments[environment].Version, spec.Version)
}

// weigh makes a candidate of a content: which of its gates are closed. One that changes nothing here has none. It returns
// nil where the content is none for this environment.
func (p *Pass) weigh(s *subject, content Content) *candidate {
	c := &candidate{content: content, cause: "release"}
	refuse := func(g Gate) *candidate {
		c.closed = append(c.closed, g)
		return c
	}
	var problems []platform.Problem
	if s.head != nil && content.Digest == s.head.Release {
		c.instance = s.head
	} else if c.instance, problems = p.view.Prospects.Resolve(s.key, content); len(problems) > 0 {
		return refuse(problem(problems))
	}
	if c.instance == nil || s.base != nil && c.instance.Release == s.base.Digest {
		return nil
	}
	v := c.instance.Version
	if v.Lifecycle == platform.Withdrawn {
		return refuse(Gate{Name: "problem", Reason: fmt.Sprintf("%s is withdrawn", v), Opens: "a newer release"})
	}
	if g := p.binding(s, c.instance); g != nil {
		return refuse(*g)
	}
	if c.keys, problems = p.view.Prospects.Keys(c.instance); len(problems) > 0 {
		return refuse(problem(problems))
	}
	if runs(s.base) && unchanged(s.base, c.keys) {
		return c
	}
	p.classify(s, c)
	p.gates(s, c)
	return c
}

// classify says whether a candidate brings a new version along: then all that do are one rollout.
func (p *Pass) classify(s *subject, c *candidate) {
	switch {
	case !runs(s.base):
	case s.base.VersionDigest != c.instance.Version.Digest:
		c.cause, c.group = "version", "version:"+c.instance.Version.String()
	case s.base.Promotion.Rollout != nil: // it is under way with that version already
		c.group, c.within = s.base.Promotion.Rollout.Group, true
	}
}

// unchanged reports whether these are the render keys of the release that runs, everywhere.
func unchanged(base *platform.Release, keys map[string]string) bool {
	if len(keys) == 0 || len(keys) != len(base.Clusters) || base.Promotion.Rollout != nil && len(base.Promotion.Rollout.Pending) > 0 {
		return false
	}
	for cluster, key := range keys {
		if base.Clusters[cluster].RenderKey != key {
			return false
		}
	}
	return true
}

// gates finds out which gates of a candidate are closed, and which decisions and proofs opened the others.
func (p *Pass) gates(s *subject, c *candidate) {
	i := c.instance
	digest, offering, version := i.Release, i.Offering.Name, i.Version.Number.String()
	skips := func(gate string) bool {
		d := p.overridden(gate, s.key, digest, offering, version)
		if d != nil {
			c.passed = append(c.passed, p.by(gate, d))
		}
		return d != nil
	}
	matching := p.approvals(s, digest, offering, version, &i.Request.Spec)
	p.proofs(s, c, matching, skips)
	if g := p.protected(s, c, skips); g != nil {
		c.closed = append(c.closed, *g)
	}
	if g := rejected(s.base, c.keys, matching); g != nil {
		c.closed = append(c.closed, *g)
	}
	if g := p.stoppedGroup(c.group); g != nil && !c.within {
		c.closed = append(c.closed, *g)
	}
	if p.view.Environment.Gates.Approval == "required" && !slices.ContainsFunc(c.passed, isApproval) && !skips("approval") {
		if len(matching) > 0 {
			c.passed = append(c.passed, p.by("approval", matching[0]))
		} else {
			c.closed = append(c.closed, p.unapproved(s, i))
		}
	}
	if g := p.hold(s, offering); g != nil && !skips("hold") {
		c.closed = append(c.closed, *g)
	}
	if g := p.window(); g != nil && !skips("window") {
		c.closed = append(c.closed, *g)
	}
	if g := p.nowhere(s, c); g != nil {
		c.closed = append(c.closed, *g)
	}
}

// nowhere returns why a candidate could begin on none of its clusters, or nil. It must not take a place in a rollout from
// instances that could.
func (p *Pass) nowhere(s *subject, c *candidate) *Gate {
	if len(c.keys) == 0 && runs(s.base) && len(s.base.Clusters) > 0 { // it would leave all that it has, and be nowhere
		return &Gate{
			Name: "rollout", Reason: fmt.Sprintf("no cluster that %s is for can take it now", c.instance.Version),
			Opens: "an active cluster",
		}
	}
	var moving []string
	for _, cluster := range sortedKeys(c.keys) {
		if s.base == nil || s.base.Clusters[cluster].RenderKey != c.keys[cluster] {
			moving = append(moving, cluster)
		}
	}
	to := &platform.Release{Key: s.key, Digest: c.instance.Release, Offering: c.instance.Offering.Name, Version: c.instance.Version.Number.String()}
	if now, gate := p.reach(to, s.base, nil, moving); len(now) == 0 && len(moving) > 0 {
		return gate
	}
	return nil
}

func isApproval(g platform.ReleaseGate) bool { return g.Gate == "approval" }
