// Package tidy finds decisions that decide nothing any more.
//
// In come a platform, the releases that its environments run, and the time; out come the files that may go, each with its reason. A
// decision of which that is not known stays. The package removes nothing.
package tidy

import (
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/render"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Obsolete is the file of decisions that decide nothing any more.
type Obsolete struct {
	File   string        `json:"file"`
	Kind   decision.Kind `json:"kind"`
	Reason string        `json:"reason"`
}

// Find lists the files of a platform that may go, sorted: Approvals that all Release files record as used, and decisions that have
// ended. An Approval of many things goes when each of them is used.
func Find(p *platform.Platform, running states.States, now time.Time) []Obsolete {
	all := []Obsolete{}
	byFile := map[string][]*platform.Decision{}
	for _, d := range p.Decisions {
		byFile[d.File] = append(byFile[d.File], d)
	}
	for file, decisions := range byFile {
		reason := ""
		for _, d := range decisions {
			if reason = obsolete(p, running, d, now); reason == "" {
				break
			}
		}
		if reason != "" {
			all = append(all, Obsolete{file, decisions[0].Kind, reason})
		}
	}
	slices.SortFunc(all, func(a, b Obsolete) int { return strings.Compare(a.File, b.File) })
	return all
}

// obsolete is why a decision decides nothing any more; empty if it may.
func obsolete(p *platform.Platform, running states.States, d *platform.Decision, now time.Time) string {
	base := running.Base(d.Environment)
	switch {
	case d.Broken:
		return ""
	case !d.Until.IsZero() && d.Until.Before(now):
		return "ended at " + d.Until.UTC().Format(time.RFC3339)
	case d.Kind != decision.Approval, base == nil:
		return ""
	case d.Release != "" && d.Request != nil:
		return ofRelease(base.Releases[*d.Request], d, mayCome(p, running, d))
	case d.Version != "":
		return ofVersion(p, base, d)
	case d.Plan != "":
		return ofPlan(base, d)
	}
	return ""
}

// ofRelease is why an Approval of a release or a removal is used: its record has that, and has arrived with it or gone on. One that ran
// before and may come again needs its Approval again.
func ofRelease(r *state.Release, d *platform.Decision, again bool) string {
	if r == nil {
		return ""
	}
	arrived := r.Digest == d.Release && r.Promotion.Rollout == nil
	ran := slices.ContainsFunc(r.Promotion.Ran, func(ran state.Ran) bool { return ran.Digest == d.Release })
	if arrived || ran && !again {
		return "used: " + d.Environment + " took what it approves"
	}
	return ""
}

// mayCome says whether a release that an Approval names is on its way to the environment, or may be: the head asks for it, or an
// environment before has it, or nobody looked there.
func mayCome(p *platform.Platform, running states.States, d *platform.Decision) bool {
	asks := func(i *platform.Instance) bool { return i.Request.Key == *d.Request && i.Release == d.Release }
	if slices.ContainsFunc(p.Instances(d.Environment), asks) {
		return true
	}
	e := p.Environments[d.Environment]
	return e != nil && slices.ContainsFunc(e.PromotesFrom, func(up string) bool {
		base := running.Base(up)
		return base == nil || base.Releases[*d.Request] != nil && base.Releases[*d.Request].Digest == d.Release
	})
}

// ofVersion is why an Approval of a version is used: every instance of the offering has it or a later one, and one came by it.
func ofVersion(p *platform.Platform, base *render.Base, d *platform.Decision) string {
	approved, err := semver.NewVersion(d.Version)
	if err != nil {
		return ""
	}
	named := false
	for _, r := range base.Releases {
		if r.Offering != d.Offering || r.Absent {
			continue
		}
		runs, err := semver.NewVersion(r.Version)
		if err != nil || runs.LessThan(approved) || r.Promotion.Rollout != nil {
			return ""
		}
		named = named || names(r, d)
	}
	for _, i := range p.Instances(d.Environment) {
		if i.Offering.Name == d.Offering && base.Releases[i.Request.Key] == nil {
			return ""
		}
	}
	if !named {
		return ""
	}
	return "used: every request for " + d.Offering + " in " + d.Environment + " has that version or a later one"
}

// ofPlan is why the Approval of a change of the environment is used: a record has come by it, and none is still on its way.
func ofPlan(base *render.Base, d *platform.Decision) string {
	named := false
	for _, r := range base.Releases {
		if names(r, d) && r.Promotion.Rollout != nil {
			return ""
		}
		named = named || names(r, d)
	}
	if !named {
		return ""
	}
	return "used: " + d.Environment + " took the change that it approves"
}

// names says whether a record names the file of a decision among the gates that it passed.
func names(r *state.Release, d *platform.Decision) bool {
	return slices.ContainsFunc(r.Promotion.Gates, func(g state.PassedGate) bool { return g.Decision == d.File })
}
