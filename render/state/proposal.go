package state

import "transom.dev/render/platform"

// A Proposal is the release that an instance would have in its environment if all of it moved now. A state machine admits
// it, in part or as a whole, before anything is committed.
type Proposal struct {
	Base *Release // the record that the state has; nil: none yet
	Next *Release // with every placement as it was rendered; Absent for a removal

	Instance *platform.Instance // that was rendered; nil for a removal
}
