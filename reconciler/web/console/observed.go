package console

import (
	"maps"
	"slices"

	"transom.dev/reconciler/status"
)

// observed are the recorded values of observed outputs, cluster by cluster, and those that are not recorded as they are now.
func observed(placements []status.Placement) (all []output) {
	for _, p := range placements {
		for _, name := range slices.Sorted(maps.Keys(p.Outputs)) {
			all = append(all, output{name + " on " + p.Cluster, text(p.Outputs[name])})
		}
		for _, line := range p.Unrecorded() {
			all = append(all, output{"not recorded on " + p.Cluster, line})
		}
	}
	return all
}
