package console_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// section is the text of a section of a page.
func section(t *testing.T, body, id string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, `<section id="`+id+`">`)
	require.True(t, found, "the page has no section %s", id)
	text, _, _ := strings.Cut(rest, "</section>")
	return html.UnescapeString(tags.ReplaceAllString(strings.NewReplacer("</dd>", "\n", "</dt>", ": ", "</li>", "; ").Replace(text), ""))
}

// TestAnEnvironmentTellsItsGates as its file sets them, with the file that decides, whether its windows are open, and until when: a page
// that is kept goes with the clock.
func TestAnEnvironmentTellsItsGates(t *testing.T) {
	const head = "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: "
	files := fstest.MapFS{
		"clusters/two.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: two, labels: {environment: prod, first: \"yes\"}}\nspec: {}\n")},
		"environments/prod.yaml": {Data: []byte(head + `prod}
spec:
  state: {url: ../state-prod.git}
  clusters: {matchLabels: {environment: prod}}
  promotesFrom: [dev]
  gates:
    soak: 90m
    grace: 2m
    approval: {routine: none, separate: true}
    unproven: allow
    replace: newest
    checks:
    - {name: errors, prometheus: {url: "https://prometheus.example.com", query: "up", is: "> 0"}, every: 1m, for: 10m}
  windows:
  - {cron: "0 9 * * 1-4", duration: 7h, timeZone: Europe/Berlin}
  - {cron: "0 12 * * *", duration: 1h, deny: true}
  rollout:
    waves:
    - {name: canary, clusters: {matchLabels: {first: "yes"}}, soak: 15m}
    - {name: rest, maxConcurrent: 2}
    instances: {first: 2, maxConcurrent: 25%, maxFailures: 3}
    progressDeadline: 5m
    onFailure: stop
  drift: report
  deletionLimit: {instances: 4, percent: 30}
  logs: true
`)},
	}
	now := time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC) // a Monday, half past nine in Berlin
	b := status.NewBoard(func() time.Time { return now })
	b.Branch = "main"
	b.Loaded("https://github.com/acme/platform.git", offering(t, files))
	b.Reconciled(status.Environment{Name: "dev"}, nil)
	b.Reconciled(status.Environment{
		Name: "prod", PromotesFrom: []string{"dev"}, Clusters: []status.Cluster{{Name: "one", Wave: "canary"}, {Name: "two", Wave: "rest"}, {Name: "three", Wave: "rest"}},
		Decisions: []status.Decision{
			{Kind: "Hold", About: "team store", File: "decisions/prod/sale.yaml", Reason: "the sale"}, {Kind: "Pin", About: "store/shop", File: "decisions/prod/pin.yaml"},
		},
	}, nil)
	get := serve(console.Options{Board: b, Now: func() time.Time { return now }})
	_, body := get(t, "/environments/prod")
	require.Contains(t, body, `As <a href="https://github.com/acme/platform/blob/main/environments/prod.yaml"`)
	require.Contains(t, body, `href="https://github.com/acme/platform/blob/main/decisions/prod/sale.yaml"`)
	text := section(t, body, "gates")
	for _, want := range []string{
		"soak: healthy in dev for 1h30m\n", "a release that no environment before can prove enters\n", "grace: a soak begins anew after Failed, and after Progressing for more than 2m\n",
		"approval: required, but for changes that the offering calls routine, in a later commit than the release\n",
		"replace: the newest release takes the place of one that waits\n", "check errors: https://prometheus.example.com every 1m, to pass for 10m\n",
		"windows: open now, closes 2 Mar 12:00 UTC", "open 0 9 * * 1-4 for 7h, Europe/Berlin on now, until 2 Mar 15:00 UTC", "closed 0 12 * * * for 1h, UTC next 2 Mar 12:00 UTC",
		"team store: the sale", "wave 1, canary: one; healthy for 15m before the next wave\n", "wave 2, rest: two, three; at most 2 at a time\n",
		"requests: of one change to many: 2 first, then at most 25% at a time; at most 3 failures\n", "progressDeadline: 5m to become healthy\n",
		"onFailure: it stops, and waits for a person\n", "more than 4 deletions in one pass, and more than 30% of what runs here", "drift: report\n", "developers of a team read the logs",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "store/shop", "a Pin is no Hold")
	now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	_, body = get(t, "/environments/prod")
	require.Contains(t, section(t, body, "gates"), "windows: closed now, opens 2 Mar 13:00 UTC")
	_, body = get(t, "/environments/dev")
	text = section(t, body, "gates")
	for _, want := range []string{"soak: none: it comes after no environment\n", "approval: none\n", "windows: none: open at any time\n", "holds: none\n", "waves: none: all clusters at once\n"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "grace:", "it has no soak")
}
