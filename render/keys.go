package render

import (
	"fmt"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Keys returns the render keys that an instance would have in its environment, by cluster, with the outputs of its providers
// as the base has them. It builds nothing. Problems say why there are none: a provider does not run there, or an expression
// fails.
func (r *Renderer) Keys(p *platform.Platform, environment string, base *Base, i *platform.Instance) (map[string]string, []platform.Problem) {
	if p.Environments[environment] == nil {
		return nil, []platform.Problem{{Rule: "not-found", Message: fmt.Sprintf("the platform has no environment %s", environment)}}
	}
	runs := running{platform: p, environment: environment, outputs: func(k platform.RequestKey) (map[string]any, bool) {
		if base == nil || base.Releases[k] == nil || base.Releases[k].Absent {
			return nil, false
		}
		return base.Releases[k].Outputs, true
	}}
	bound, waiting := runs.bound(i)
	if len(waiting) > 0 {
		return nil, waiting
	}
	var record *state.Release
	if base != nil {
		record = base.Releases[i.Request.Key]
	}
	m := r.memories.of(environment)
	e := m.evaluation(i)
	if !e.holds(bound, record) {
		e = evaluate(i, bound, record)
		m.prospects.put(i, e)
	}
	if len(e.problems) > 0 {
		return nil, e.problems
	}
	return e.keys(), nil
}

// keys are the evaluation's render keys by cluster.
func (e *evaluation) keys() map[string]string {
	keys := make(map[string]string, len(e.placements))
	for _, placed := range e.placements {
		keys[placed.cluster.Name] = placed.key
	}
	return keys
}
