package promotion

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// upstreams are the environments that this one takes releases from, directly or not: they prove releases.
type upstreams struct {
	view    *View
	history history
	names   []string        // sorted
	direct  []state.Records // of those right before this one
}

func newUpstreams(v *View, h history) upstreams {
	u := upstreams{view: v, history: h, names: v.Platform.Graph.Upstream(v.Environment.Name)}
	for _, up := range v.Environment.PromotesFrom {
		u.direct = append(u.direct, v.Elsewhere[up])
	}
	return u
}

// agree reports whether the environments right before this one have the same release of a request, or none.
func (u upstreams) agree(base *state.Release) bool {
	for _, records := range u.direct {
		if r := records.Of(base.Key); r != nil && r.Digest != base.Digest {
			return false
		}
	}
	return true
}

// readable reports whether the records of an environment can be read.
func (u upstreams) readable(up string) bool {
	_, readable := u.view.Elsewhere[up]
	return readable
}

// record is the record that an environment has of a request, or nil.
func (u upstreams) record(up string, k platform.RequestKey) *state.Release {
	return u.view.Elsewhere[up].Of(k)
}

// mayRun reports whether any of them runs a request still, or may.
func (u upstreams) mayRun(k platform.RequestKey) bool {
	return slices.ContainsFunc(u.names, func(up string) bool { return u.view.mayRun(up, k) })
}

// yielded lists the releases of a request that the environments before this one run or have proven, as far as they place the
// request here. A version that an environment chose by an override of its own does not travel.
func (u upstreams) yielded(k platform.RequestKey) (list []Content) {
	here := u.view.Environment.Name
	for _, up := range u.names {
		r := u.record(up, k)
		if r == nil {
			continue
		}
		var all []Content
		if !r.Absent {
			all = append(all, ContentOf(r))
		}
		for _, proof := range r.Promotion.Proven {
			all = append(all, contentOfProof(k, proof))
		}
		for _, c := range all {
			if c.Spec == nil {
				continue
			}
			if _, placed := c.Spec.Environments[here]; placed && u.sameVersion(c.Spec, up) {
				list = append(list, c)
			}
		}
	}
	return list
}

// sameVersion reports whether a request asks for the same version in another environment as in this one.
func (u upstreams) sameVersion(spec *platform.RequestSpec, up string) bool {
	asked := func(environment string) string { return cmp.Or(spec.Environments[environment].Version, spec.Version) }
	return asked(up) == asked(u.view.Environment.Name)
}

// nearest lists the nearest environments before this one that place a request, sorted.
func (u upstreams) nearest(spec *platform.RequestSpec) []string {
	return u.view.Platform.Graph.Nearest(u.view.Environment.Name, spec)
}

// changesNothing reports whether an upstream says nothing about an instance: it asks for the same there as the release that runs
// here, or rendered the same, or the upstream runs a version of its own choice.
func (u upstreams) changesNothing(up string, base *state.Release, i *platform.Instance) bool {
	if runs(base) && base.Request != nil && base.VersionDigest == i.Version.Digest &&
		reflect.DeepEqual(visible(base.Request, up), visible(&i.Request.Spec, up)) {
		return true
	}
	there := u.record(up, i.Request.Key)
	brought, known := originIn(there, i.Release)
	if !known {
		return !u.sameVersion(&i.Request.Spec, up)
	}
	if !runs(base) {
		return false
	}
	ran, known := originIn(there, base.Digest)
	return known && ran == brought
}

