package platform

// A Proposal is what an instance comes to in its environment if all of it moved now: what a state machine admits, in
// part or as a whole, before anything is committed.
type Proposal struct {
	Base *Release // what the state holds; nil: nothing yet
	Next *Release // with every placement as it was rendered; Absent for a removal

	Instance *Instance // that was rendered; nil for a removal
}
