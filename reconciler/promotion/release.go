package promotion

import (
	"fmt"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A ReleaseRef names a release of a request, or the removal of one.
type ReleaseRef struct {
	Key      platform.RequestKey
	Digest   string // empty: to be found out by resolving
	Offering string
	Version  string
}

func refOf(r *state.Release) ReleaseRef {
	return ReleaseRef{Key: r.Key, Digest: r.Digest, Offering: r.Offering, Version: r.Version}
}

func refOfInstance(i *platform.Instance) ReleaseRef {
	return ReleaseRef{Key: i.Request.Key, Digest: i.Release, Offering: i.Offering.Name, Version: i.Version.Number.String()}
}

// String is the release as people are told of it.
func (r ReleaseRef) String() string {
	return fmt.Sprintf("%s@%s (%s)", r.Offering, r.Version, short(r.Digest))
}

// short is a digest as people are shown it.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 7)]
}

// Content is a release apart from any environment, as it travels from one to the next.
type Content struct {
	ReleaseRef
	Spec          *platform.RequestSpec
	VersionDigest string // empty: that of the version at the head
	Commit        string // the platform commit that yielded it
	File          string
}

// ContentOf returns the release of a record as a Content. A tombstone has none: its Spec is nil.
func ContentOf(r *state.Release) Content {
	return Content{ReleaseRef: refOf(r), Spec: r.Request, VersionDigest: r.VersionDigest, Commit: r.Commit, File: r.File}
}

func contentOfProof(k platform.RequestKey, p state.Proof) Content {
	return Content{
		ReleaseRef: ReleaseRef{Key: k, Digest: p.Digest, Offering: p.Offering, Version: p.Version},
		Spec:       p.Request, VersionDigest: p.VersionDigest, Commit: p.Commit, File: k.File(),
	}
}

func contentOfInstance(i *platform.Instance, commit string) Content {
	return Content{
		ReleaseRef: refOfInstance(i), Spec: &i.Request.Spec, VersionDigest: i.Version.Digest, Commit: commit, File: i.Request.File,
	}
}

// removalOf is the removal of a release, with the digest that rendering records.
func removalOf(r *state.Release) Content {
	c := ContentOf(r)
	c.Digest = r.RemovalDigest()
	return c
}

// origin is the release that brought the bytes that a release runs with.
func origin(digest, brought string) string {
	if brought != "" {
		return brought
	}
	return digest
}
