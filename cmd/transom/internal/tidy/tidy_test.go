package tidy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/tidy"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestUsedApprovalsAndEndedDecisionsMayGo(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	key := func(name string) platform.RequestKey { return platform.RequestKey{Team: "shop", Name: name} }
	one, two, coming := key("one"), key("two"), key("coming")
	by := func(file string) state.Promotion {
		return state.Promotion{Gates: []state.PassedGate{{Gate: "approval", Decision: "decisions/prod/" + file + ".yaml"}}}
	}
	onItsWay := by("plan-under-way")
	onItsWay.Rollout = &state.Rollout{}
	ran := by("version")
	ran.Ran = []state.Ran{{Digest: "sha256:before"}, {Digest: "sha256:again"}}
	before := &render.Base{Releases: map[platform.RequestKey]*state.Release{one: {Key: one, Digest: "sha256:again"}}}
	base := &render.Base{Releases: map[platform.RequestKey]*state.Release{
		one:            {Key: one, Digest: "sha256:one", Offering: "web", Version: "1.1.0", Promotion: ran},
		two:            {Key: two, Digest: "sha256:two", Offering: "web", Version: "1.2.0", Promotion: by("plan")},
		coming:         {Key: coming, Digest: "sha256:coming", Offering: "db", Version: "2.0.0", Promotion: onItsWay},
		key("removed"): {Key: key("removed"), Digest: "sha256:removal", Absent: true, Offering: "web", Version: "1.0.0"},
	}}
	removed := key("removed")
	decisions := map[string]platform.Decision{
		"runs": {Request: &one, Release: "sha256:one"}, "ran": {Request: &one, Release: "sha256:before"},
		"comes-again": {Request: &one, Release: "sha256:again"},
		"waits":       {Request: &one, Release: "sha256:next"}, "on-its-way": {Request: &coming, Release: "sha256:coming"},
		"removal": {Request: &removed, Release: "sha256:removal"}, "nowhere": {Request: &platform.RequestKey{Team: "a", Name: "b"}, Release: "sha256:one"},
		"version": {Offering: "web", Version: "1.1.0"}, "higher": {Offering: "web", Version: "1.2.0"}, "never": {Offering: "web", Version: "1.0.0"},
		"plan": {Plan: "sha256:plan"}, "plan-under-way": {Plan: "sha256:p"}, "plan-waits": {Plan: "sha256:q"},
		"deletions": {Deletions: "sha256:d"}, "adoption": {Adoption: "sha256:a"}, "broken": {Request: &one, Release: "sha256:one", Broken: true},
		"ended": {Kind: "Pin", Request: &one, Until: now.Add(-time.Second)}, "holds": {Kind: "Hold"}, "until": {Kind: "Override", Request: &one, Until: now},
	}
	p := &platform.Platform{Environments: map[string]*platform.Environment{
		"prod": {Name: "prod", PromotesFrom: []string{"staging"}}, "staging": {Name: "staging"}, "dev": {Name: "dev"},
	}}
	for name, d := range decisions {
		d.File, d.Environment = "decisions/prod/"+name+".yaml", "prod"
		if d.Kind == "" {
			d.Kind = "Approval"
		}
		p.Decisions = append(p.Decisions, &d)
	}
	many := func(file string, releases ...string) {
		for _, release := range releases {
			p.Decisions = append(p.Decisions, &platform.Decision{
				Kind: "Approval", File: "decisions/prod/" + file + ".yaml", Environment: "prod", Request: &one, Release: release,
			})
		}
	}
	many("many-used", "sha256:one", "sha256:before")
	many("many-waits", "sha256:one", "sha256:next")
	p.Decisions = append(p.Decisions, &platform.Decision{Kind: "Approval", File: "decisions/dev/unread.yaml", Environment: "dev", Request: &one, Release: "sha256:one"})

	found := map[string]string{}
	for _, l := range tidy.Find(p, states.States{
		{Environment: "prod", Looked: true, Base: base}, {Environment: "staging", Looked: true, Base: before}, {Environment: "dev"},
	}, now) {
		found[l.File] = l.Reason
	}
	took := "used: prod took what it approves"
	require.Equal(t, map[string]string{
		"decisions/prod/runs.yaml": took, "decisions/prod/ran.yaml": took, "decisions/prod/removal.yaml": took, "decisions/prod/many-used.yaml": took,
		"decisions/prod/version.yaml": "used: every request for web in prod has that version or a later one",
		"decisions/prod/plan.yaml":    "used: prod took the change that it approves",
		"decisions/prod/ended.yaml":   "ended at 2026-04-30T23:59:59Z",
	}, found)
}
