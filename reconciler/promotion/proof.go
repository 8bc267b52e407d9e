package promotion

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"transom.dev/render/platform"
)

// maxProven bounds the proofs that a record keeps.
const maxProven = 10

// proofs asks every upstream of a candidate for its proof. An upstream that saw no change proves nothing; where none is
// left the release is unproven, and a person has to have approved exactly it.
func (p *Pass) proofs(s *subject, c *candidate, matching []*platform.Decision, skips func(string) bool) {
	if len(p.view.Environment.PromotesFrom) == 0 {
		return
	}
	soak := p.view.Environment.Gates.Soak
	if soak > 0 && skips("soak") {
		soak = 0
	}
	waits, doubt := false, "" // why an upstream will not prove it by itself
	for _, up := range p.view.Platform.Graph.Nearest(p.view.Environment.Name, &c.instance.Request.Spec) {
		if p.vacuous(up, s, c) {
			continue
		}
		figure, gate := p.proven(up, s.key, c.instance.Release, soak)
		if why := p.provesNothing(up, s.key, c.instance.Release); gate != nil && why != "" {
			doubt = why
			continue
		}
		if gate != nil {
			c.closed, waits = append(c.closed, *gate), true
			continue
		}
		c.from = append(c.from, up)
		c.passed = append(c.passed, platform.ReleaseGate{Gate: "soak", Figure: figure + " in " + up})
	}
	if len(c.from) > 0 && doubt == "" || waits || p.view.Environment.Gates.Unproven == "allow" {
		return
	}
	if len(matching) > 0 && exactly(matching[0], s.key, c.instance.Release) {
		c.passed = append(c.passed, p.by("approval", matching[0]))
		return
	}
	g := p.unproven(s.key, c.instance.Release)
	if doubt != "" {
		g.Reason = doubt
		g.Opens = "health in the environments before that proves it, or " + g.Opens
	}
	c.closed = append(c.closed, g)
}

// provesNothing says why an environment that runs a release will not prove it by itself: it is suspended there, or less is
// asked of its health than of a release that failed. Empty: it may, or has not got it.
func (p *Pass) provesNothing(up string, k platform.RequestKey, digest string) string {
	e, r := p.view.Platform.Environments[up], p.view.Elsewhere[up][k]
	if e == nil || r == nil || r.Digest != digest || r.Absent {
		return ""
	}
	if now := p.view.condition(e, r, nil); now.suspended() {
		return fmt.Sprintf("%s proves nothing of %s: %s", up, short(digest), now.why())
	}
	if why := r.Promotion.Unproven; why != "" {
		return fmt.Sprintf("%s proves nothing of %s: %s", up, short(digest), why)
	}
	return ""
}

func (p *Pass) unproven(k platform.RequestKey, digest string) Gate {
	here := p.view.Environment.Name
	return Gate{
		Name: "approval", Reason: fmt.Sprintf("no environment before %s can prove %s", here, short(digest)),
		Opens: fmt.Sprintf("an Approval in decisions/%s of {request: %s, release: %s}", here, k, digest),
	}
}

// vacuous reports whether an upstream has nothing to say about a candidate: it asks for the same there as the release that
// runs here, or rendered the same, or the upstream runs a version of its own choice.
func (p *Pass) vacuous(up string, s *subject, c *candidate) bool {
	there, v := p.view.Elsewhere[up][s.key], c.instance.Version
	if runs(s.base) && s.base.Request != nil && s.base.VersionDigest == v.Digest &&
		reflect.DeepEqual(visible(s.base.Request, up), visible(&c.instance.Request.Spec, up)) {
		return true
	}
	brought, known := originIn(there, c.instance.Release)
	if !known {
		return !p.sameVersion(&c.instance.Request.Spec, up)
	}
	if !runs(s.base) {
		return false
	}
	ran, known := originIn(there, s.base.Digest)
	return known && ran == brought
}

// originIn returns the release that brought the bytes of a release in an environment, if its record knows it.
func originIn(r *platform.Release, digest string) (string, bool) {
	if r == nil {
		return "", false
	}
	if r.Digest == digest {
		return origin(digest, r.Promotion.Origin), true
	}
	for _, proof := range slices.Backward(r.Promotion.Proven) {
		if proof.Digest == digest {
			return origin(digest, proof.Origin), true
		}
	}
	return "", false
}

// proven returns for how long a release was healthy in an upstream, or why that does not suffice.
func (p *Pass) proven(up string, k platform.RequestKey, digest string, soak time.Duration) (figure string, closed *Gate) {
	e, r := p.view.Platform.Environments[up], p.view.Elsewhere[up][k]
	switch {
	case e == nil || p.view.Elsewhere[up] == nil:
		return "", &Gate{Name: "health", Reason: "what " + up + " runs cannot be read", Opens: "its state repository"}
	case r == nil:
		return "", &Gate{Name: "health", Reason: up + " does not run it yet", Opens: up}
	}
	now := condition{}
	if r.Digest == digest {
		if now = p.view.condition(e, r, nil); now.said.broke(e.Gates.Grace) {
			return "", &Gate{Name: "health", Reason: "is not healthy in " + up + " now: " + now.why(), Opens: "its health in " + up}
		}
	}
	for _, proof := range slices.Backward(r.Promotion.Proven) {
		if proof.Digest != digest {
			continue
		}
		if soaked, err := time.ParseDuration(proof.Soaked); err == nil && soaked >= soak {
			return proof.Soaked, nil
		}
	}
	if f := rejectedThere(r, digest); f != nil && r.Digest != digest {
		return "", &Gate{Name: "health", Reason: fmt.Sprintf("%s rejected it: %s", up, f.Message), Opens: "a release that " + up + " proves"}
	}
	if r.Digest != digest {
		return "", &Gate{Name: "health", Reason: fmt.Sprintf("%s runs %s", up, describe(ContentOf(r))), Opens: up}
	}
	if soak < p.view.Environment.Gates.Soak && r.Promotion.Rollout == nil && r.Promotion.Unproven == "" && now.all() {
		return "0s", nil // an Override skips the soak, and nobody records a proof of none
	}
	return "", p.stillSoaking(e, r, now, soak)
}

