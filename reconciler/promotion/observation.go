package promotion

import (
	"time"

	"transom.dev/render/state"
)

// Observation is the health of one instance on a cluster, as last seen. The zero value says nothing: it is Unknown.
//
// Of an instance that is being removed Revision is empty: Progressing while something remains, Healthy once pruning is
// confirmed.
type Observation struct {
	Revision string // that it is about, as Placement.Observed; about another than the recorded one it says nothing
	Health   state.Health
	Stuck    bool // a pod cannot start and will not without a change

	// Superseded says that nothing but pods of a revision before keeps this one from being healthy, and SupersededFor for how
	// long of Ailing that was so: that time is no failure of this revision.
	Superseded    bool
	SupersededFor time.Duration

	// Soaked is for how long it was seen healthy at this revision, and Ailing for how long it has been seen not to be.
	Soaked, Ailing time.Duration

	Object  string // the worst one
	Message string // of it

	At time.Time // when somebody looked last; zero: it is not known

	Told map[string]Told // the values that its objects have for the outputs that are observed, by output
}

// Told is the value that an object has for an output, and for how long it has been seen to have it. Fault says why it has none that
// may be recorded.
type Told struct {
	Value any
	Fault string
	Stood time.Duration
}

// known reports whether somebody has looked.
func (o Observation) known() bool {
	return o.Health == state.Healthy || o.Health == state.Suspended || o.Health == state.Progressing || o.Health == state.Failed
}

// ill reports whether somebody looked and saw that it is not healthy, though it is asked to be.
func (o Observation) ill() bool { return o.Health == state.Failed || o.Health == state.Progressing }

// broke reports whether health is lost: failed, or not there for longer than grace.
func (o Observation) broke(grace time.Duration) bool {
	return broke(o.Health, o.Ailing, grace)
}

// hopeless reports whether an instance that is not healthy yet will not get there by waiting.
func (o Observation) hopeless() bool {
	stuck := o.Health == state.Progressing && o.Stuck
	return o.Health == state.Failed || stuck
}

// broke reports whether health is lost that has been this for so long.
func broke(health state.Health, ailing, grace time.Duration) bool {
	late := health == state.Progressing && ailing > grace
	return health == state.Failed || late
}
