package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// onItsWay is a board on which the change 77de09f is healthy in dev and waits before prod. Another request has another change.
func onItsWay(t *testing.T) *status.Board {
	t.Helper()
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	other := platform.RequestKey{Team: "store", Name: "till"}
	at := func(environment string, key platform.RequestKey, commit, cluster string) status.Instance {
		return status.Instance{
			Environment: environment, Request: key, Offering: "web", Version: "1.2.0", Release: "sha256:" + commit, Commit: commit,
			Placements: []status.Placement{{Cluster: cluster, Revision: "r", Stage: status.Committed, Health: state.Unknown}},
		}
	}
	const change, before = "77de09f2c1ab", "0123456789ab"
	prod := at("prod", shop, before, "east")
	prod.Version = "1.1.0"
	prod.Candidate = &status.Candidate{
		Release: "sha256:" + change, Version: "1.2.0", Commit: change, Changes: []platform.Difference{{Field: "parameters.image", Before: "shop:1", After: "shop:2"}},
	}
	prod.Waiting = []status.Gate{{Name: "approval", Reason: "nobody approved web 1.2.0", Opens: "merge an Approval"}}
	b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{at("dev", shop, change, "one"), at("dev", other, before, "one")})
	b.Reconciled(status.Environment{Name: "prod", PromotesFrom: []string{"dev"}, Clusters: []status.Cluster{{Name: "east", State: "active"}}}, []status.Instance{prod})
	for _, name := range []string{"one", "east"} {
		b.ClusterSeen(status.Cluster{Name: name, Reachable: true})
	}
	for environment, cluster := range map[string]string{"dev": "one", "prod": "east"} {
		b.Placed(environment, shop, status.Placement{Cluster: cluster, Revision: "r", Stage: status.Healthy, Health: state.Healthy, Images: []string{"registry.example/shop:" + environment}})
	}
	b.Placed("dev", other, status.Placement{Cluster: "one", Revision: "r", Stage: status.Applied, Health: state.Failed, Images: []string{"registry.example/till:1"}})
	return b
}

// between is the part of a page between two texts.
func between(t *testing.T, body, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, from)
	require.True(t, found, "the page has no %s", from)
	part, _, found := strings.Cut(rest, to)
	require.True(t, found)
	return part
}

// TestAChangeTellsHowFarItHasCome: where it runs, and how well, and before which environments it waits for which gates, with what it changes.
func TestAChangeTellsHowFarItHasCome(t *testing.T) {
	_, body := serve(console.Options{Board: onItsWay(t)})(t, "/changes/77de09f")
	waits, runs := between(t, body, "<h2>Waits</h2>", "</section>"), between(t, body, "<h2>Runs</h2>", "</section>")
	require.Contains(t, waits, `<a href="/requests/store/shop?environment=prod"><b>store/shop</b></a> before prod: <span class="quiet">approval</span>`)
	require.Contains(t, waits, "parameters.image: shop:1 → shop:2")
	require.Regexp(t, `<td class="healthy">.*Healthy</td><td><a href="/requests/store/shop[?]environment=dev">store/shop</a></td><td>dev</td><td>1.2.0</td>`, runs)
	require.NotContains(t, runs, "prod")
	require.NotContains(t, body, "store/till", "another commit brought it")
}

// TestAClusterTellsWhatRunsThere, the one that is worst off first, and that it answers as another one.
func TestAClusterTellsWhatRunsThere(t *testing.T) {
	b := onItsWay(t)
	get := serve(console.Options{Board: b})
	_, body := get(t, "/clusters/one")
	runs := between(t, body, "<h2>Runs here</h2>", "</section>")
	require.Regexp(t, `(?s)<td class="failed">.*store/till</a>.*till:1.*<td class="healthy">.*<a href="/requests/store/shop[?]environment=dev">store/shop</a></td><td><span class="version">1.2.0</span></td><td><span class="shown">shop:dev`, runs)
	require.Equal(t, 2, strings.Count(runs, "<td class="), "prod's is elsewhere")
	require.NotContains(t, body, "See to it")
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true, Problem: "answers with another identity"})
	_, body = get(t, "/clusters/one")
	require.Contains(t, body, "<strong>See to it</strong>: answers with another identity")
}

