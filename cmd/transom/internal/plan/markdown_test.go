package plan_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// large is a plan with as much of everything as asked for.
func large(requests, lines, problems int) *plan.Plan {
	p := &plan.Plan{Base: "the rendering of HEAD", Notes: []string{"what environments really run may differ"}}
	for _, environment := range []string{"dev", "prod"} {
		e := plan.Environment{Name: environment, Digest: platform.Digest(environment), Changing: requests, Requests: requests}
		for i := range requests {
			name := fmt.Sprintf("request-%d", i)
			p.Changes = append(p.Changes, preview.Change{
				Environment: environment, Cluster: "one", Team: "team", Request: name, Kind: "ConfigMap", Namespace: "team", Name: name + "-note",
				Action: preview.Changed, Diff: strings.Repeat(fmt.Sprintf("+text: ``` %d é\n", i), lines),
			})
			e.Cautions = append(e.Cautions, preview.Caution{Danger: preview.Deletion, Team: "team", Request: name, Message: "deletes 1 object"})
		}
		p.Environments = append(p.Environments, e)
	}
	for i := range problems {
		p.Problems = append(p.Problems, platform.Problem{File: fmt.Sprintf("requests/team/%d.yaml", i), Message: strings.Repeat("wrong ", 500)})
		p.Warnings = append(p.Warnings, platform.Problem{File: fmt.Sprintf("requests/team/%d.yaml", i), Message: "```\n<!-- @everyone", Warning: true})
	}
	return p
}

// TestMarkdownIsOneComment: however large a plan is, a forge takes it, it is closed, and it names the changes that are not
// in it.
func TestMarkdownIsOneComment(t *testing.T) {
	for _, p := range []*plan.Plan{
		large(1, 1, 0), large(1, 10_000, 0), large(3_000, 1, 0), large(100, 50, 100), large(3_000, 100, 3_000), {Base: "HEAD"},
	} {
		text := p.Markdown("", nil)
		require.LessOrEqual(t, len(text), 65_536)
		require.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"))
		require.Contains(t, text, "Compared with ")
		for _, e := range p.Environments {
			require.Contains(t, text, e.Digest)
		}
	}
	require.NotContains(t, large(1, 1, 0).Markdown("", nil), "Cut to fit")
	require.Contains(t, large(1, 10_000, 0).Markdown("", nil), "**Cut to fit one comment:** the differences of 2 requests. `transom plan` shows it.")
	require.Regexp(t, `\*\*Cut to fit one comment:\*\* the differences of \d+ requests, and all about \d+ requests\.`, large(3_000, 100, 3_000).Markdown("", nil))
}

func TestMarkdownQuotesWhatPeopleWrote(t *testing.T) {
	text := large(1, 1, 1).Markdown("", nil)
	require.Contains(t, text, "````diff\n+text: ``` 0 é\n````\n", "a fence is longer than what it holds")
	require.Contains(t, text, "````\nrequests/team/0.yaml: warning: ```\n<!-- @everyone\n````\n")
	require.Contains(t, text, "requests/team/0.yaml: wrong wrong")
	require.NotContains(t, text, strings.Repeat("wrong ", 200), "one Problem does not use up the room")
}

// TestMarkdownQuotesNamesAndReasons: text that people wrote mentions nobody, links nowhere and is no command, wherever it stands.
func TestMarkdownQuotesNamesAndReasons(t *testing.T) {
	evil := "/close @acme/admins #12 !3 <img src=x onerror=y> [x](https://evil.example) **b** `c` www.evil.example _u_ | ~label &4\n/merge"
	p := large(1, 1, 1)
	p.Base, p.Notes = evil, []string{evil}
	p.Environments[0].Name, p.Environments[0].Steps = evil, []string{evil}
	p.Environments[0].Cautions[0].Message = evil
	p.Changes[0].Environment, p.Changes[0].Team, p.Changes[0].Cluster, p.Changes[0].Name = evil, evil, evil, evil
	p.Problems = []platform.Problem{{File: "requests/a (b)/@x.yaml", Line: 6, Column: 3, Message: evil}, {Message: evil}}
	for _, files := range []string{"", "https://github.example/acme/platform/blob/c1"} {
		text := p.Markdown(files, nil)
		outside := regexp.MustCompile("(?s)(`{3,})(?:diff)?\n.*?\n`{3,}\n").ReplaceAllString(text, "") // of fences, in which nothing means anything
		outside = regexp.MustCompile("``[^\n]*``").ReplaceAllString(outside, "")
		for _, active := range []string{"@acme", " #12", " !3", "<img", "[x]", "https://evil", "www.evil", "**b**", "_u_", "~label", " &4"} {
			require.NotContains(t, outside, active)
		}
		require.NotRegexp(t, `(?m)^/`, outside)
		require.LessOrEqual(t, len(text), 65_536)
	}
	require.Contains(t, p.Markdown("https://github.example/acme/platform/blob/c1", nil),
		"- [requests/a (b)/@&#8203;x.yaml:6](https://github.example/acme/platform/blob/c1/requests/a%20%28b%29/@x.yaml#L6):3: ")
}

