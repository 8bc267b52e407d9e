package state

import (
	"maps"
	"slices"
	"time"

	"transom.dev/render/platform"
)

// Observed is the value that an object of a cluster had for an output, as it was recorded.
type Observed struct {
	Value any       `json:"value"`
	At    time.Time `json:"at"` // when it was recorded

	// Pace is for how long the value is not replaced; empty: a minute. It doubles while the value keeps changing.
	Pace string `json:"pace,omitempty"`
}

// Is reports whether this is the value that was recorded. A record that was read has integers as YAML does.
func (o Observed) Is(value any) bool { return o.Plain() == value }

// Plain is the value as it was before it was written and read.
func (o Observed) Plain() any {
	if n, isInt := o.Value.(int); isInt {
		return int64(n)
	}
	return o.Value
}

// Observe records the value of an output on a cluster.
func (r *Release) Observe(cluster, output string, seen Observed) {
	all := maps.Clone(r.Observed)
	if all == nil {
		all = map[string]map[string]Observed{}
	}
	values := maps.Clone(all[cluster])
	if values == nil {
		values = map[string]Observed{}
	}
	values[output], all[cluster] = seen, values
	r.Observed = all
}

// KeepObserved has the record go on with the values of the one before it: of the outputs that it observes, too, on its clusters. A
// value that its own output would not take is dropped.
func (r *Release) KeepObserved(before *Release) {
	r.Observed = nil
	for cluster, values := range before.Observed {
		if _, there := r.Clusters[cluster]; !there {
			continue
		}
		for name, seen := range values {
			at := slices.IndexFunc(r.Observes, func(o platform.ObservedOutput) bool { return o.Name == name })
			if at >= 0 && r.Observes[at].Accepts(seen.Value) {
				r.Observe(cluster, name, seen)
			}
		}
	}
}

// OutputsOn are the values of observed outputs that are recorded of a cluster, by output.
func (r *Release) OutputsOn(cluster string) map[string]any {
	var all map[string]any
	for name, seen := range r.Observed[cluster] {
		if all == nil {
			all = map[string]any{}
		}
		all[name] = seen.Value
	}
	return all
}
