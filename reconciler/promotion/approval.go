package promotion

import (
	"fmt"
	"reflect"
	"slices"

	"transom.dev/render/platform"
)

// approvals returns the Approvals that admit a content of a request: of exactly that release first, then of its version
// if that is all that differs from the release that runs.
func (p *Pass) approvals(s *subject, digest, offering, version string, spec *platform.RequestSpec) (list []*platform.Decision) {
	for _, d := range p.decisions.approvals {
		if exactly(d, s.key, digest) {
			list = append(list, d)
		}
	}
	for _, d := range p.decisions.approvals {
		if d.Offering == offering && d.Version == version && p.versionStep(s.base, offering, version, spec) {
			list = append(list, d)
		}
	}
	return list
}

func exactly(d *platform.Decision, k platform.RequestKey, digest string) bool {
	return d.Request != nil && *d.Request == k && d.Release == digest
}

// exact returns the Approval of exactly this release, or nil.
func (p *Pass) exact(k platform.RequestKey, digest string) *platform.Decision {
	i := slices.IndexFunc(p.decisions.approvals, func(d *platform.Decision) bool { return exactly(d, k, digest) })
	if i < 0 {
		return nil
	}
	return p.decisions.approvals[i]
}

// versionStep reports whether a content differs in its version alone from the release that runs, as far as this environment
// can see. Content that runs already counts: it was a step when it entered.
func (p *Pass) versionStep(base *platform.Release, offering, version string, spec *platform.RequestSpec) bool {
	if !runs(base) || base.Offering != offering || base.Request == nil {
		return false
	}
	here := p.view.Environment.Name
	return base.Version != version && reflect.DeepEqual(visible(base.Request, here), visible(spec, here))
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

func (p *Pass) unapproved(s *subject, i *platform.Instance) Gate {
	v := i.Version
	opens := fmt.Sprintf("an Approval in decisions/%s of {request: %s, release: %s}", p.view.Environment.Name, s.key, i.Release)
	if p.versionStep(s.base, v.Offering, v.Number.String(), &i.Request.Spec) {
		opens += fmt.Sprintf(", or of {offering: %s, version: %s}", v.Offering, v.Number)
	}
	return Gate{Name: "approval", Reason: fmt.Sprintf("%s of %s needs an Approval", short(i.Release), v), Opens: opens}
}

// rejected returns why render keys are not taken again: one of them failed here, and nobody has approved it since.
func rejected(base *platform.Release, keys map[string]string, approvals []*platform.Decision) *Gate {
	if base == nil {
		return nil
	}
	for _, f := range slices.Backward(base.Promotion.Rejected) {
		if keys[f.Cluster] != f.RenderKey || readmitted(base, f, approvals) {
			continue
		}
		return &Gate{
			Name: "rejected", Reason: "failed on " + f.Message, Since: f.At,
			Opens: "a newer release that renders something else, or an Approval merged after the failure",
		}
	}
	return nil
}

// readmit forgets the failures of the bytes that enter now, since a person let them in again: once, also when the file in
// which that was said is removed later.
func readmit(to, next *platform.Release, clusters []string) {
	to.Promotion.Rejected = slices.DeleteFunc(slices.Clone(to.Promotion.Rejected), func(f platform.ReleaseFailure) bool {
		return slices.Contains(clusters, f.Cluster) && next.Clusters[f.Cluster].RenderKey == f.RenderKey
	})
}

// readmitted reports whether an Approval came after a render key failed for the last time.
func readmitted(base *platform.Release, f platform.ReleaseFailure, approvals []*platform.Decision) bool {
	for _, later := range slices.Backward(base.Promotion.Rejected) {
		if later.Cluster == f.Cluster && later.RenderKey == f.RenderKey {
			f = later
			break
		}
	}
	return slices.ContainsFunc(approvals, func(d *platform.Decision) bool { return !slices.Contains(f.Approvals, d.Digest) })
}
