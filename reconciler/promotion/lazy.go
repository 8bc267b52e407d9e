package promotion

import "transom.dev/render/platform"

// lazy is what a pass finds out once, when something asks for it.
type lazy struct {
	before     []string                // environments before this one
	downstream []*platform.Environment // environments after this one
	window     **Gate                  // why the environment may not change now
	consumers  map[platform.RequestKey][]platform.RequestKey
	deletions  *deletions
	urgent     []platform.DeletedPlacement      // that are to go at once, and wait for an Approval
	urgentOf   map[platform.RequestKey]*subject // of these
	group      string                           // of what the environment puts in
}
