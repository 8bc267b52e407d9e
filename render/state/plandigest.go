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

// PlanSteps are the changes that proposals make to every placement whose render key differs, sorted.
func PlanSteps(proposals ...Proposal) (steps []PlanStep) {
	for _, proposal := range proposals {
		k, was, is := proposal.key(), placementsOf(proposal.Base), placementsOf(proposal.Next)
		clusters := maps.Clone(was)
		maps.Copy(clusters, is)
		for cluster := range clusters {
			if s := (PlanStep{cluster, k.Team, k.Name, was[cluster], is[cluster]}); s.Before != s.After {
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

// placementsOf is a release's render key on each cluster.
func placementsOf(r *Release) map[string]string {
	keys := map[string]string{}
	if r != nil {
		for cluster, placed := range r.Clusters {
			keys[cluster] = placed.RenderKey
		}
	}
	return keys
}
