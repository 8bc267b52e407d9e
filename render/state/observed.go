package state

import "time"

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
