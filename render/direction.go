package render

import (
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Direction describes the state that an environment is to have where that is not simply the one of the platform's head:
// promotion chooses it before rendering, and admits the result after. The zero value takes everything from the head at once.
type Direction struct {
	// Instances are rendered instead of the head's own. nil: the head's.
	Instances *platform.InstanceSet

	// Keep are requests that have no instance and stay as they are. Every other release without an instance is
	// removed, but for those of requests that the platform knows to be broken.
	Keep map[platform.RequestKey]bool

	// Records are the state's records as they are to be from now on, where they differ: another Promotion or Commit,
	// and the same bytes. They are written even where the request keeps its bytes, and are the Base of its proposal.
	Records map[platform.RequestKey]*state.Release

	// Restore are requests that take exactly these records and bytes. They are not rendered and lose no collision.
	Restore map[platform.RequestKey]Restoration

	// Made are records whose bytes are to be made again as they were made: by the rules of the renderer, and with the
	// selectors, that they name. Placements that they do not name are made anew.
	Made map[platform.RequestKey]*state.Release

	// Examples has consumers given the examples of observed outputs where no value is recorded. Nothing that is rendered so is for
	// a cluster.
	Examples bool

	// Forget are tombstones whose file goes. A record that is no tombstone, or has something on a cluster, stays.
	Forget []platform.RequestKey

	// Admit says of every proposal of the pass, sorted by request, which record the environment has from now on; nil
	// admits all. An answer has, for each cluster, the entry of Next, whose new bytes are then written, or that of Base
	// by its render key, whose bytes stay, or none: then nothing is there, or the objects there go. Base itself says that
	// nothing is taken. Everything else in an answer is recorded as it is. A proposal that is not fully taken is made again in
	// the next pass. Admit may be asked again in one pass, with the proposals that follow from its last answers.
	//
	// Next carries Base's Promotion. Its Commit is Base's where the release is the same, and the platform's otherwise:
	// an Admit that takes a release over from an older commit says so in its answer.
	Admit func([]state.Proposal) []*state.Release

	// AdmitNamespaces says whether namespaces that are there may change, all of the environment's or none, as they do
	// when its components of namespaces do; nil: they may. The digest names exactly these changes.
	AdmitNamespaces func(digest string) bool
}

// A Restoration is the record and bytes of an instance at some earlier commit of the state.
type Restoration struct {
	Release   *state.Release
	Manifests map[string][]byte // by cluster; those that differ from the state's own must be there
}
