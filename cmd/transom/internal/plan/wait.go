package plan

import (
	"fmt"
	"slices"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// A Wait is a gate that is closed for requests of an environment even when all that runs is healthy and has soaked.
type Wait struct {
	Environment string                `json:"environment"`
	Requests    []platform.RequestKey `json:"requests"` // sorted
	Gate        gate.Name             `json:"gate"`
	Reason      string                `json:"reason"`
	Opens       string                `json:"opens"`
	At          *time.Time            `json:"at,omitempty"`     // when it opens by itself
	Counts      string                `json:"counts,omitempty"` // an Approval that opens it: with-this-merge, or later

	steps bool // all changes of the environment meet the gate
	keeps bool // the gate keeps requests as they are: it is printed with their changes
}

// The merges in which an Approval of a change counts.
const (
	countsNow   = "with-this-merge" // also the one that brings the change
	countsLater = "later"
)

// waits are those of an environment, without those of requests whose change was merged before.
func (o *forecast) waits(name string, leave []platform.RequestKey) []Wait {
	all := o.waitsOf(name, func(k platform.RequestKey, _ promotion.Gate) bool { return !slices.Contains(leave, k) })
	counts := countsNow
	if o.platform.Environments[name].Gates.Separate {
		counts = countsLater
	}
	for i := range all {
		if all[i].Gate == gate.Approval {
			all[i].Counts = counts
		}
	}
	return all
}

// stuck are the waits of requests whose change was merged before and stays where it is until a person or another release lets it on.
func (o *forecast) stuck(name string, merged []platform.RequestKey) []Wait {
	standings := o.of[name].Standings
	return o.waitsOf(name, func(k platform.RequestKey, g promotion.Gate) bool {
		return slices.Contains(merged, k) && standings[k].Kept() && standings[k].Keeps(g)
	})
}

// waitsOf are those of an environment that are asked for, each with its requests.
func (o *forecast) waitsOf(name string, asked func(platform.RequestKey, promotion.Gate) bool) (all []Wait) {
	e, to := o.platform.Environments[name], o.of[name]
	for _, k := range sorted(to.Standings) {
		for _, g := range to.Standings[k].Gates {
			if !asked(k, g) {
				continue
			}
			same := func(w Wait) bool { return w.Gate == g.Name && w.Reason == g.Reason && w.Opens == g.Opens }
			at := slices.IndexFunc(all, same)
			if at < 0 {
				at, all = len(all), append(all, newWait(e, to.Standings[k], g))
			}
			all[at].Requests = append(all[at].Requests, k)
		}
	}
	return all
}

// newWait makes the Wait of a closed gate, for no request yet.
func newWait(e *platform.Environment, s *promotion.Standing, g promotion.Gate) Wait {
	w := Wait{Environment: e.Name, Gate: g.Name, Reason: g.Reason, Opens: g.Opens}
	if !g.At.IsZero() {
		w.At = &g.At
	}
	w.steps, w.keeps = s.IsStep(g), s.Keeps(g)
	return w
}

// keptLines are the lines about the gates that keep requests of an environment as they are.
func keptLines(waits []Wait) (lines []string) {
	for _, w := range waits {
		if w.keeps {
			lines = append(lines, w.line())
		}
	}
	return lines
}

// line names the requests that wait, the reason, and the opener.
func (w Wait) line() string {
	line := fmt.Sprintf("%s: %s; opened by %s", few(union(nil, w.Requests)), w.Reason, w.Opens)
	switch w.Counts {
	case countsNow:
		line += ", which may come with this merge"
	case countsLater:
		line += ", which counts in a later merge"
	}
	return line
}
