package preview

import (
	"maps"
	"slices"

	"transom.dev/render"
	"transom.dev/render/state"
)

// Digest names the changes of the State below clusters/, so that a person can approve exactly that: the digest that
// state.PlanDigest has of its placements, where any changes. A cluster that is let go of needs nobody's approval. Where
// only existing namespaces change it is a digest over these.
func Digest(before *render.Base, after *render.State) (string, error) {
	var proposals []state.Proposal
	for k, release := range after.Releases {
		base := before.Releases[k]
		if base != nil && slices.ContainsFunc(after.LetGo, func(cluster string) bool { return base.Clusters[cluster].Revision != "" }) {
			remaining := maps.Clone(base.Clusters)
			for _, cluster := range after.LetGo {
				delete(remaining, cluster)
			}
			base = base.WithClusters(remaining)
		}
		proposals = append(proposals, state.Proposal{Base: base, Next: release})
	}
	if digest := state.PlanDigest(after.Environment, state.PlanSteps(proposals...)); digest != "" {
		return digest, nil
	}
	changed := map[string][2]string{}
	for _, file := range manifestFiles(after) {
		if _, _, ok := state.ParseNamespaceFile(file); !ok {
			continue
		}
		was, err := before.Read(file)
		if err != nil {
			return "", err
		}
		if was != nil {
			changed[file] = [2]string{state.Revision(was), state.Revision(after.Changes[file])}
		}
	}
	return state.NamespacesDigest(after.Environment, changed), nil
}
