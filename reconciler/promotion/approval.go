package promotion

import (
	"iter"
	"reflect"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// exactly reports whether a decision names exactly this release of a request.
func exactly(d *platform.Decision, r ReleaseRef) bool {
	return d.Request != nil && *d.Request == r.Key && d.Release != "" && d.Release == r.Digest
}

// ofVersion reports whether a decision names the version of a release, whoever has it.
func ofVersion(d *platform.Decision, r ReleaseRef) bool {
	return d.Offering == r.Offering && d.Version == r.Version
}

// approvalsFor are the Approvals that may be of a release of a request: those that name the request, and those that name none. There may
// be very many of other requests, which nobody reads for each instance.
func (p *people) approvalsFor(k platform.RequestKey) iter.Seq[*platform.Decision] {
	if p.ofRequest == nil {
		p.ofRequest = map[platform.RequestKey][]int{}
		for at, d := range p.approvals {
			if d.Request == nil {
				p.ofNone = append(p.ofNone, at)
			} else {
				p.ofRequest[*d.Request] = append(p.ofRequest[*d.Request], at)
			}
		}
	}
	return func(yield func(*platform.Decision) bool) {
		own, others := p.ofRequest[k], p.ofNone
		for len(own)+len(others) > 0 {
			next := &others
			if len(others) == 0 || len(own) > 0 && own[0] < others[0] {
				next = &own
			}
			d := p.approvals[(*next)[0]]
			if *next = (*next)[1:]; !yield(d) {
				return
			}
		}
	}
}

// ofPlan returns an Approval of exactly this environment change that counts, or nil.
func (p *people) ofPlan(digest string, counts counting) *platform.Decision {
	return first(p.approvals, func(d *platform.Decision) bool { return d.Plan == digest && counts.admits(d) })
}

// ofDeletions returns the Approval of exactly these deletions, or nil.
func (p *people) ofDeletions(digest string) *platform.Decision {
	return first(p.approvals, func(d *platform.Decision) bool { return d.Deletions == digest })
}

// entering returns the Approvals that admit a release: of exactly it first, then of its version if that alone differs from
// the release that runs.
func (p *people) entering(r ReleaseRef, versionAlone bool) (list []*platform.Decision) {
	for d := range p.approvalsFor(r.Key) {
		if exactly(d, r) {
			list = append(list, d)
		}
	}
	for d := range p.approvalsFor(r.Key) {
		if versionAlone && ofVersion(d, r) {
			list = append(list, d)
		}
	}
	return list
}

// running returns the Approvals that admit a release that runs: of exactly it, or of its version.
func (p *people) running(r ReleaseRef) (list []*platform.Decision) {
	for d := range p.approvalsFor(r.Key) {
		if exactly(d, r) || ofVersion(d, r) {
			list = append(list, d)
		}
	}
	return list
}

// admitting lists the digests of all decisions by which the present bytes of a release may have come, or may come again with
// another release of the request that renders the same. One that is merged later readmits them where they failed.
func (p *people) admitting(r ReleaseRef) (digests []string) {
	for d := range p.approvalsFor(r.Key) {
		ofRequest := d.Request != nil && *d.Request == r.Key
		if ofRequest || ofVersion(d, r) || d.Plan != "" {
			digests = append(digests, d.Digest)
		}
	}
	for _, d := range p.pins {
		digests = append(digests, d.Digest)
	}
	return digests
}

// forgives reports whether a person has approved since the release or the change that failed.
func (p *people) forgives(r *state.Release, f state.Failure) bool {
	failed := ReleaseRef{Key: r.Key, Digest: f.Release, Offering: r.Offering, Version: f.Version}
	for d := range p.approvalsFor(r.Key) {
		ofChange := d.Plan != "" && isEnvironment(f.Group)
		same := exactly(d, failed) || ofVersion(d, failed) || ofChange
		if same && !slices.Contains(f.Approvals, d.Digest) {
			return true
		}
	}
	return false
}

// versionAlone reports whether a release differs in its version alone from the one that runs, as far as this environment can
// see. The release that runs counts as such a step itself: it was one when it entered.
func versionAlone(base *state.Release, to ReleaseRef, spec *platform.RequestSpec, environment string) bool {
	if !runs(base) || base.Offering != to.Offering || base.Request == nil {
		return false
	}
	return base.Version != to.Version && reflect.DeepEqual(visible(base.Request, environment), visible(spec, environment))
}

// visible is the part of a request that one environment sees, but for the version.
func visible(spec *platform.RequestSpec, environment string) any {
	own := spec.Environments[environment]
	type seen struct {
		parameters, override map[string]any
		bindings, rebound    map[string]string
		adopt                bool
		onRemoval            platform.Removal
	}
	return seen{
		full(spec.Parameters), full(own.Parameters), full(spec.Bindings), full(own.Bindings), spec.Adopt,
		spec.OnRemoval,
	}
}

// full makes an empty map of none: decoding tells them apart, people do not.
func full[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return map[string]V{}
	}
	return m
}

// readmitted reports whether an Approval came after a render key failed for the last time.
func readmitted(base *state.Release, f state.Failure, approvals []*platform.Decision) bool {
	for _, later := range slices.Backward(base.Promotion.Rejected) {
		if later.Cluster == f.Cluster && later.RenderKey == f.RenderKey {
			f = later
			break
		}
	}
	return slices.ContainsFunc(approvals, func(d *platform.Decision) bool { return !slices.Contains(f.Approvals, d.Digest) })
}
