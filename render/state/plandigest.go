package state

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// PlanStep is the change that a plan makes to one placement.
type PlanStep struct {
	Cluster string `json:"cluster"`
	Team    string `json:"team"`
	Request string `json:"request"`
	Before  string `json:"before"` // render key; empty: it is new
	After   string `json:"after"`  // render key; empty: it is removed
}

// PlanSteps are the changes that proposals make to every placement whose render key differs, sorted, but for those that only urgent values
// make: these need nobody's Approval.
func PlanSteps(proposals ...Proposal) (steps []PlanStep) {
	for _, proposal := range proposals {
		k, was, is := proposal.key(), placementsOf(proposal.Base), placementsOf(proposal.Next)
		clusters := map[string]Placement{}
		maps.Copy(clusters, was)
		maps.Copy(clusters, is)
		for cluster := range clusters {
			s := PlanStep{cluster, k.Team, k.Name, was[cluster].RenderKey, is[cluster].RenderKey}
			if s.Before != s.After && !is[cluster].Hastens(was[cluster]) {
				steps = append(steps, s)
			}
		}
	}
	slices.SortFunc(steps, PlanStep.compare)
	return steps
}

func (s PlanStep) compare(o PlanStep) int {
	return cmp.Or(cmp.Compare(s.Cluster, o.Cluster), cmp.Compare(s.Team, o.Team), cmp.Compare(s.Request, o.Request))
}

// PlanDigest names these steps of an environment, so that a person can approve exactly that. It is the same at whatever
// commit they happen, and empty where there are none.
func PlanDigest(environment string, steps []PlanStep) string {
	if len(steps) == 0 {
		return ""
	}
	steps = slices.SortedFunc(slices.Values(steps), PlanStep.compare)
	return platform.Digest(map[string]any{"environment": environment, "placements": steps})
}

// NamespacesDigest names changes of an environment's namespaces, given as the revisions before and after by file; empty: there
// is none.
func NamespacesDigest(environment string, changed map[string][2]string) string {
	if len(changed) == 0 {
		return ""
	}
	return platform.Digest(map[string]any{"environment": environment, "namespaces": changed})
}

func (p Proposal) key() platform.RequestKey {
	if p.Next != nil {
		return p.Next.Key
	}
	return p.Base.Key
}

// placementsOf are a release's placements.
func placementsOf(r *Release) map[string]Placement {
	if r == nil {
		return nil
	}
	return r.Clusters
}
