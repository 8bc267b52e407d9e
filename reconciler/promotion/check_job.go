package promotion

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// jobs returns the run of a check by Jobs about the candidate: beside its placements in the nearest environments before this one, on
// the clusters that count, or beside what comes to the same there. It says why there is nothing to ask, if there is not. Where an
// environment before has moved on to another release, the run is empty.
func (q *question) jobs(c *inquiry.Check) (run, none string) {
	if q.instance == nil || !hasDirectory(q.instance.Version, c.Job) {
		return "", fmt.Sprintf("nothing to ask, %s has no %s", q.to, c.Job)
	}
	nearest := q.up.nearest(q.spec)
	if len(nearest) == 0 {
		return "", "nothing to ask, the release is in no environment before"
	}
	r := inquiry.Run{Asker: q.Environment.Name, Check: c.Name, Dir: c.Job, Team: q.key.Team, Request: q.key.Name}
	for _, up := range nearest {
		there, idle := q.up.record(up, q.key), q.up.changesNothing(up, q.base, q.instance)
		switch same := runs(there) && there.VersionDigest == q.instance.Version.Digest; {
		case same && (idle || there.Digest == q.to.Digest):
		case idle:
			continue
		default:
			return "", ""
		}
		for _, cluster := range slices.Sorted(maps.Keys(there.Clusters)) {
			placed := there.Clusters[cluster]
			if e := q.Platform.Environments[up]; e != nil && q.facts.counts(e, cluster) && !placed.Joining && !outdated(placed) {
				r.Placements = append(r.Placements, inquiry.Placement{Environment: up, Cluster: cluster, Revision: placed.Observed()})
			}
		}
	}
	if len(r.Placements) == 0 {
		return "", ""
	}
	return r.String(), ""
}

// hasDirectory reports whether a version has a directory.
func hasDirectory(v *platform.Version, dir string) bool {
	if v.Files == nil {
		return false
	}
	info, err := fs.Stat(v.Files, dir)
	return err == nil && info.IsDir()
}