// originIn returns the release that brought the bytes of a release in an environment, if its record knows it.
func originIn(r *state.Release, digest string) (string, bool) {
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

// provesNothing says why an environment that runs a release will not prove it by itself: it is suspended there, or less is
// asked of its health than of a release that failed. Empty: it may, or has not got it.
func (u upstreams) provesNothing(up string, to ReleaseRef) string {
	e, r := u.view.Platform.Environments[up], u.record(up, to.Key)
	if e == nil || !runs(r) || r.Digest != to.Digest {
		return ""
	}
	if now := u.view.condition(e, r, nil); now.suspended() {
		return fmt.Sprintf("%s proves nothing of %s: %s", up, to, now.why())
	}
	if why := r.Promotion.Unproven; why != "" {
		return fmt.Sprintf("%s proves nothing of %s: %s", up, to, why)
	}
	return ""
}

// proven returns for how long a release was healthy in an upstream, or the gate that is closed while that does not suffice.
func (u upstreams) proven(up string, to ReleaseRef, soak time.Duration) (figure string, closed *Gate) {
	e, r := u.view.Platform.Environments[up], u.record(up, to.Key)
	switch {
	case e == nil || !u.readable(up):
		return "", unreadable(up)
	case r == nil:
		return "", &Gate{Name: gate.Health, Reason: up + " does not run it yet", Opens: "its release in " + up}
	}
	now := condition{}
	if r.Digest == to.Digest {
		if now = u.view.condition(e, r, nil); now.said.broke(e.Gates.Grace) {
			return "", &Gate{Name: gate.Health, Reason: "is not healthy in " + up + " now: " + now.why(), Opens: "its health in " + up}
		}
	}
	if proof := proofOf(r, to.Digest, soak); proof != nil {
		return proof.Soaked, nil
	}
	if r.Digest != to.Digest {
		if f := failureOf(r, to.Digest); f != nil {
			return "", &Gate{Name: gate.Health, Reason: fmt.Sprintf("%s rejected it: %s", up, f.Message), Opens: "a release that " + up + " proves"}
		}
		return "", &Gate{Name: gate.Health, Reason: fmt.Sprintf("%s still runs %s", up, refOf(r)), Opens: "its release in " + up}
	}
	skipped := soak < u.view.Environment.Gates.Soak // by an Override, and nobody records a proof of none
	if skipped && phaseOf(r) == settled && r.Promotion.Unproven == "" && now.all() {
		return "0s", nil
	}
	return "", u.stillSoaking(e, r, now, soak)
}

func unreadable(up string) *Gate {
	return &Gate{Name: gate.Health, Reason: "what " + up + " runs cannot be read", Opens: "its state repository"}
}

// proofOf returns the last proof of a release that is long enough, or nil.
func proofOf(r *state.Release, digest string, soak time.Duration) *state.Proof {
	for _, proof := range slices.Backward(r.Promotion.Proven) {
		if proof.Digest != digest {
			continue
		}
		if soaked, err := time.ParseDuration(proof.Soaked); err == nil && soaked >= soak {
			return &proof
		}
	}
	return nil
}

// failureOf is how a release failed according to a record; nil: it did not.
func failureOf(r *state.Release, digest string) *state.Failure {
	for i, f := range slices.Backward(r.Promotion.Rejected) {
		if f.Release == digest {
			return &r.Promotion.Rejected[i]
		}
	}
	return nil
}

// stillSoaking is the gate of a release that an upstream runs and has not proven yet.
func (u upstreams) stillSoaking(up *platform.Environment, r *state.Release, now condition, soak time.Duration) *Gate {
	toCome := pending(r)
	switch {
	case now.counting == 0:
		return &Gate{Name: gate.Health, Reason: up.Name + " has no cluster that counts: it proves nothing", Opens: "an active cluster in " + up.Name}
	case len(toCome) > 0:
		return &Gate{Name: gate.Health, Reason: "is not everywhere in " + up.Name + " yet: " + strings.Join(toCome, ", "), Opens: "its health in " + up.Name}
	case phaseOf(r) == stopped || !now.all():
		return &Gate{Name: gate.Health, Reason: "is not healthy everywhere in " + up.Name + " yet: " + now.why(), Opens: "its health in " + up.Name}
	}
	clock := u.view.Now
	if now.soaked >= soak {
		return &Gate{
			Name: gate.Soak, Reason: fmt.Sprintf("soaked for %s in %s, whose record does not say so yet", soak, up.Name),
			Opens: "the next commit to the state of " + up.Name, At: clock.in(0),
		}
	}
	return &Gate{
		Name: gate.Soak, Reason: fmt.Sprintf("soaks in %s, %s of %s", up.Name, now.soaked.Round(time.Second), soak),
		Since: clock.Wall.Add(-now.soaked), Opens: "its health for that long", At: clock.in(max(soak-now.soaked, 0)),
	}
}

// unconcerned reports whether an upstream says nothing about a removal: it never had the request, or keeps it for itself, or no
// cluster was there to see it go.
func (u upstreams) unconcerned(up string, base *state.Release) bool {
	there := u.record(up, base.Key)
	if there == nil {
		return u.readable(up)
	}
	if phaseOf(there) == gone {
		return proofOf(there, there.Digest, 0) == nil
	}
	return u.keeps(there, base)
}

// keeps reports whether an environment runs a release that is newer than the one that runs here, and is not for this
// environment.
func (u upstreams) keeps(there, base *state.Release) bool {
	if !runs(there) || there.Request == nil || !u.history.older(u.history.position(base), there.Commit) {
		return false
	}
	_, placed := there.Request.Environments[u.view.Environment.Name]
	return !placed
}

// provenGone returns the gate that is closed until an upstream has removed the request that runs here and was well without it.
func (u upstreams) provenGone(up string, base *state.Release, soak time.Duration) *Gate {
	there := u.record(up, base.Key)
	switch {
	case !u.readable(up):
		return unreadable(up)
	case runs(there):
		return &Gate{Name: gate.Health, Reason: up + " still runs what is for " + u.view.Environment.Name + " too", Opens: up}
	}
	for _, proof := range there.Promotion.Proven {
		soaked, err := time.ParseDuration(proof.Soaked)
		if proof.Digest == there.Digest && err == nil && soaked >= soak && u.history.older(u.history.position(base), proof.Commit) {
			return nil
		}
	}
	return &Gate{Name: gate.Health, Reason: "its removal from " + up + " is not confirmed for " + soak.String() + " yet", Opens: up}
}
