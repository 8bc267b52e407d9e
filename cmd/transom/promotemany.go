package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// allThatWaits begins the Approval of all that waits for one in the environment, as the daemon says: the releases of a team, or
// those of all teams, the environment's change and its deletions. A release that failed there is omitted: somebody has to look
// at it before it comes again.
func (o *promoteOptions) allThatWaits(ctx context.Context, team string) (*decisionFile, []string, error) {
	s, err := o.records.client.Status(ctx, client.Selection{Team: team, Environment: o.environment, Objects: "none"})
	if err != nil {
		return nil, nil, err
	}
	var items, notes []string
	add := func(comment, item string) { items = append(items, "  # "+comment+"\n  - {"+item+"}") }
	for _, in := range s.Instances {
		if in.Environment != o.environment || in.Candidate == nil || !isClosed(in, gate.Approval) {
			continue
		}
		if isClosed(in, gate.Rejected) {
			notes = append(notes, fmt.Sprintf("%s is left out, because its release failed there; promote it by itself", in.Request))
			continue
		}
		c := in.Candidate
		known := knownRelease{c.Release, cmp.Or(c.Offering, in.Offering), c.Version, c.Commit, c.Absent, false, in.Waiting}
		add(known.String(), fmt.Sprintf("request: %s, release: %q", in.Request, c.Release))
		for _, note := range o.notes(&known) {
			notes = append(notes, in.Request.String()+": "+note)
		}
	}
	for _, e := range s.Environments {
		waits := e.Plan != "" || e.Deletions != ""
		switch {
		case e.Name != o.environment || !waits:
		case team != "":
			notes = append(notes, "a change of the environment or deletions wait as well, for all teams: --all approves them too")
		default:
			if e.Plan != "" {
				add("the change of the environment", fmt.Sprintf("plan: %q", e.Plan))
			}
			if e.Deletions != "" {
				add("deletions over the limit", fmt.Sprintf("deletions: %q", e.Deletions))
			}
		}
	}
	whose := cmp.Or(team, "all")
	if len(items) == 0 {
		return nil, nil, fmt.Errorf("nothing of %s waits for an Approval in %s%s", cmp.Or(team, "any team"), o.environment, said(notes))
	}
	list := strings.Join(items, "\n")
	c := &decisionFile{
		kind: decision.Approval, name: fileName(whose, terminal.Short(platform.Digest(list))),
		about: fmt.Sprintf("approve %d that wait, of %s", len(items), cmp.Or(team, "all teams")),
		spec:  []setting{{"items", "\n" + list}},
	}
	return c, notes, nil
}

func isClosed(in status.Instance, name gate.Name) bool {
	return slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return g.Name == name })
}

func hasTeam(p *platform.Platform, name string) bool {
	return slices.ContainsFunc(p.Requests(), func(r *platform.Request) bool { return r.Key.Team == name })
}

// said is the notes as the end of an error.
func said(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return ": " + strings.Join(notes, "; ")
}