// TestAnEnvironmentTellsWhatWaitsToEnter, with each gate that is closed, and its clusters in their waves.
func TestAnEnvironmentTellsWhatWaitsToEnter(t *testing.T) {
	get := serve(console.Options{Board: onItsWay(t)})
	_, body := get(t, "/environments/prod")
	waits := between(t, body, "<h2>Waits to enter</h2>", "</section>")
	require.Contains(t, waits, `<a href="/requests/store/shop?environment=prod"><b>store/shop</b></a> 1.2.0`)
	require.Contains(t, waits, "approval: nobody approved web 1.2.0")
	_, body = get(t, "/environments/dev")
	require.Contains(t, between(t, body, "<h2>Waits to enter</h2>", "</section>"), "Nothing waits.")
}

// TestARequestTellsItsHistoryAndTheWayBack: each release with its events, its commits and its author, and the command that goes back to one.
func TestARequestTellsItsHistoryAndTheWayBack(t *testing.T) {
	at := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	get := serve(console.Options{Board: onItsWay(t), History: func(_ context.Context, environment string, key platform.RequestKey) ([]console.Past, error) {
		require.Equal(t, "prod", environment)
		require.Equal(t, shop, key)
		return []console.Past{
			{When: at, Commit: "57a7e0000002", Merged: "77de09f2c1ab", Author: "Writer", Events: []string{"rolled back to 1.1.0"}},
			{When: at.Add(-time.Hour), Commit: "57a7e0000001", Merged: "0123456789ab", Author: "Other", Events: []string{"took web 1.2.0", "1.1.0 was proven"}},
		}, nil
	}})
	_, body := get(t, "/requests/store/shop?environment=prod")
	history := between(t, body, `<section id="history">`, "</section>")
	require.Regexp(t, `(?s)datetime="2026-11-30T09:00:00Z".*<b>rolled back to 1.1.0</b>.*<code>57a7e00</code> · platform <a href="/changes/77de09f2c1ab"><code>77de09f</code></a> · Writer.*`+
		`datetime="2026-11-30T08:00:00Z".*<b>took web 1.2.0; 1.1.0 was proven</b>.*· Other`, history)
	require.Contains(t, body, "transom rollback store/shop --environment prod --reason WHY")
}

// TestARequestLeadsWhereItsOfferingSays, and never to a script.
func TestARequestLeadsWhereItsOfferingSays(t *testing.T) {
	in := status.Instance{Links: []platform.Link{{Name: "Dashboard", URL: "https://grafana.example.com/d/web?var=shop&from=now"}, {Name: "Runbook", URL: "javascript:alert(1)"}}}
	_, body := serve(console.Options{Board: known(t, offering(t), status.Environment{}, in, status.Placement{})})(t, "/requests/store/shop")
	links := between(t, body, `<section id="links">`, "</section>")
	require.Contains(t, links, `<a href="https://grafana.example.com/d/web?var=shop&amp;from=now" rel="noreferrer noopener">Dashboard</a>`)
	require.NotContains(t, links, "javascript:")
}

// TestTheCatalogueTellsWhoAnswersForAnOffering, whether a version should still be taken and why, and who uses which.
func TestTheCatalogueTellsWhoAnswersForAnOffering(t *testing.T) {
	b := onItsWay(t)
	b.Loaded("https://github.com/acme/platform.git", offering(t, fstest.MapFS{"offerings/web/offering.yaml": {Data: []byte(
		"apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec: {title: Web service, owner: runtime, teams: [store], versions: {1.2.0: {lifecycle: deprecated, reason: too slow}}}\n",
	)}}))
	get := serve(console.Options{Board: b})
	_, body := get(t, "/catalog")
	require.Contains(t, body, "1.2.0 (deprecated) · 2 requests · owner runtime · for store")
	code, body := get(t, "/catalog/web")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "owner runtime · for store")
	require.Contains(t, between(t, body, "<h2>Used by</h2>", "</section>"), `<a href="/requests/store/shop">store/shop</a> <span class="quiet">dev 1.2.0, prod 1.1.0</span>`)
	versions := between(t, body, "<h2>Versions</h2>", "</section>")
	require.Contains(t, versions, `<span class="flag progressing">deprecated</span>`)
	require.Contains(t, versions, "too slow")
	require.Contains(t, versions, `<a href="/fleet?offering=web&amp;version=1.2.0">2 instances</a>`)
}