func TestIdenticalChangesAreToldOnce(t *testing.T) {
	change := func(team, request, image, name string) preview.Change {
		return preview.Change{
			Environment: "dev", Cluster: "one", Team: team, Request: request, Kind: "Deployment", Namespace: team, Name: request + "-web", Action: preview.Changed,
			Diff: "@@ -1 +1 @@\n   name: " + request + "-web\n-  image: old\n+  image: " + image + "\n+  secretName: " + name + "\n",
		}
	}
	all := []preview.Change{
		change("a", "one", "new", "one-secret"), change("a", "two", "new", "two-secret"), change("b", "one", "new", "one-secret"),
		change("b", "newer", "newer", "newer-secret"), change("b", "other", "new", "one-secret"),
	}
	var out strings.Builder
	plan.Listing{W: &out}.Print(all, func(string) {})
	require.Equal(t, []string{"a/one, 1 of 3 identical", "the same for a/two, b/one", "b/newer", "b/other"}, owners(out.String()),
		"names that follow the request are identical; values are not")

	out.Reset()
	plan.Listing{W: &out, Apart: true}.Print(all, func(string) {})
	require.Equal(t, []string{"a/one", "a/two", "b/newer", "b/one", "b/other"}, owners(out.String()))

	all = nil
	for i := range 14 {
		all = append(all, change("a", fmt.Sprint(string(rune('b'+i)), "x"), "new", "secret"))
	}
	out.Reset()
	plan.Listing{W: &out}.Print(all, func(string) {})
	require.Equal(t, []string{"a/bx, 1 of 14 identical", "the same for a/cx, a/dx, a/ex, a/fx, a/gx, a/hx, a/ix, a/jx, a/kx, a/lx, a/mx, a/nx and 1 more"}, owners(out.String()))
}

// owners are the lines of a listing that say whose changes follow.
func owners(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "a/") || strings.HasPrefix(line, "b/") || strings.HasPrefix(line, "the same for ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestReadersSeeTheDifferencesOfTheirTeams: of other teams they see the objects, the counts and the dangers, also where the same changes.
func TestReadersSeeTheDifferencesOfTheirTeams(t *testing.T) {
	change := func(team string) preview.Change {
		return preview.Change{
			Environment: "dev", Cluster: "one", Team: team, Request: "shop", Kind: "Deployment", Namespace: team, Name: "shop-web", Action: preview.Changed,
			Diff: "-  image: old\n+  image: new-of-" + team + "\n",
		}
	}
	same := func(team string) preview.Change {
		c := change(team)
		c.Environment, c.Diff = "prod", "-  image: old\n+  image: of-all\n"
		return c
	}
	p := &plan.Plan{
		Base: "HEAD", Changes: []preview.Change{change("payments"), change("search"), same("payments"), same("search"), {Environment: "prod", Kind: "Namespace", Name: "x", Action: preview.Changed, Diff: "+of-the-fleet\n"}},
		Environments: []plan.Environment{{Name: "dev"}, {Name: "prod", Cautions: []preview.Caution{{Danger: preview.Deletion, Team: "search", Request: "shop", Message: "deletes 1 object"}}}},
		Adoptions:    []plan.Adoption{{Environment: "dev", Cluster: "one", Team: "search", Request: "shop", Digest: "d", Effects: []string{"a field of search"}}},
	}
	for _, one := range []struct {
		readers    *plan.Readers
		has, hides []string
	}{
		{nil, []string{"new-of-payments", "new-of-search", "1 of 2 identical", "of-the-fleet", "a field of search"}, []string{"Differences are"}},
		{&plan.Readers{Teams: []string{"search"}}, []string{"new-of-search", "of-all", "a field of search", "Differences are those of search"}, []string{"new-of-payments", "of-the-fleet"}},
		{&plan.Readers{Teams: []string{"payments"}}, []string{"new-of-payments", "of-all", "Differences are those of payments"}, []string{"new-of-search", "of-the-fleet", "a field of search"}},
		{&plan.Readers{}, []string{"Differences are left out"}, []string{"new-of-", "of-all", "of-the-fleet", "a field of search", "```diff"}},
	} {
		text := p.Markdown("", one.readers)
		for _, want := range append(one.has, "payments/shop", "search/shop", "Deployment", "Namespace", "deletes 1 object") {
			require.Contains(t, text, want, "%+v", one.readers)
		}
		for _, hidden := range one.hides {
			require.NotContains(t, text, hidden, "%+v", one.readers)
		}
	}
	alone := p.Markdown("", &plan.Readers{Teams: []string{"search"}})
	require.Equal(t, 1, strings.Count(alone, "image: of-all"), "the same change of a team that is not shown stands for nobody")
}
