package promotion

import (
	"slices"
	"time"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// downstreams are the environments that take releases from this one, directly or not: releases are proven here for them.
type downstreams struct {
	view *View
	all  []*platform.Environment // sorted by name
}

func newDownstreams(v *View) downstreams {
	d := downstreams{view: v}
	for _, name := range v.Platform.Graph.Downstream(v.Environment.Name) {
		d.all = append(d.all, v.Platform.Environments[name])
	}
	return d
}

// isNearest reports whether this environment is an upstream of another for a request.
func (d downstreams) isNearest(e *platform.Environment, spec *platform.RequestSpec) bool {
	return d.view.Platform.Graph.Feeds(d.view.Environment.Name, e.Name, spec)
}

// asks reports whether an environment waits for this one to prove its release of a request: it places the request, and this
// one is its upstream.
func (d downstreams) asks(e *platform.Environment, r *state.Release) bool {
	if r.Request == nil {
		return false
	}
	_, placed := r.Request.Environments[e.Name]
	return placed && d.isNearest(e, r.Request)
}

// mayRun reports whether any of them runs a request still, or may.
func (d downstreams) mayRun(k platform.RequestKey) bool {
	return slices.ContainsFunc(d.all, func(e *platform.Environment) bool { return d.view.mayRun(e.Name, k) })
}

// lacksProof reports whether some downstream environment waits for a longer soak of the release that runs here than is on
// record.
func (d downstreams) lacksProof(r *state.Release) bool {
	if len(d.all) == 0 {
		return false
	}
	soaked, proven := soakOnRecord(r)
	return slices.ContainsFunc(d.all, func(e *platform.Environment) bool {
		suffices := proven && soaked >= e.Gates.Soak // which is found out faster than who asks
		return !suffices && d.asks(e, r)
	})
}

// isProven reports whether a record has a proof of its own release that is as long as this.
func isProven(r *state.Release, soak time.Duration) bool {
	soaked, proven := soakOnRecord(r)
	return proven && soaked >= soak
}

// soakOnRecord returns the soak that a record has of its own release.
func soakOnRecord(r *state.Release) (time.Duration, bool) {
	for at := len(r.Promotion.Proven) - 1; at >= 0; at-- { // by index: a proof is long, and this is asked of all that rests
		if proof := &r.Promotion.Proven[at]; proof.Digest == r.Digest {
			soaked, err := time.ParseDuration(proof.Soaked)
			return soaked, err == nil
		}
	}
	return 0, false
}

// reached returns the longest soak that a downstream environment asks for and the release that runs here has reached by now, if
// it is not on record yet, and the times at which it reaches others.
func (d downstreams) reached(r *state.Release, soaked time.Duration) (soak time.Duration, found bool, at []time.Time) {
	for _, e := range d.all {
		switch need := e.Gates.Soak; {
		case !d.asks(e, r):
		case need > soaked:
			at = append(at, d.view.Now.in(need-soaked))
		case !isProven(r, need):
			soak, found = max(soak, need), true
		}
	}
	return soak, found, at
}

// awaiting returns the first environment that waits for the release that runs here to soak, and would take it before a
// candidate; nil: none does.
func (d downstreams) awaiting(r *state.Release, candidate ReleaseRef, h history) *platform.Environment {
	for _, e := range d.all {
		waits := d.asks(e, r) && !isProven(r, e.Gates.Soak) && d.wouldTake(e, r, h)
		if waits && !d.skipsSoak(e, candidate) {
			return e
		}
	}
	return nil
}

// skipsSoak reports whether a person lets a candidate into an environment without its soak, so that nothing older has to soak
// for it any more.
func (d downstreams) skipsSoak(e *platform.Environment, candidate ReleaseRef) bool {
	return slices.ContainsFunc(d.view.Platform.Decisions, func(o *platform.Decision) bool {
		overrides := o.Kind == decision.Override && o.Environment == e.Name && !o.Broken && slices.Contains(o.Skip, gate.Soak)
		return overrides && inForce(o, d.view.Now) && means(o, candidate)
	})
}

// wouldTake reports whether an environment has use for the proof of the release that runs here: it does not run that yet, it
// has nothing newer, and the release here has other bytes than the one that it has proof of.
func (d downstreams) wouldTake(e *platform.Environment, r *state.Release, h history) bool {
	there := d.view.Elsewhere[e.Name].Of(r.Key)
	if there == nil {
		return true
	}
	if there.Digest == r.Digest || h.older(r.Commit, h.position(there)) {
		return false
	}
	ran, known := originIn(r, there.Digest)
	return !known || ran != origin(r.Digest, r.Promotion.Origin)
}

// soakOfRemoval is for how long downstream environments want a removal to be without harm. One that cannot be read now may
// want it.
func (d downstreams) soakOfRemoval(k platform.RequestKey) (need time.Duration) {
	for _, e := range d.all {
		state, readable := d.view.Elsewhere[e.Name]
		there := state.Of(k)
		waits := runs(there) && there.Request != nil && d.isNearest(e, there.Request)
		if !readable || waits {
			need = max(need, e.Gates.Soak)
		}
	}
	return need
}

// prove records that the release that runs here was healthy for as long as some downstream environment asks.
func (s follower) prove() (out outcome) {
	r := s.base
	if phaseOf(r) != settled || r.Promotion.Unproven != "" || !s.down.lacksProof(r) {
		return out
	}
	now := s.condition(s.Environment, r, nil)
	if !now.all() {
		return out
	}
	soak, found, at := s.down.reached(r, now.soaked)
	out.times = at
	if found {
		s.recordProof(soak)
	}
	return out
}

// recordProof adds a proof, or lengthens the one that there is.
func (s follower) recordProof(soaked time.Duration) {
	r := s.edit()
	r.Prove(state.Proof{
		Digest: r.Digest, Origin: r.Promotion.Origin, Absent: r.Absent, Request: r.Request, Offering: r.Offering,
		Version: r.Version, VersionDigest: r.VersionDigest, Commit: r.Commit, Soaked: soaked.String(), At: s.Now.stamp(),
	})
}
