package platform

import (
	"cmp"
	"maps"
	"slices"
)

// planStep is what a plan does to one placement.
type planStep struct {
	Cluster string `json:"cluster"`
	Team    string `json:"team"`
	Request string `json:"request"`
	Before  string `json:"before"` // render key; empty: it is new
	After   string `json:"after"`  // render key; empty: it is removed
}

// PlanDigest names what proposals change in an environment, so that a person can approve exactly that: a digest over every
// placement whose render key differs, with the keys before and after. It is the same at whatever commit that happens, and
// empty where no placement changes.
func PlanDigest(environment string, proposals []Proposal) string {
	var steps []planStep
	for _, proposal := range proposals {
		k, was, is := proposal.key(), placementsOf(proposal.Base), placementsOf(proposal.Next)
		clusters := maps.Clone(was)
		maps.Copy(clusters, is)
		for cluster := range clusters {
			if s := (planStep{cluster, k.Team, k.Name, was[cluster], is[cluster]}); s.Before != s.After {
				steps = append(steps, s)
			}
		}
	}
	if len(steps) == 0 {
		return ""
	}
	slices.SortFunc(steps, func(a, b planStep) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Team, b.Team), cmp.Compare(a.Request, b.Request))
	})
	return Digest(map[string]any{"environment": environment, "placements": steps})
}

func (p Proposal) key() RequestKey {
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
