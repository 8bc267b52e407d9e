package render

import (
	"maps"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// outputs are all that a release tells those that are bound to it: the values that are computed, and those that are recorded of
// clusters, of which a consumer gets its own cluster's.
type outputs struct {
	computed map[string]any
	observes []platform.ObservedOutput
	observed map[string]map[string]state.Observed // by cluster and output
	examples []any                                // of observes, that stand for values that nobody has; nil: none do
}

// outputsOf are those of a record.
func outputsOf(r *state.Release) outputs {
	return outputs{computed: r.Outputs, observes: r.Observes, observed: r.Observed}
}

// on returns the values that a consumer on a cluster is given.
func (o outputs) on(cluster string) map[string]any {
	if len(o.observes) == 0 {
		return o.computed
	}
	values := maps.Clone(o.computed)
	if values == nil {
		values = map[string]any{}
	}
	for n, one := range o.observes {
		if seen, recorded := o.observed[cluster][one.Name]; recorded && one.Accepts(seen.Value) {
			values[one.Name] = seen.Plain()
		} else if o.examples != nil {
			values[one.Name] = o.examples[n]
		}
	}
	return values
}

// observe reports whether an output is one that is observed.
func (o outputs) observe(name string) bool {
	return slices.ContainsFunc(o.observes, func(one platform.ObservedOutput) bool { return one.Name == name })
}

// given are the outputs that an instance is given: by binding and, where some of them are observed, by cluster.
type given struct {
	computed map[string]map[string]any
	observed map[string][]string                  // by binding: the outputs that are observed; nil: none
	urgent   map[string][]string                  // those of them whose values do not wait for windows and Approvals; nil: none
	own      map[string]map[string]map[string]any // by cluster and binding; nil: they are the same everywhere
}

// on returns those for a cluster, by binding.
func (g given) on(cluster string) map[string]map[string]any {
	if g.own == nil {
		return g.computed
	}
	return g.own[cluster]
}

// add gives an instance the outputs of one binding on its clusters.
func (g *given) add(i *platform.Instance, binding string, o outputs) {
	if len(o.observes) == 0 {
		g.computed[binding] = o.computed
		for _, values := range g.own {
			values[binding] = o.computed
		}
		return
	}
	for _, one := range o.observes {
		list(&g.observed, binding, one.Name)
		if one.Urgent {
			list(&g.urgent, binding, one.Name)
		}
	}
	if g.own == nil {
		g.own = map[string]map[string]map[string]any{}
		for _, c := range i.Clusters {
			g.own[c.Name] = maps.Clone(g.computed)
		}
	}
	for _, c := range i.Clusters {
		g.own[c.Name][binding] = o.on(c.Name)
	}
}

// list adds an output to those of a binding.
func list(outputs *map[string][]string, binding, output string) {
	if *outputs == nil {
		*outputs = map[string][]string{}
	}
	(*outputs)[binding] = append((*outputs)[binding], output)
}

// reshape finds out whether objects come or go where urgent values alone change the bytes, as by the condition of a component or by
// a value of a chart.
func (o writtenObjects) reshape(c *candidate, placed *placement, now []objectID) error {
	before := placementOf(c.base, placed.cluster.Name)
	if placed.urgentKey == "" || placed.urgentKey != before.UrgentKey {
		return nil
	}
	was, err := o.at(state.ManifestFile(placed.cluster.Name, c.key()), before.Revision)
	if err != nil {
		return err
	}
	placed.reshapes = !maps.Equal(countedObjects(was), countedObjects(now))
	return nil
}

// reshapes reports whether objects come or go somewhere as urgent values alone change the bytes.
func (c *candidate) reshapes() bool {
	return slices.ContainsFunc(c.placements, func(p *placement) bool { return p.reshapes })
}

// countedObjects counts objects. ConfigMaps and Secrets are told by no name, as those that are generated have other names with other values.
func countedObjects(objects []objectID) map[objectID]int {
	counts := map[objectID]int{}
	for _, id := range objects {
		if id.group == "" && (id.kind == "ConfigMap" || id.kind == "Secret") {
			id.name = ""
		}
		counts[id]++
	}
	return counts
}

// urgentKeyNow is the urgent key of the placement that the record has. There is none in a change by which objects come or go, so that it is
// not urgent, and waits as any other. The record gets the key once the bytes are there.
func (p *placement) urgentKeyNow() string {
	if p.reshapes {
		return ""
	}
	return p.urgentKey
}
