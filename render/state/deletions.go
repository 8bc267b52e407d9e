package state

import (
	"cmp"
	"slices"

	"transom.dev/render/platform"
)

// DeletedPlacement is a placement that is to be deleted.
type DeletedPlacement struct {
	Cluster string `json:"cluster"`
	Team    string `json:"team"`
	Request string `json:"request"`
}

// DeletionsDigest names these deletions of an environment, so that a person can approve exactly them; empty where there are none.
func DeletionsDigest(environment string, deletions []DeletedPlacement) string {
	if len(deletions) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(deletions), func(a, b DeletedPlacement) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Team, b.Team), cmp.Compare(a.Request, b.Request))
	})
	return platform.Digest(map[string]any{"environment": environment, "deletions": sorted})
}
