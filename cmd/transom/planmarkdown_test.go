package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// large is a plan with as much of everything as asked for.
func large(requests, lines, problems int) *planned {
	p := &planned{Base: "the rendering of HEAD", Notes: []string{mayDiffer}}
	for _, environment := range []string{"dev", "prod"} {
		e := plannedEnvironment{Name: environment, Digest: platform.Digest(environment), Changing: requests, Requests: requests}
		for i := range requests {
			name := fmt.Sprintf("request-%d", i)
			p.Changes = append(p.Changes, render.Change{
				Environment: environment, Cluster: "one", Team: "team", Request: name, Kind: "ConfigMap", Namespace: "team", Name: name + "-note",
				Action: render.Changed, Diff: strings.Repeat(fmt.Sprintf("+text: ``` %d é\n", i), lines),
			})
			e.Cautions = append(e.Cautions, render.Caution{Danger: render.Deletion, Team: "team", Request: name, Message: "deletes 1 object"})
		}
		p.Environments = append(p.Environments, e)
	}
	for i := range problems {
		p.Problems = append(p.Problems, platform.Problem{File: fmt.Sprintf("requests/team/%d.yaml", i), Message: strings.Repeat("wrong ", 500)})
		p.Warnings = append(p.Warnings, platform.Problem{File: fmt.Sprintf("requests/team/%d.yaml", i), Message: "```\n<!-- @everyone", Warning: true})
	}
	return p
}

// TestMarkdownIsOneComment: whatever there is to say, a forge takes it, it is closed, and it says what is not in it.
func TestMarkdownIsOneComment(t *testing.T) {
	for _, p := range []*planned{
		large(1, 1, 0), large(1, 10_000, 0), large(3_000, 1, 0), large(100, 50, 100), large(3_000, 100, 3_000), {Base: "HEAD"},
	} {
		text := p.markdown()
		require.LessOrEqual(t, len(text), commentLimit)
		require.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "</details>"))
		require.Contains(t, text, "Compared with ")
		for _, e := range p.Environments {
			require.Contains(t, text, e.Digest)
		}
	}
	require.NotContains(t, large(1, 1, 0).markdown(), "Cut to fit")
	require.Contains(t, large(1, 10_000, 0).markdown(), "**Cut to fit one comment:** the differences of 2 requests. `transom plan` shows it.")
	require.Regexp(t, `\*\*Cut to fit one comment:\*\* the differences of \d+ requests, and all about \d+ requests\.`, large(3_000, 100, 3_000).markdown())
}

func TestMarkdownQuotesWhatPeopleWrote(t *testing.T) {
	text := large(1, 1, 1).markdown()
	require.Contains(t, text, "````diff\n+text: ``` 0 é\n````\n", "a fence is longer than what it holds")
	require.Contains(t, text, "````\nrequests/team/0.yaml: warning: ```\n<!-- @everyone\n````\n")
	require.Contains(t, text, "requests/team/0.yaml: wrong wrong")
	require.NotContains(t, text, strings.Repeat("wrong ", 200), "one Problem does not use up the room")
}

func TestIdenticalChangesAreToldOnce(t *testing.T) {
	change := func(team, request, image, name string) render.Change {
		return render.Change{
			Environment: "dev", Cluster: "one", Team: team, Request: request, Kind: "Deployment", Namespace: team, Name: request + "-web", Action: render.Changed,
			Diff: "@@ -1 +1 @@\n   name: " + request + "-web\n-  image: old\n+  image: " + image + "\n+  secretName: " + name + "\n",
		}
	}
	all := []render.Change{
		change("a", "one", "new", "one-secret"), change("a", "two", "new", "two-secret"), change("b", "one", "new", "one-secret"),
		change("b", "newer", "newer", "newer-secret"), change("b", "other", "new", "one-secret"),
	}
	var told []string
	for _, b := range folded(blocks(all)) {
		told = append(told, strings.Join(append([]string{b.owner}, b.alike...), "="))
	}
	require.Equal(t, []string{"a/one=a/two=b/one", "b/newer", "b/other"}, told, "names that follow the request are identical; values are not")
	require.Equal(t, "a, b", few([]string{"a", "b"}))
	require.Equal(t, "a, a, a, a, a, a, a, a, a, a, a, a and 2 more", few(strings.Split(strings.Repeat("a", 14), "")))
}
