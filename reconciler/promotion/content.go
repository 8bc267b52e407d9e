package promotion

import "transom.dev/render/platform"

// Content is a release apart from any environment, as it travels from one to the next.
type Content struct {
	Digest        string // of the release; empty: to be found out by resolving
	Spec          *platform.RequestSpec
	Offering      string
	Version       string
	VersionDigest string // empty: that of the version at the head
	Commit        string // the platform commit that yielded it
	File          string
}

// ContentOf returns the release of a record as a Content. A tombstone has none: its Spec is nil.
func ContentOf(r *platform.Release) Content {
	return Content{
		Digest: r.Digest, Spec: r.Request, Offering: r.Offering, Version: r.Version, VersionDigest: r.VersionDigest,
		Commit: r.Commit, File: r.File,
	}
}

func contentOfProof(k platform.RequestKey, p platform.ReleaseProof) Content {
	return Content{
		Digest: p.Digest, Spec: p.Request, Offering: p.Offering, Version: p.Version, VersionDigest: p.VersionDigest,
		Commit: p.Commit, File: "requests/" + k.String() + ".yaml",
	}
}

func contentOfInstance(i *platform.Instance, commit string) Content {
	return Content{
		Digest: i.Release, Spec: &i.Request.Spec, Offering: i.Offering.Name, Version: i.Version.Number.String(),
		VersionDigest: i.Version.Digest, Commit: commit, File: i.Request.File,
	}
}

// tombstone is the digest of the removal of a release, as rendering records it.
func tombstone(r *platform.Release) string {
	return platform.Digest(map[string]any{
		"team": r.Key.Team, "request": r.Key.Name, "absent": true, "release": r.Digest,
	})
}

// origin is the release that brought the bytes that a release runs with.
func origin(digest, brought string) string {
	if brought != "" {
		return brought
	}
	return digest
}

// runs reports whether a record is of something that is there.
func runs(r *platform.Release) bool { return r != nil && !r.Absent }
