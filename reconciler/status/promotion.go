package status

import (
	"time"

	"transom.dev/render/event"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Gate is a gate that is closed: the unmet condition, since when it is unmet, and who or which event opens it.
type Gate struct {
	Name   gate.Name `json:"gate"` // one of package gate
	Reason string    `json:"reason"`
	Since  time.Time `json:"since,omitzero"`
	Opens  string    `json:"opens,omitempty"` // who opens it, or which event does
	At     time.Time `json:"at,omitzero"`     // when it opens by itself, where that is known
}

// told is the kind of event that the closing of the gate is; empty: people are not told of it.
func (g Gate) told() event.Kind {
	if g.Name == gate.Approval || g.Name == gate.Deletions {
		return event.Approval
	}
	return ""
}

// Candidate is the newest content that an instance would take if its gates were open.
type Candidate struct {
	Release  string `json:"release"`
	Offering string `json:"offering,omitempty"`
	Version  string `json:"version,omitempty"`
	Commit   string `json:"commit,omitempty"` // the platform commit that yielded it
	Absent   bool   `json:"absent,omitempty"` // it removes the instance

	MergedAt time.Time `json:"mergedAt,omitzero"` // when that commit was made

	Changes []platform.Difference `json:"changes,omitempty"` // the fields of the request that differ from the release that runs
}

// Rollout is a change on its way over the clusters of its environment.
type Rollout struct {
	Cause   state.Cause `json:"cause"`
	Entered time.Time   `json:"entered,omitzero"`
	Pending []string    `json:"pending,omitempty"` // clusters that it has not reached, sorted
	Stopped string      `json:"stopped,omitempty"` // why it goes no further by itself

	// Deadline is when the rollout fails unless the release is healthy by then; zero: it has none now.
	Deadline time.Time `json:"deadline,omitzero"`
}

// begunSince says whether a rollout is another one than the rollout before; nil: there is none.
func (r *Rollout) begunSince(before *Rollout) bool {
	if r == nil || before == nil {
		return r != nil
	}
	return !r.Entered.Equal(before.Entered)
}

// stopped says why a rollout goes no further by itself; empty: it does, or there is none.
func (r *Rollout) stopped() string {
	if r == nil {
		return ""
	}
	return r.Stopped
}

// pending says whether a rollout has clusters to reach.
func (r *Rollout) pending() bool { return r != nil && len(r.Pending) > 0 }

// Failure is a release that failed here and is not taken again by itself.
type Failure struct {
	Release string    `json:"release"`
	Version string    `json:"version,omitempty"`
	Cluster string    `json:"cluster"`
	Object  string    `json:"object,omitempty"`
	Message string    `json:"message"`
	At      time.Time `json:"at,omitzero"`
}

// Proof is a release that was healthy here on all counting clusters for so long.
type Proof struct {
	Release string    `json:"release"`
	Version string    `json:"version,omitempty"`
	Absent  bool      `json:"absent,omitempty"`
	Soaked  string    `json:"soaked"` // a duration
	At      time.Time `json:"at,omitzero"`
}

// MilestoneKind is the kind of a Milestone.
type MilestoneKind string

// The steps on an instance's way that are worth counting.
const (
	Entered  MilestoneKind = "Entered"  // new bytes were committed; Detail is the rollout's cause
	Promoted MilestoneKind = "Promoted" // they came from another environment; Detail names it
	Stopped  MilestoneKind = "Stopped"  // something failed here and goes no further by itself
	Opened   MilestoneKind = "Opened"   // a gate, Detail, waits no more; Took is how long it did
	Live     MilestoneKind = "Live"     // healthy on all clusters; Took is since it was merged
)

// Milestone is a step that happened while the Board watched: the records that it is filled with at first are none.
type Milestone struct {
	Kind        MilestoneKind
	Environment string
	Detail      string
	Took        time.Duration
}
