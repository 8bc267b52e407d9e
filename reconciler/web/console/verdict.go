package console

import (
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A verdict is the one word that a placement, or a release that waits, gets.
type verdict string

// The verdicts beside the healths of state.
const (
	problem  verdict = "Problem"
	rejected verdict = "Rejected"
	waiting  verdict = "Waiting"

	healthy = verdict(state.Healthy)
)

// verdicts lists all of them, the one that needs a person most first.
var verdicts = []verdict{
	problem, verdict(state.Failed), rejected, verdict(state.Unknown), verdict(state.Progressing), waiting, verdict(state.Suspended), healthy,
}

// rank is the position of a verdict among all; 0 is the worst.
func (v verdict) rank() int {
	if i := slices.Index(verdicts, v); i >= 0 {
		return i
	}
	return len(verdicts)
}

// Class is the verdict's CSS class.
func (v verdict) Class() string { return strings.ToLower(string(v)) }

// Mark is the verdict's sign: a shape of its own, so that colour is never all there is.
func (v verdict) Mark() string {
	switch v {
	case verdict(state.Healthy):
		return "✓"
	case verdict(state.Suspended):
		return "‖"
	case verdict(state.Progressing):
		return "◔"
	case verdict(state.Failed), rejected:
		return "✕"
	case problem:
		return "!"
	case waiting:
		return "→"
	}
	return "?"
}

// needsSomebody says whether no time mends a verdict.
func (v verdict) needsSomebody() bool {
	return v == problem || v == rejected || v == verdict(state.Failed)
}

// verdictOf judges a placement: its health, or Problem, which outranks it.
func verdictOf(in *status.Instance, p *status.Placement) verdict {
	switch {
	case slices.ContainsFunc(in.Problems, func(p platform.Problem) bool { return !p.Warning }), p != nil && len(p.Problems) > 0:
		return problem
	case p != nil && p.Health != "":
		return verdict(p.Health)
	case p == nil && len(in.Waiting) > 0:
		return waitingVerdict(in)
	}
	return verdict(state.Unknown)
}

// waitingVerdict judges the release that would enter next; empty: none waits. One that failed here before is Rejected, which no time mends.
func waitingVerdict(in *status.Instance) verdict {
	if len(in.Waiting) == 0 {
		return ""
	}
	if slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return g.Name == gate.Rejected }) {
		return rejected
	}
	return waiting
}

// verdictsOf are those of an instance's placements, and of the release that waits.
func verdictsOf(in *status.Instance) []verdict {
	if len(in.Placements) == 0 {
		return []verdict{verdictOf(in, nil)}
	}
	var all []verdict
	for i := range in.Placements {
		all = append(all, verdictOf(in, &in.Placements[i]))
	}
	if v := waitingVerdict(in); v != "" {
		all = append(all, v)
	}
	return all
}

// reason is the first thing that a person would want to know of a placement that is not healthy.
func reason(in *status.Instance, p *status.Placement) string {
	for _, problem := range in.Problems {
		if !problem.Warning {
			return problem.String()
		}
	}
	if p != nil && len(p.Problems) > 0 {
		return strings.TrimPrefix(p.Problems[0].Object+": "+p.Problems[0].Message, ": ") // one of the cluster names no object
	}
	if p != nil && p.Message != "" {
		return p.Message
	}
	if in.Rollout != nil {
		return in.Rollout.Stopped
	}
	return ""
}
