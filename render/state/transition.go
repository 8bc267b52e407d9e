package state

import (
	"maps"
	"slices"
	"time"

	"transom.dev/render/platform"
)

// The methods of this file are all that changes a record after it was made or read. Package promotion decides which of them, in
// which phase: its table of phases says how a record goes from one to the next. A record that others may read is changed by way of
// a Clone only.

// Clone copies the record as far as its methods change it.
func (r *Release) Clone() *Release {
	c := *r
	c.Clusters = maps.Clone(r.Clusters)
	p := &c.Promotion
	p.Gates, p.Proven, p.Ran = slices.Clone(p.Gates), slices.Clone(p.Proven), slices.Clone(p.Ran)
	p.Rejected, p.Admitted = slices.Clone(p.Rejected), slices.Clone(p.Admitted)
	if p.Rollout != nil {
		rollout := *p.Rollout
		rollout.Moved, rollout.Pending = slices.Clone(rollout.Moved), slices.Clone(rollout.Pending)
		p.Rollout = &rollout
	}
	return &c
}

// WithClusters is the record with other placements.
func (r *Release) WithClusters(clusters map[string]Placement) *Release {
	c := *r
	c.Clusters = clusters
	c.KeepObserved(r)
	return &c
}

// Strip leaves out the fields that applying does not need, and of its promotion all but the given part.
func (r *Release) Strip(promotion Promotion) {
	r.Request, r.Outputs, r.Observed, r.Promotion = nil, nil, nil, promotion
}

// Inherit has the record go on where the record of the instance's release before it is.
func (r *Release) Inherit(base *Release) { r.Key, r.Promotion = base.Key, base.Clone().Promotion }

// MoveTo says which platform commit yielded the release.
func (r *Release) MoveTo(commit string) { r.Commit = commit }

// Place gives a cluster a placement.
func (r *Release) Place(cluster string, placed Placement) { r.Clusters[cluster] = placed }

// Join has clusters count nowhere until they were healthy.
func (r *Release) Join(clusters []string) {
	for _, cluster := range clusters {
		placed := r.Clusters[cluster]
		placed.Joining = true
		r.Clusters[cluster] = placed
	}
}

// Drop takes a cluster's placement away.
func (r *Release) Drop(cluster string) { delete(r.Clusters, cluster) }

// An Entry is how a release enters an environment.
type Entry struct {
	Commit       string // the platform commit that yielded it
	PromotedFrom []string
	Gates        []PassedGate // that it passed
	Admitted     []string
	Unproven     string
	Ran          []Ran
	TakenBack    []TakenBack
	Left         *Left
	Rollout      *Rollout // nil: nothing moved that could fail
}

// Enter has the release enter with bytes of its own, or the removal enter.
func (r *Release) Enter(e Entry) {
	r.Commit = e.Commit
	p := &r.Promotion
	p.Origin, p.PromotedFrom, p.Gates, p.Admitted, p.Unproven = "", e.PromotedFrom, e.Gates, e.Admitted, e.Unproven
	p.Ran, p.TakenBack, p.Left, p.Rollout = e.Ran, e.TakenBack, e.Left, e.Rollout
}

// EnterUnchanged has a release enter that changes no bytes. The release that brought these stays as the origin, and a rollout goes
// on; without an origin nothing ran, and nothing rolls out.
func (r *Release) EnterUnchanged(commit, origin string, promotedFrom []string, left *Left) {
	r.Commit = commit
	p := &r.Promotion
	p.Origin, p.PromotedFrom, p.Left = origin, promotedFrom, left
	if origin == "" {
		p.Rollout = nil
	}
}

// Renew has other bytes enter under a release that stays.
func (r *Release) Renew(ran []Ran, gates []PassedGate, rollout *Rollout) {
	r.Promotion.Ran, r.Promotion.Gates, r.Promotion.Rollout = ran, gates, rollout
}

// GoBack has a release that was here before enter again.
func (r *Release) GoBack(before Promotion, rollout *Rollout, left *Left) {
	p := &r.Promotion
	p.Rollout, p.Left, p.Admitted, p.Gates = rollout, left, nil, nil
	p.Origin, p.Unproven = before.Origin, before.Unproven
}

// Reach says which clusters the rollout moved, and which it has not reached.
func (r *Release) Reach(moved, pending []string) {
	r.Promotion.Rollout.Moved, r.Promotion.Rollout.Pending = moved, pending
}

// Await says which clusters the rollout has not reached.
func (r *Release) Await(pending []string) { r.Promotion.Rollout.Pending = pending }

// Stop says why the rollout goes no further by itself.
func (r *Release) Stop(why string) { r.Promotion.Rollout.Stopped = why }

// Resume has the rollout go on that stopped: the release is not rejected any more.
func (r *Release) Resume(now time.Time) {
	r.Promotion.Rollout.Stopped, r.Promotion.Rollout.Entered = "", now
	r.Readmit(func(f Failure) bool { return f.Release == r.Digest })
}

// Settle ends the rollout: the release is healthy in all waves. Of the steps that were admitted those that are still to come stay.
func (r *Release) Settle(admitted []string) {
	r.Promotion.Rollout, r.Promotion.Admitted, r.Promotion.TakenBack = nil, admitted, nil
}

// EndRemoval says that pruning is confirmed: the record is a tombstone.
func (r *Release) EndRemoval() { r.Promotion.Rollout = nil }

// Admit adds steps that an Approval admitted.
func (r *Release) Admit(steps ...string) {
	for _, step := range steps {
		if !slices.Contains(r.Promotion.Admitted, step) {
			r.Promotion.Admitted = append(r.Promotion.Admitted, step)
		}
	}
}

// RecordAdmitted says which steps were admitted.
func (r *Release) RecordAdmitted(steps []string) { r.Promotion.Admitted = steps }

// RecordRan says which releases were healthy here before.
func (r *Release) RecordRan(ran []Ran) { r.Promotion.Ran = ran }

// RecordGates says which gates the release passed.
func (r *Release) RecordGates(gates []PassedGate) { r.Promotion.Gates = gates }

// RecordProofs says which releases are proven.
func (r *Release) RecordProofs(proofs []Proof) { r.Promotion.Proven = proofs }

// RecordFailures says which render keys failed and are rejected.
func (r *Release) RecordFailures(failures []Failure) { r.Promotion.Rejected = failures }

// Readmit forgets failures.
func (r *Release) Readmit(readmitted func(Failure) bool) {
	r.Promotion.Rejected = slices.DeleteFunc(slices.Clone(r.Promotion.Rejected), readmitted)
}

// Observe records the value of an output on a cluster.
func (r *Release) Observe(cluster, output string, seen Observed) {
	all := maps.Clone(r.Observed)
	if all == nil {
		all = map[string]map[string]Observed{}
	}
	values := maps.Clone(all[cluster])
	if values == nil {
		values = map[string]Observed{}
	}
	values[output], all[cluster] = seen, values
	r.Observed = all
}

// KeepObserved has the record go on with the values of the one before it: of the outputs that it observes, too, on its clusters. A
// value that its own output would not take is dropped.
func (r *Release) KeepObserved(before *Release) {
	r.Observed = nil
	for cluster, values := range before.Observed {
		if _, there := r.Clusters[cluster]; !there {
			continue
		}
		for name, seen := range values {
			at := slices.IndexFunc(r.Observes, func(o platform.ObservedOutput) bool { return o.Name == name })
			if at >= 0 && r.Observes[at].Accepts(seen.Value) {
				r.Observe(cluster, name, seen)
			}
		}
	}
}
