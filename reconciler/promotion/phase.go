package promotion

import (
	"transom.dev/render/state"
)

// A phase says how far the change of an instance has come in its environment. It is read from the instance's record alone,
// which changes by its own methods only (render/state/transition.go).
//
//	from                 event                                                      to
//	none, gone           a release enters                                           advancing, or soaking where no cluster is left
//	settled              another release or a change of the environment enters      advancing or soaking
//	settled              a release enters that changes no bytes                     settled
//	advancing            a wave is healthy and the next clusters get the bytes      advancing, and with the last of them soaking
//	advancing, soaking   a newer release enters                                     advancing or soaking
//	advancing, soaking   it fails, and something healthy ran here before            rollingBack
//	advancing, soaking   it fails, and a person has to decide                       stopped
//	soaking              all waves have been healthy for as long as they ask        settled
//	rollingBack          the restored bytes are healthy                             settled
//	rollingBack          the restored bytes fail                                    stopped
//	stopped              its clusters are healthy, and an Approval came after       advancing or soaking
//	stopped              its clusters are healthy all the same, none remains       settled
//	stopped              a newer release enters                                     advancing or soaking
//	any that runs        the removal enters                                         removing
//	removing             pruning is confirmed on every cluster that counts          gone
//	gone                 no environment needs the tombstone any more                none
type phase int

const (
	none        phase = iota // there is no record
	settled                  // the release was healthy in all waves
	advancing                // the rollout has clusters yet to reach
	soaking                  // the rollout reached all clusters, and waits for their health and soak
	rollingBack              // the bytes that ran before come back
	stopped                  // the rollout goes no further by itself
	removing                 // pruning is not confirmed everywhere
	gone                     // the record is a tombstone
)

func phaseOf(r *state.Release) phase {
	if r == nil {
		return none
	}
	rollout := r.Promotion.Rollout
	switch {
	case r.Absent && rollout == nil:
		return gone
	case r.Absent:
		return removing
	case rollout == nil:
		return settled
	case rollout.Stopped != "":
		return stopped
	case rollout.Cause == state.CauseRollback:
		return rollingBack
	case len(rollout.Pending) > 0:
		return advancing
	}
	return soaking
}

// open reports whether a rollout, a rollback or a removal has not ended yet.
func (p phase) open() bool { return p != none && p != settled && p != gone }

// Ended reports whether there is a record and no change is on its way in it: its release was healthy in all waves, or its removal
// is confirmed.
func Ended(r *state.Release) bool { return r != nil && !phaseOf(r).open() }

// underWay reports whether a change goes on by itself to more clusters, or to its end.
func (p phase) underWay() bool { return p == advancing || p == soaking }

// state is the word of a Standing for a phase that is open.
func (p phase) state() string {
	switch p {
	case rollingBack:
		return RollingBack
	case stopped:
		return Stopped
	case removing:
		return Removing
	}
	return Moving
}

// runs reports whether a record is of something that is there.
func runs(r *state.Release) bool { return r != nil && !r.Absent }

// wasHealthy reports whether the release of a record was healthy in all waves of clusters that it has.
func wasHealthy(r *state.Release) bool { return phaseOf(r) == settled && len(r.Clusters) > 0 }

// pending lists the clusters that a rollout has not reached, or that a removal has not left.
func pending(r *state.Release) []string {
	if r == nil || r.Promotion.Rollout == nil {
		return nil
	}
	return r.Promotion.Rollout.Pending
}

// moved lists the clusters whose bytes the rollout that is open changed.
func moved(r *state.Release) []string {
	if r == nil || r.Promotion.Rollout == nil {
		return nil
	}
	return r.Promotion.Rollout.Moved
}

// causeOf is the cause of the rollout that is open; empty: none is.
func causeOf(r *state.Release) state.Cause {
	if r == nil || r.Promotion.Rollout == nil {
		return ""
	}
	return r.Promotion.Rollout.Cause
}

// groupOf is the group of the rollout that is open; empty: none is, or the instance moves alone.
func groupOf(r *state.Release) string {
	if r == nil || r.Promotion.Rollout == nil {
		return ""
	}
	return r.Promotion.Rollout.Group
}

// outdated reports whether a placement has the bytes of another release than its record's.
func outdated(placed state.Placement) bool { return placed.Release != "" }

// partial reports whether a cluster has bytes of another release still.
func partial(r *state.Release) bool {
	for _, placed := range r.Clusters {
		if outdated(placed) {
			return true
		}
	}
	return false
}
