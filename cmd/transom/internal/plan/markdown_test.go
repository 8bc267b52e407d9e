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
		text := p.Markdown("")
		require.LessOrEqual(t, len(text), 65_536)
		require.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"))
		require.Contains(t, text, "Compared with ")
		for _, e := range p.Environments {
			require.Contains(t, text, e.Digest)
		}
	}
	require.NotContains(t, large(1, 1, 0).Markdown(""), "Cut to fit")
	require.Contains(t, large(1, 10_000, 0).Markdown(""), "**Cut to fit one comment:** the differences of 2 requests. `transom plan` shows it.")
	require.Regexp(t, `\*\*Cut to fit one comment:\*\* the differences of \d+ requests, and all about \d+ requests\.`, large(3_000, 100, 3_000).Markdown(""))
}

func TestMarkdownQuotesWhatPeopleWrote(t *testing.T) {
	text := large(1, 1, 1).Markdown("")
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
		text := p.Markdown(files)
		outside := regexp.MustCompile("(?s)(`{3,})(?:diff)?\n.*?\n`{3,}\n").ReplaceAllString(text, "") // of fences, in which nothing means anything
		outside = regexp.MustCompile("``[^\n]*``").ReplaceAllString(outside, "")
		for _, active := range []string{"@acme", " #12", " !3", "<img", "[x]", "https://evil", "www.evil", "**b**", "_u_", "~label", " &4"} {
			require.NotContains(t, outside, active)
		}
		require.NotRegexp(t, `(?m)^/`, outside)
		require.LessOrEqual(t, len(text), 65_536)
	}
	require.Contains(t, p.Markdown("https://github.example/acme/platform/blob/c1"),
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