// rejectedThere is how a release failed in another environment; nil: it did not.
func rejectedThere(r *platform.Release, digest string) *platform.ReleaseFailure {
	for i, f := range slices.Backward(r.Promotion.Rejected) {
		if f.Release == digest {
			return &r.Promotion.Rejected[i]
		}
	}
	return nil
}

func (p *Pass) stillSoaking(up *platform.Environment, r *platform.Release, now condition, soak time.Duration) *Gate {
	switch {
	case now.counting == 0:
		return &Gate{Name: "health", Reason: up.Name + " has no cluster that counts: it proves nothing", Opens: "an active cluster in " + up.Name}
	case r.Promotion.Rollout != nil && (r.Promotion.Rollout.Stopped != "" || len(r.Promotion.Rollout.Pending) > 0) || !now.all():
		reason := "is not healthy everywhere in " + up.Name + " yet: " + now.why()
		if r.Promotion.Rollout != nil && len(r.Promotion.Rollout.Pending) > 0 {
			reason = "is not everywhere in " + up.Name + " yet: " + strings.Join(r.Promotion.Rollout.Pending, ", ")
		}
		return &Gate{Name: "health", Reason: reason, Opens: "its health in " + up.Name}
	}
	at := p.view.Now.in(max(soak-now.soaked, 0))
	return &Gate{
		Name: "soak", Reason: fmt.Sprintf("soaks in %s, %s of %s", up.Name, now.soaked.Round(time.Second), soak),
		Since: p.view.Now.Wall.Add(-now.soaked), Opens: "its health for that long", At: at,
	}
}

// downstream lists the environments that take releases from this one, directly or not, sorted by name.
func (p *Pass) downstream() []*platform.Environment {
	if p.lazy.downstream == nil {
		p.lazy.downstream = []*platform.Environment{}
		for _, name := range p.view.Platform.Graph.Downstream(p.view.Environment.Name) {
			p.lazy.downstream = append(p.lazy.downstream, p.view.Platform.Environments[name])
		}
	}
	return p.lazy.downstream
}

// asks reports whether an environment waits for this one to prove its release of a request: it places the request, and this
// one is its upstream.
func (p *Pass) asks(e *platform.Environment, r *platform.Release) bool {
	if r.Request == nil {
		return false
	}
	_, placed := r.Request.Environments[e.Name]
	return placed && p.view.Platform.Graph.Feeds(p.view.Environment.Name, e.Name, r.Request)
}

// lacksProof reports whether some downstream environment waits for a longer soak of the release that runs here than is on
// record.
func (p *Pass) lacksProof(r *platform.Release) bool {
	need, asked := time.Duration(0), false
	for _, e := range p.downstream() {
		if p.asks(e, r) {
			need, asked = max(need, e.Gates.Soak), true
		}
	}
	if !asked {
		return false
	}
	soaked, proven := soakedFor(r)
	return !proven || soaked < need
}

// soakedFor returns the longest soak that a record has of its own release.
func soakedFor(r *platform.Release) (time.Duration, bool) {
	for _, proof := range slices.Backward(r.Promotion.Proven) {
		if proof.Digest == r.Digest {
			soaked, err := time.ParseDuration(proof.Soaked)
			return soaked, err == nil
		}
	}
	return 0, false
}

// prove records that the release that runs here was healthy for as long as some downstream environment asks.
func (p *Pass) prove(s *subject) {
	r := s.base
	if r.Promotion.Rollout != nil || r.Promotion.Unproven != "" || !p.lacksProof(r) {
		return
	}
	now := p.view.condition(p.view.Environment, r, nil)
	if !now.all() {
		return
	}
	had, proven := soakedFor(r)
	reached, found := time.Duration(0), false
	for _, e := range p.downstream() {
		switch soak := e.Gates.Soak; {
		case !p.asks(e, r):
		case soak > now.soaked:
			p.wake(p.view.Now.in(soak - now.soaked))
		case !proven || soak > had:
			reached, found = max(reached, soak), true
		}
	}
	if found {
		s.record(reached)
	}
}

// record adds a proof, or lengthens the one that there is.
func (s *subject) record(soaked time.Duration) {
	r := s.edit()
	proofs := slices.DeleteFunc(r.Promotion.Proven, func(proof platform.ReleaseProof) bool { return proof.Digest == r.Digest })
	proofs = append(proofs, platform.ReleaseProof{
		Digest: r.Digest, Origin: r.Promotion.Origin, Absent: r.Absent, Request: r.Request, Offering: r.Offering,
		Version: r.Version, VersionDigest: r.VersionDigest, Commit: r.Commit, Soaked: soaked.String(), At: s.view.Now.stamp(),
	})
	r.Promotion.Proven = proofs[max(len(proofs)-maxProven, 0):]
}
