package plan

import (
	"fmt"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// Unproven is a release that no upstream environment can prove, so that it waits for an Approval of exactly itself.
type Unproven struct {
	Team    string `json:"team"`
	Request string `json:"request"`
	Release string `json:"release"`
}

// stepsInto lists the gates and waves between a change and its environment, in the order in which the change meets them.
func (o *forecast) stepsInto(e *platform.Environment, promoted bool, before *render.Base, after *render.State, leave []platform.RequestKey) (steps []string) {
	if promoted {
		step := "once healthy in " + strings.Join(e.PromotesFrom, " and ")
		if e.Gates.Soak > 0 && !o.skipsSoak(e.Name, before, after, leave) {
			step += " for " + e.Gates.Soak.String()
		}
		steps = append(steps, step)
	}
	if e.Gates.Approval == "required" && !o.isApproved(e.Name, before, after, leave) {
		steps = append(steps, "once approved")
	}
	if len(e.Windows) > 0 {
		steps = append(steps, "while its windows are open")
	}
	for _, c := range e.Gates.Checks {
		step := fmt.Sprintf("once check %s passes", c.Name)
		if c.For > 0 {
			step += " for " + c.For.String()
		}
		steps = append(steps, step)
	}
	if len(e.Rollout.Waves) > 1 {
		var names []string
		for _, wave := range e.Rollout.Waves {
			names = append(names, wave.Name)
		}
		steps = append(steps, "wave by wave: "+strings.Join(names, ", then "))
	}
	for _, c := range e.Rollout.Checks {
		steps = append(steps, fmt.Sprintf("checked by %s for %s on each cluster", c.Name, c.For))
	}
	if n, i := largestGroup(before, after, leave), e.Rollout.Instances; n > i.First && n > 1 {
		at := i.MaxConcurrent
		if !strings.HasSuffix(at, "%") {
			at = "at most " + at
		}
		steps = append(steps, fmt.Sprintf("%s first, then %s at a time", terminal.Count(i.First, "request"), at))
	}
	return steps
}

// leaves lists the clusters that requests leave last, without the requests whose change is on its way already.
func (o *forecast) leaves(before *render.Base, after *render.State, onTheirWay []platform.RequestKey) []preview.Departure {
	all := preview.Departures(o.platform, before, after)
	for i := range all {
		all[i].Requests = slices.DeleteFunc(all[i].Requests, func(k platform.RequestKey) bool { return slices.Contains(onTheirWay, k) })
	}
	return slices.DeleteFunc(all, func(d preview.Departure) bool { return len(d.Requests) == 0 })
}

// departureLines says which clusters requests leave last, after which clusters, and which Approval lets them leave at once.
func (e Environment) departureLines() (lines []string) {
	for _, d := range e.Leaves {
		leave, are := "leaves", "is"
		if len(d.Requests) > 1 {
			leave = "leave"
		}
		if len(d.After) > 1 {
			are = "are"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s last, after %s %s healthy and soaked",
			few(union(nil, d.Requests)), leave, d.Cluster, strings.Join(d.After, ", "), are))
	}
	if digest := preview.AtOnce(e.Name, e.Leaves); digest != "" {
		lines = append(lines, fmt.Sprintf("now: true waits for no cluster once an Approval of {deletions: %s} is merged", digest))
	}
	return lines
}

// largestGroup counts the requests of the largest group that a new version or an environment change rolls out over, without
// those that are on their way already.
func largestGroup(before *render.Base, after *render.State, leave []platform.RequestKey) (most int) {
	groups := map[string]int{}
	for k, release := range after.Releases {
		was := before.Releases[k]
		if release.Absent || was == nil || was.Absent || !changesBytes(was, release) || slices.Contains(leave, k) {
			continue
		}
		switch {
		case was.VersionDigest != release.VersionDigest:
			groups[release.Offering+"@"+release.Version]++
		case was.Digest == release.Digest:
			groups[""]++
		}
	}
	for _, n := range groups {
		most = max(most, n)
	}
	return most
}

// unproven lists the releases that come to an environment once promoted and that no environment before it can prove.
func (o *forecast) unproven(name string, leave []platform.RequestKey) (all []Unproven) {
	e, to := o.platform.Environments[name], o.of[name]
	for _, k := range sorted(to.Standings) {
		approvals := 0
		for _, g := range to.Standings[k].Gates {
			if g.Name == gate.Approval {
				approvals++
			}
		}
		if e.Gates.Approval == "required" {
			approvals-- // that all needs
		}
		if c := to.Standings[k].Candidate; c != nil && !to.Standings[k].Removal && approvals > 0 && !slices.Contains(leave, k) {
			all = append(all, Unproven{k.Team, k.Name, c.Digest})
		}
	}
	return all
}

// changesBytes says whether a release changes bytes.
func changesBytes(was, is *state.Release) bool {
	if was == nil || len(was.Clusters) != len(is.Clusters) {
		return true
	}
	for cluster, placed := range is.Clusters {
		if was.Clusters[cluster].RenderKey != placed.RenderKey {
			return true
		}
	}
	return false
}

// unknown notes the facts that are not known of an environment whose state is not read.
func unknown(names []string, p *platform.Platform) (notes []string) {
	for _, name := range names {
		if e := p.Environments[name]; e != nil && len(e.PromotesFrom) > 0 {
			notes = append(notes, fmt.Sprintf("what is on its way to %s, or is held, pinned or rejected there, is not known: pass --state", name))
		}
	}
	return notes
}
