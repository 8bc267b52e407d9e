package status

import (
	"slices"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Instance is one request in one environment.
type Instance struct {
	Environment string              `json:"environment"`
	Request     platform.RequestKey `json:"request"`
	Offering    string              `json:"offering,omitempty"`
	Version     string              `json:"version,omitempty"`
	Release     string              `json:"release,omitempty"`
	Commit      string              `json:"commit,omitempty"` // the platform commit that yielded the release
	File        string              `json:"file,omitempty"`   // the request's file
	Absent      bool                `json:"absent,omitempty"` // removed; gone once no placement remains
	Outputs     map[string]any      `json:"outputs,omitempty"`
	Display     []platform.Shown    `json:"display,omitempty"`  // the parameters that its version marks to be shown
	Links       []platform.Link     `json:"links,omitempty"`    // that its offering declares
	Problems    []platform.Problem  `json:"problems,omitempty"` // why the merged request is not the one that runs
	Placements  []Placement         `json:"placements,omitempty"`
	MergedAt    time.Time           `json:"mergedAt,omitzero"` // when the platform commit was made

	PromotedFrom []string           `json:"promotedFrom,omitempty"`
	Gates        []state.PassedGate `json:"gates,omitempty"`     // that it passed
	Candidate    *Candidate         `json:"candidate,omitempty"` // the release that it would take next
	Waiting      []Gate             `json:"waiting,omitempty"`   // why it does not take that yet
	Skipped      int                `json:"skipped,omitempty"`   // releases that newer ones overtook before they entered
	Rollout      *Rollout           `json:"rollout,omitempty"`   // nil: the release was healthy in all waves
	Rejected     []Failure          `json:"rejected,omitempty"`  // oldest first
	Proven       []Proof            `json:"proven,omitempty"`    // oldest first
	Debts        []string           `json:"debts,omitempty"`     // decisions that bind it until they are removed
}

// Remember fills in an instance's promotion from the record in its Release file.
func (i *Instance) Remember(p state.Promotion) {
	i.PromotedFrom, i.Gates = p.PromotedFrom, p.Gates
	i.Rollout, i.Rejected, i.Proven = nil, nil, nil
	if r := p.Rollout; r != nil {
		i.Rollout = &Rollout{Cause: r.Cause, Entered: r.Entered, Pending: r.Pending, Stopped: r.Stopped}
	}
	for _, f := range p.Rejected {
		i.Rejected = append(i.Rejected, Failure{f.Release, f.Version, f.Cluster, f.Object, f.Message, f.At})
	}
	for _, proof := range p.Proven {
		i.Proven = append(i.Proven, Proof{proof.Digest, proof.Version, proof.Absent, proof.Soaked, proof.At})
	}
}

// detachPlacements takes the placements from the instance, which the Board keeps by cluster.
func (i *Instance) detachPlacements() []Placement {
	placements := i.Placements
	i.Placements = nil
	if i.Release == "" && i.Candidate != nil {
		i.Absent = false // it is not gone but has not come yet
	}
	return placements
}

// with is the instance with these placements.
func (i Instance) with(placements []Placement) Instance {
	i.Placements = placements
	return i
}

// keepProblems drops the Problems that are not there any more.
func (i *Instance) keepProblems(there map[string]bool) {
	i.Problems = slices.DeleteFunc(slices.Clone(i.Problems), func(p platform.Problem) bool { return !there[p.String()] })
}

// leave says that the state names the instance no more.
func (i *Instance) leave() { i.Absent, i.Problems = true, nil }

// Without is the instance with some of its placements' objects omitted. The instance itself stays as it is.
func (i Instance) Without(dropped func(Object) bool) Instance {
	placements := slices.Clone(i.Placements)
	for n := range placements {
		placements[n] = placements[n].without(dropped)
	}
	return i.with(placements)
}
