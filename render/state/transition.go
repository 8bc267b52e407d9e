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
	r.Digest, r.VersionDigest, r.Commit, r.File = "", "", "", ""
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

// An UnchangedEntry is how a release enters that changes no bytes.
type UnchangedEntry struct {
	Commit       string
	Origin       string // the release that brought the bytes; empty: nothing ran
	PromotedFrom []string
	Admitted     []string
	Left         *Left
}

// EnterUnchanged has a release enter that changes no bytes. A rollout goes on, unless nothing ran.
func (r *Release) EnterUnchanged(e UnchangedEntry) {
	r.Commit = e.Commit
	p := &r.Promotion
	p.Origin, p.PromotedFrom, p.Admitted, p.Left = e.Origin, e.PromotedFrom, e.Admitted, e.Left
	if e.Origin == "" {
		p.Rollout = nil
	}
}

// EnterRemoval has the removal of the release enter whose record is base. A removal of it that was proven before says nothing about
// this one, whose digest is the same.
func (r *Release) EnterRemoval(base *Release, e Entry) {
	r.Inherit(base)
	e.TakenBack = r.Promotion.TakenBack
	r.Promotion.Proven = without(r.Promotion.Proven, r.Digest)
	r.Enter(e)
}

// Renew has other bytes enter under a release that stays.
func (r *Release) Renew(ran []Ran, gates []PassedGate, rollout *Rollout) {
	r.Promotion.Ran, r.Promotion.Gates, r.Promotion.Rollout = ran, gates, rollout
}

// AddGates adds those that bytes passed which reach further clusters, each once.
func (r *Release) AddGates(gates []PassedGate) {
	for _, g := range gates {
		if !slices.Contains(r.Promotion.Gates, g) {
			r.Promotion.Gates = append(r.Promotion.Gates, g)
		}
	}
}

// A Return is how a release that was here before enters again.
type Return struct {
	Origin, Unproven string // as its record had them then
	Ran              []Ran
	Gates            []PassedGate // that it passed; none where a failure takes the instance back
	Left             *Left
	Rollout          Rollout
}

// GoBack has a release that was here before enter again.
func (r *Release) GoBack(b Return) {
	p := &r.Promotion
	p.Origin, p.Unproven, p.Ran, p.Gates, p.Left = b.Origin, b.Unproven, b.Ran, b.Gates, b.Left
	p.Rollout, p.Admitted = &b.Rollout, nil
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

// Settle ends the rollout: the release is healthy in all waves, and passed the given gates. Of the steps that were admitted those that are
// still to come stay.
func (r *Release) Settle(admitted []string, passed []PassedGate) {
	r.Promotion.Rollout, r.Promotion.Admitted, r.Promotion.TakenBack = nil, admitted, nil
	r.Promotion.Gates = append(r.Promotion.Gates, passed...)
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

// Withdraw takes back a step that an Approval admitted.
func (r *Release) Withdraw(step string) {
	r.Promotion.Admitted = slices.DeleteFunc(slices.Clone(r.Promotion.Admitted), func(s string) bool { return s == step })
}

// Desert says that the release ran and was healthy, and that clusters lose its bytes: it is among those that were healthy here before.
func (r *Release) Desert(ran []Ran) { r.Promotion.Ran = ran }

// maxProven bounds the proofs that a record keeps.
const maxProven = 10

// Prove adds a proof, or replaces the one of the same release. The oldest go first.
func (r *Release) Prove(proof Proof) {
	proofs := append(without(r.Promotion.Proven, proof.Digest), proof)
	r.Promotion.Proven = proofs[max(len(proofs)-maxProven, 0):]
}

// without are the proofs of other releases.
func without(proofs []Proof, digest string) []Proof {
	return slices.DeleteFunc(slices.Clone(proofs), func(proof Proof) bool { return proof.Digest == digest })
}

// maxRejected bounds the releases whose failures a record keeps. It is more than there are candidates, so that none of
// them is forgotten to have failed.
const maxRejected = 32

// Reject adds failures: their render keys are not taken again. The oldest beyond the bound go.
func (r *Release) Reject(failures []Failure) {
	all := slices.Concat(r.Promotion.Rejected, failures)
	seen := map[string]bool{}
	for i, f := range slices.Backward(all) {
		seen[f.Release+f.Group] = true
		if len(seen) > maxRejected {
			all = all[i+1:]
			break
		}
	}
	r.Promotion.Rejected = all
}

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
