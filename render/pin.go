package render

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/render/platform"
)

// pinClusters returns the identities of the environment's clusters: those that their files accept, else those that were pinned first.
func pinClusters(p *platform.Platform, env *platform.Environment, base *Base) map[string]string {
	pins := map[string]string{}
	for name, cluster := range p.Clusters {
		pinned, member := base.Fleet.Clusters[name]
		if !member {
			pinned, member = base.Pins[name]
		}
		if !member && !hasMember(env, cluster) {
			continue
		}
		if cluster.UID != "" {
			pinned = cluster.UID
		}
		if pinned != "" {
			pins[name] = pinned
		}
	}
	unpinTwins(pins, base.Fleet.Clusters)
	return pins
}

// unpinTwins leaves out a name that is new for a cluster that another name of the environment is pinned to: it is written to
// under the name that it had, else under the first.
func unpinTwins(pins, before map[string]string) {
	had := func(name string) bool { return before[name] == pins[name] }
	names := slices.Sorted(maps.Keys(pins))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case had(a) == had(b):
			return 0
		case had(a):
			return -1
		}
		return 1
	})
	known := map[string]bool{}
	for _, name := range names {
		uid := pins[name]
		if known[uid] && !had(name) {
			delete(pins, name)
		}
		known[uid] = true
	}
}

// hasMember reports whether the environment selects the cluster.
func hasMember(env *platform.Environment, c *platform.Cluster) bool {
	return !c.Broken && env.Clusters != nil && env.Clusters.Matches(labels.Set(c.Labels))
}
