package render

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// keepTaken reports a version that was changed after the environment had taken it, and one that was removed from under
// a request, which would otherwise go back to an older one by itself. The release that runs stays.
func keepTaken(c *candidate, environment string, taken map[string]map[string]int) {
	v := c.instance.Version
	if digests := taken[v.String()]; len(digests) > 0 && digests[v.Digest] == 0 {
		c.report(v.Dir, "version-changed", "was changed after %s had taken it; restore it and publish the change as a new version",
			environment)
		return
	}
	if c.base == nil || c.base.Absent || c.base.Offering != v.Offering {
		return
	}
	ran, err := semver.StrictNewVersion(c.base.Version)
	if err != nil || !v.Number.LessThan(ran) || published(c.instance.Offering, ran) {
		return
	}
	c.report(fmt.Sprintf("offerings/%s/%s", v.Offering, ran), "version-removed", "was removed while %s runs it; restore it, "+
		"and set its lifecycle to withdrawn in %s to move its requests to another version", environment, c.instance.Offering.File)
}

// excused makes Warnings of Problems of a version that runs which say that some number is over its limit: limits may be newer than the
// version, and its requests can change all the same.
func excused(problems ...platform.Problem) []platform.Problem {
	lenient := slices.Clone(problems)
	for n := range lenient {
		if p := &lenient[n]; kustomize.IsCount(*p) {
			p.Warning = true
			p.Message += "; it runs already, so it is built all the same, within the limits of a worker"
		}
	}
	return lenient
}

func published(o *platform.Offering, number *semver.Version) bool {
	for _, v := range o.Versions {
		if v.Number.Equal(number) {
			return true
		}
	}
	return false
}
