package state

import "transom.dev/render/platform"

// RemovalDigest is the digest of the removal of a release, which the Release that records the removal has.
func (r *Release) RemovalDigest() string {
	return platform.Digest(map[string]any{
		"team": r.Key.Team, "request": r.Key.Name, "absent": true, "release": r.Digest,
	})
}

// NeverPruned reports whether the applier does not delete objects of a kind by itself, because they may have data that cannot
// be made again.
func NeverPruned(group, kind string) bool {
	switch kind {
	case "Namespace", "PersistentVolume", "PersistentVolumeClaim":
		return group == ""
	case "CustomResourceDefinition":
		return group == "apiextensions.k8s.io"
	}
	return false
}
