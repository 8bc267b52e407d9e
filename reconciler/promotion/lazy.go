package promotion

import "transom.dev/render/platform"

// lazy are the facts that a pass finds out once, when something asks for them.
type lazy struct {
	downstream []*platform.Environment // environments after this one
	window     **Gate                  // why the environment may not change now
	consumers  map[platform.RequestKey][]platform.RequestKey
	deletions  *deletions
	urgent     []platform.DeletedPlacement      // that are to go at once, and wait for an Approval
	urgentOf   map[platform.RequestKey]*subject // of these
	group      string                           // the name of the environment's own group of changes
}
