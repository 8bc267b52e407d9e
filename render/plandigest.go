package render

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"transom.dev/render/platform"
)

// A step is what a plan does to one placement. Of a team's namespace, which has no request, the keys are revisions.
type step struct {
	Cluster string `json:"cluster"`
	Team    string `json:"team"`
	Request string `json:"request"`
	Before  string `json:"before"` // render key; empty: it is new
	After   string `json:"after"`  // render key; empty: it is removed or let go
}

// PlanDigest names what the State changes below clusters/, so that a person can approve exactly that: a digest over
// every placement with its render key before and after. It is the same at whatever commit that happens, and empty
// where no placement changes.
func PlanDigest(before *Base, after *State) (string, error) {
	steps := placementSteps(before, after)
	namespaces, err := namespaceSteps(before, after)
	if err != nil {
		return "", err
	}
	steps = append(steps, namespaces...)
	if len(steps) == 0 {
		return "", nil
	}
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Team, b.Team), cmp.Compare(a.Request, b.Request))
	})
	return platform.Digest(map[string]any{"environment": after.Environment, "placements": steps}), nil
}

func placementSteps(before *Base, after *State) (steps []step) {
	for k, release := range after.Releases {
		was, is := placementsOf(before.Releases[k]), placementsOf(release)
		clusters := maps.Clone(was)
		maps.Copy(clusters, is)
		for cluster := range clusters {
			if s := (step{cluster, k.Team, k.Name, was[cluster], is[cluster]}); s.Before != s.After {
				steps = append(steps, s)
			}
		}
	}
	return steps
}

// placementsOf is a release's render key on each cluster.
func placementsOf(r *platform.Release) map[string]string {
	keys := map[string]string{}
	if r != nil {
		for cluster, placed := range r.Clusters {
			keys[cluster] = placed.RenderKey
		}
	}
	return keys
}

func namespaceSteps(before *Base, after *State) (steps []step, err error) {
	for file, content := range after.Changes {
		if path.Base(file) != namespaceFile {
			continue
		}
		was, err := before.read(file)
		if err != nil {
			return nil, err
		}
		at := strings.Split(file, "/")
		steps = append(steps, step{Cluster: at[1], Team: at[2], Before: revisionOf(was), After: revisionOf(content)})
	}
	return steps, nil
}

func revisionOf(manifest []byte) string {
	if manifest == nil {
		return ""
	}
	return Revision(manifest)
}
