package web_test

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

// axeFile is axe-core, which finds faults of pages that keep people out: those who see little, or use a keyboard alone.
const axeFile = "../../bin/tools/axe-core-4.14.1.js"

// severe are the findings of axe-core that matter, a line each.
const severe = `axe.run({resultTypes: ["violations"]}).then((found) => found.violations
	.filter((v) => v.impact === "serious" || v.impact === "critical")
	.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target + ": " + n.failureSummary.replaceAll("\n", " ") + ": " + n.html)).join("\n"))`

// addresses are those of the pages that are looked at, by route.
var addresses = map[string]string{
	"/": "/nowhere", "/{$}": "/", "/fleet": "/fleet", "/problems": "/problems", "/activity": "/activity", "/events": "/events", "/plans": "/plans?branch=change",
	"/requests/{team}/{name}": "/requests/store/shop", "/requests/{team}/{name}/edit": "/requests/store/shop/edit?p.image=b", "/requests/{team}/{name}/pods": "/requests/store/shop/pods",
	"/requests/{team}/{name}/manifests": "/requests/store/shop/manifests?with=next",
	"/environments/{name}":              "/environments/prod", "/clusters/{name}": "/clusters/east", "/changes/{commit}": "/changes/77de09f2c1ab",
	"/catalog": "/catalog?q=web", "/catalog/{offering}": "/catalog/web", "/catalog/{offering}/new": "/catalog/web/new?name=Till&p.image=a",
	"/docs/{page...}": "/docs/one", "GET /login": "/login",
}

// unseen are the routes that show no page.
var unseen = map[string]bool{
	"/hooks/git": true, "/healthz": true, "/readyz": true, "/metrics": true, "/console.css": true, "/console.js": true, "/transom.svg": true,
	"POST /login": true, "GET /login/callback": true, "POST /logout": true,
}

// TestPagesKeepNobodyOut: axe-core finds nothing serious on any page, in light and in dark, at rest and while much happens.
func TestPagesKeepNobodyOut(t *testing.T) {
	axe, err := os.ReadFile(axeFile)
	require.NoError(t, err, "run `make axe` first")
	calm := busy(t)
	calm.Docs = fstest.MapFS{"one.md": {Data: []byte("# One\n\nA [link](/fleet) in text, and `code`.\n\n## More\n\n```sh\n" + strings.Repeat("wide ", 100) + "\n```\n\n| a | b |\n|---|---|\n| c | d |\n")}}
	var atRest []string
	for _, route := range web.Routes(calm) {
		if address, ok := addresses[route]; ok && address != "/login" {
			atRest = append(atRest, address)
		} else {
			require.True(t, ok || unseen[route] || strings.HasPrefix(route, "/api/"), "nobody looks at the page of route %s", route)
		}
	}
	require.Len(t, atRest, len(addresses)-1, "a page is gone")
	accident := []string{"/", "/fleet", "/requests/store/shop?environment=prod", "/requests/store/shop?environment=staging", "/environments/prod", "/activity"}
	servers := map[string][]string{
		served(t, calm): atRest, served(t, web.Options{Board: promoting()}): accident,
		served(t, web.Options{Board: board(), Access: newTeam(t, "").guard(t)}): {"/login"},
	}
	for scheme, setting := range map[string]string{"dark": "preferredColorScheme=0", "light": "preferredColorScheme=1"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var found []string
			tab := newTab(t, chromedp.Flag("blink-settings", setting))
			for server, pages := range servers {
				for _, page := range pages {
					_, err := chromedp.Run(tab, chromedp.Navigate(server+page))
					require.NoError(t, err, page)
					require.Equal(t, "true", evaluated(tab, t, `String(matchMedia("(prefers-color-scheme: `+scheme+`)").matches)`))
					require.Equal(t, page, evaluated(tab, t, `location.pathname + location.search`))
					if text := evaluated(tab, t, string(axe)+";\n"+severe); text != "" {
						found = append(found, page+": "+text)
					}
				}
			}
			require.Empty(t, found, strings.Join(found, "\n"))
		})
	}
}

// served is the address at which options are served.
func served(t testing.TB, o web.Options) string {
	t.Helper()
	s := httptest.NewServer(web.Handler(o))
	t.Cleanup(func() {
		s.CloseClientConnections() // the stream of events has no end of its own
		s.Close()
	})
	return s.URL
}

// evaluated is the text that JavaScript has for a result, once it is there.
func evaluated(tab context.Context, t testing.TB, expression string) string {
	t.Helper()
	got, err := chromedp.Run(tab, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return got
}

// TestPagesInARowOpen: a browser opens few connections to one server, and pages that it keeps for the way back hold none of them.
func TestPagesInARowOpen(t *testing.T) {
	server := served(t, busy(t))
	tab := newTab(t)
	_, err := chromedp.Run(tab, chromedp.EmulateViewport(1280, 900)) // the browser ends with the context that starts it
	require.NoError(t, err)
	for range 3 {
		for _, page := range []string{"/", "/fleet", "/catalog", "/activity", "/problems"} {
			ctx, cancel := context.WithTimeout(tab, time.Minute)
			_, err := chromedp.Run(ctx, chromedp.Navigate(server+page))
			cancel()
			require.NoError(t, err, page)
		}
	}
}
