package catalog

import (
	"cmp"
	"slices"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// An Instance is one request in one environment that uses a version of an offering.
type Instance struct {
	Request     platform.RequestKey `json:"request"`
	Environment string              `json:"environment"`
	Version     string              `json:"version"`              // that it resolves to; with a state, the one that runs
	Constraint  string              `json:"constraint,omitempty"` // as its file says
	Wanted      string              `json:"wanted,omitempty"`     // where that is another version than the one that runs
	Otherwise   string              `json:"otherwise,omitempty"`  // that it would resolve to without this version
}

// Resolved lists the instances that resolve to an offering's versions, sorted by request and environment.
func Resolved(p *platform.Platform, o *platform.Offering) (all []Instance) {
	for _, environment := range workspace.Environments(p) {
		for _, i := range p.Instances(environment) {
			if i.Offering.Name != o.Name {
				continue
			}
			spec := i.Request.Spec
			constraint := cmp.Or(spec.Environments[environment].Version, spec.Version)
			one := Instance{Request: i.Request.Key, Environment: environment, Version: i.Version.Number.String(), Constraint: constraint}
			if other := without(o, i.Version).Match(constraint); other != nil {
				one.Otherwise = other.Number.String()
			}
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b Instance) int { return a.Request.Compare(b.Request) })
	return all
}

// without is the offering as if a version had been withdrawn.
func without(o *platform.Offering, v *platform.Version) *platform.Offering {
	rest := *o
	rest.Versions = slices.DeleteFunc(slices.Clone(o.Versions), func(x *platform.Version) bool { return x.Number.Equal(v.Number) })
	return &rest
}
