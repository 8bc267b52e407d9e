package usage

import (
	"cmp"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Running lists the instances of an offering with the versions that the environments run, where somebody looked at their
// state, and elsewhere with those that they resolve to. It is sorted by request, by environment in the order of promotion, and
// by version.
func Running(p *platform.Platform, o *platform.Offering, running states.States) []catalog.Instance {
	all := catalog.Resolved(p, o)
	for _, known := range running {
		if !known.Looked {
			continue
		}
		for key, release := range known.Base.Releases {
			if release.Offering == o.Name && !release.Absent {
				all = putRunning(all, key, known.Environment, versionsOn(release))
			}
		}
	}
	stage := func(environment string) int {
		return slices.IndexFunc(running, func(s states.State) bool { return s.Environment == environment })
	}
	slices.SortStableFunc(all, func(a, b catalog.Instance) int {
		return cmp.Or(a.Request.Compare(b.Request), cmp.Compare(stage(a.Environment), stage(b.Environment)), strings.Compare(a.Version, b.Version))
	})
	return all
}

// putRunning puts the versions that a request runs in an environment instead of the one that it resolves to there.
func putRunning(all []catalog.Instance, key platform.RequestKey, environment string, versions []string) []catalog.Instance {
	n := slices.IndexFunc(all, func(i catalog.Instance) bool { return i.Request == key && i.Environment == environment })
	if n < 0 {
		for _, version := range versions {
			all = append(all, catalog.Instance{Request: key, Environment: environment, Version: version})
		}
		return all
	}
	resolved := all[n]
	if !slices.Contains(versions, resolved.Version) {
		all = slices.Delete(all, n, n+1)
	}
	for _, version := range versions {
		if version != resolved.Version {
			all = append(all, catalog.Instance{
				Request: key, Environment: environment, Version: version, Constraint: resolved.Constraint, Wanted: resolved.Version,
			})
		}
	}
	return all
}

// versionsOn lists the versions that a release's clusters run, of which some may not have moved yet, sorted.
func versionsOn(r *state.Release) []string {
	versions := []string{r.Version}
	for _, placed := range r.Clusters {
		if placed.Version != "" && !slices.Contains(versions, placed.Version) {
			versions = append(versions, placed.Version)
		}
	}
	slices.Sort(versions)
	return versions
}
