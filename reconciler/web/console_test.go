package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// promoting is a board on which a release is proven in dev, in its first wave in staging, and waits for prod, where
// another one was rejected.
func promoting() *status.Board {
	now := time.Now()
	b := status.NewBoard(func() time.Time { return now.Add(-time.Hour) })
	place := func(cluster, revision string) status.Placement {
		return status.Placement{Cluster: cluster, Revision: revision, Stage: status.Committed, Health: "Unknown"}
	}
	instance := func(environment, version string, placements ...status.Placement) status.Instance {
		return status.Instance{Environment: environment, Request: shop, Offering: "web", Version: version, Release: "sha256:" + version, Placements: placements}
	}
	prod := instance("prod", "1.1.0", place("east", "e"))
	prod.Candidate = &status.Candidate{
		Release: "sha256:1.2.0", Version: "1.2.0",
		Changes: []platform.Difference{{Field: "parameters.image", Before: "shop:1", After: "shop:2"}},
	}
	prod.Waiting = []status.Gate{
		{Name: "soak", Reason: "12m of 2h in staging", Since: now.Add(-time.Hour), At: now.Add(2 * time.Hour)},
		{Name: "approval", Reason: "nobody approved web 1.2.0", Since: now.Add(-time.Hour), Opens: "merge an Approval"},
	}
	prod.Rejected = []status.Failure{{Release: "sha256:bad", Version: "1.1.9", Cluster: "east", Object: "Deployment shop-web", Message: "CrashLoopBackOff", At: now}}
	staging := instance("staging", "1.2.0", place("blue", "b"), place("green", "g"))
	staging.Rollout = &status.Rollout{Cause: "version", Entered: now, Pending: []string{"green"}}
	staging.Placements[1].Version = "1.1.0"
	staging.Display = []platform.Shown{{Name: "size", Value: "large"}}
	b.Reconciled(status.Environment{Name: "prod", StateCommit: "s1", PromotesFrom: []string{"staging"}, Clusters: []status.Cluster{{Name: "east", State: "active"}}},
		[]status.Instance{prod, {
			Environment: "prod", Request: cache, Candidate: &status.Candidate{Release: "sha256:2", Offering: "redis", Version: "7.0.0"},
			Waiting: []status.Gate{{Name: "window", Reason: "closed"}},
		}})
	b.Reconciled(status.Environment{Name: "staging", PromotesFrom: []string{"dev"}, Clusters: []status.Cluster{
		{Name: "blue", State: "active", Wave: "canary"}, {Name: "green", State: "active", Wave: "rest"},
	}}, []status.Instance{staging})
	holds := []status.Decision{{Kind: "Hold", About: "all of dev", File: "decisions/dev/hold.yaml"}}
	b.Reconciled(status.Environment{Name: "dev", Decisions: holds, Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{instance("dev", "1.2.0", place("one", "d"))})
	for environment, clusters := range map[string][][2]string{"dev": {{"one", "d"}}, "staging": {{"blue", "b"}, {"green", "g"}}, "prod": {{"east", "e"}}} {
		for _, c := range clusters {
			b.ClusterSeen(status.Cluster{Name: c[0], Reachable: true})
			b.Placed(environment, shop, status.Placement{
				Cluster: c[0], Revision: c[1], Stage: status.Healthy, Health: "Healthy", Images: []string{"registry.example.com/a/shop:" + c[1]},
			})
		}
	}
	return b
}

// browser opens a page of the console of a board and returns a func that evaluates JavaScript there until it has the wanted result.
func browser(t *testing.T, b *status.Board, path string, before ...chromedp.Action[chromedp.Void]) (eventually func(expression, want string)) {
	t.Helper()
	return open(t, served(t, web.Options{Board: b, Explain: func(_ context.Context, q web.Question) (web.Trace, error) {
		return web.Trace{
			Environment: q.Environment, Request: q.Request, Release: &state.Release{},
			RequestFile: web.Origin{Commit: "77de09f2c1ab", File: "requests/store/shop.yaml", Line: 9},
		}, nil
	}})+path, before...)
}

// A haltedBoard gives its status to nobody while it is locked.
type haltedBoard struct {
	*status.Board
	sync.RWMutex
}

func (b *haltedBoard) Status() status.Status {
	b.RLock()
	defer b.RUnlock()
	return b.Board.Status()
}

// TestChangeOfALargeFleetComesToThePage: the first answer after a change is behind it, and the script asks again.
func TestChangeOfALargeFleetComesToThePage(t *testing.T) {
	board := &haltedBoard{Board: crowd(400)}
	pages := web.Handler(web.Options{Board: board})
	behind := make(chan struct{}, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.ServeHTTP(w, r)
		if w.Header().Get("Transom-Behind") != "" {
			behind <- struct{}{}
		}
	}))
	t.Cleanup(s.Close)
	eventually := open(t, s.URL+"/fleet?q=late-comer")
	eventually(`document.querySelector("#link").textContent`, "live")
	board.Lock()
	board.Reconciled(status.Environment{Name: "new"}, []status.Instance{{
		Environment: "new", Request: platform.RequestKey{Team: "store", Name: "late-comer"}, Offering: "web", Version: "1.0.0", Release: "sha256:a",
	}})
	for range 5 { // more often than it is told of the change
		select {
		case <-behind:
		case <-time.After(time.Minute):
			require.FailNow(t, "the page does not ask again")
		}
	}
	board.Unlock()
	eventually(`document.querySelector("main").textContent.includes("late-comer")`, "true")
}

// endChromium ends the Chromium of all tests, if it was started.
var endChromium = func() {}

// chromium is a Chromium that all tests share, since starting one takes longer than most of them.
var chromium = sync.OnceValues(func() (context.Context, error) {
	tab, end := newChromium(context.Background())
	endChromium = end
	_, err := chromedp.Run(tab, chromedp.Navigate("about:blank"))
	return tab, err
})

// newChromium is the first tab of a Chromium.
func newChromium(ctx context.Context, flags ...chromedp.ExecAllocatorOption) (tab context.Context, end func()) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.IgnoreCertErrors, chromedp.WSURLReadTimeout(time.Minute))
	allocator, closeAllocator := chromedp.NewExecAllocator(ctx, append(options, flags...)...)
	tab, closeTab := chromedp.NewContext(allocator)
	return tab, func() {
		closeTab()
		closeAllocator()
	}
}

// newTab is a tab that ends with the test, with cookies, storage and connections of its own; with flags, it is of a Chromium of its own.
func newTab(t testing.TB, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	if len(flags) > 0 {
		tab, end := newChromium(t.Context(), flags...)
		t.Cleanup(end)
		return tab
	}
	shared, err := chromium()
	require.NoError(t, err, "the console's tests need chromium")
	tab, end := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	return tab
}

// open has Chromium open a page, after some actions, and returns a func that evaluates JavaScript there until it has the wanted result.
func open(t *testing.T, url string, before ...chromedp.Action[chromedp.Void]) (eventually func(expression, want string)) {
	t.Helper()
	tab := newTab(t)
	for _, action := range before {
		_, err := chromedp.Run(tab, action)
		require.NoError(t, err)
	}
	_, err := chromedp.Run(tab, chromedp.Navigate(url))
	require.NoError(t, err, "the console's tests need chromium")
	return watch(tab, t)
}

// watch returns a func that evaluates JavaScript in a tab until it has the wanted result.
func watch(tab context.Context, t *testing.T) (eventually func(expression, want string)) {
	t.Helper()
	return func(expression, want string) {
		t.Helper()
		limit := time.After(time.Minute)
		for again := time.Tick(50 * time.Millisecond); ; <-again {
			got, err := chromedp.Run(tab, chromedp.Evaluate[string]("String("+expression+")"))
			if err == nil && got == want {
				return
			}
			select {
			case <-limit:
				require.NoError(t, err, expression)
				require.Equal(t, want, got, expression)
			default:
			}
		}
	}
}

// all is the text of every element that a selector finds.
func all(selector string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.textContent.trim()).join("|")`, selector)
}

func TestConsoleShowsTheWayThroughEnvironments(t *testing.T) {
	eventually := browser(t, promoting(), "/fleet")
	eventually(all(".environment .name"), "dev|staging|prod")
	eventually(all("thead .cluster"), "one|bluecanary|greenrest|east")
	eventually(all(`[data-cell^="store/shop"] .version`), "1.2.0|1.2.0|1.1.0|1.1.0")
	eventually(all(`[data-cell^="store/shop"] .flag`), "in a rollout|waits for its wave")
	eventually(`document.querySelector('[data-cell="store/shop/prod/east"] + .next').textContent.replace(/in .*$/, "in …")`, "→1.2.0 soak, approval in …")
	eventually(all(`[data-cell="store/cache/prod"]`), "→– Waiting")
	eventually(all(".count.waiting b"), "2")

	eventually(`(document.querySelector('[data-cell="store/shop/prod/east"]')?.click(), location.pathname + location.search)`, "/requests/store/shop?environment=prod")
	eventually(all("#waiting .gates strong"), "soak|approval")
	eventually(all(".stage-name"), "dev|staging|prod")
	eventually(all(".arrow text"), "1.2.0|soak, approval")
	eventually(all("#waiting .changes code"), "parameters.image: shop:1 → shop:2")
	eventually(`document.querySelector("#waiting .gates li:last-child").textContent`,
		"approval: nobody approved web 1.2.0for 1h · opens: merge an Approval")
	eventually(all("#waiting .promote"), "transom promote store/shop --environment prod writes the Approval")
	eventually(all("main .problems li > span"), "east: Deployment shop-web: CrashLoopBackOff")
	eventually(`document.querySelector("#origin .quiet").textContent`, "requests/store/shop.yaml:9")
}

// TestConsoleIsNotCalmInAnAccident: the first screen shows the faults, first and once, and the fleet which images run.
func TestConsoleIsNotCalmInAnAccident(t *testing.T) {
	b := promoting()
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true, Problem: "cluster one answers with another identity"})
	b.ClusterSeen(status.Cluster{Name: "green", Message: "connection refused"})
	b.EnvironmentFailed("prod", errors.New("the token has expired"))
	late := platform.RequestKey{Team: "store", Name: "till"}
	b.Updated(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{{
		Environment: "dev", Request: late, Offering: "web", Version: "1.0.0", Release: "sha256:t",
		Placements: []status.Placement{{Cluster: "one", Revision: "t", Stage: status.Committed}},
		Candidate:  &status.Candidate{Release: "sha256:u", Version: "1.3.0"}, Waiting: []status.Gate{{Name: "rejected", Reason: "failed on one"}},
	}})
	b.Placed("dev", late, status.Placement{Cluster: "one", Revision: "t", Stage: status.Healthy, Health: "Healthy"})
	eventually := browser(t, b, "/")
	notice := "cluster one answers with another identity|cluster green is not reachable: connection refused|prod is tried again: the token has expired"
	eventually(all("#notice span"), notice)
	eventually(all(".task.rejected a"), "store/till")
	eventually(all(".task.waiting a"), "store/shop|Its gates")
	eventually(`((e) => e.scrollWidth <= e.clientWidth && getComputedStyle(e).textOverflow)(document.querySelector(".task.waiting .todo"))`, "clip")
	eventually(`(document.querySelector("nav a[href='/fleet']:not([aria-current])")?.click(), location.pathname)`, "/fleet")
	eventually(all("#notice span"), notice)
	eventually(all(`[data-cell="store/shop/dev/one"] .shown`), "shop:d")
	eventually(all(`[data-cell="store/shop/staging/blue"] .shown`), "size=large shop:b")
	eventually(all(".count.rejected b"), "1")
	eventually(`document.querySelector('[data-cell="store/till/dev/one"] + .next').textContent.trim()`, "✕1.3.0 rejected")
	eventually(`(() => { // it is red, as a failure is, and not blue, as a release that waits for its turn
		const tone = (name) => getComputedStyle(document.querySelector(name)).color;
		document.querySelector("#notice").innerHTML = '<i class="mark failed"></i><i class="mark waiting"></i>';
		return [".count.rejected .mark", '[data-cell="store/till/dev/one"] + .next .rejected'].map((e) => [tone(e) === tone(".mark.failed"), tone(e) === tone(".mark.waiting")]).join(" ");
	})()`, "true,false true,false")
	eventually(all("tbody .request"), "till|shop|cache")
}

// TestConsoleFollowsWithoutAReload: a page that is open shows the release that was promoted meanwhile, and keeps the focus, the
// text that is being typed and the clusters that were opened.
func TestConsoleFollowsWithoutAReload(t *testing.T) {
	b := promoting()
	eventually := browser(t, b, "/fleet")
	eventually(all("#link"), "live")
	eventually(all(`[data-cell="store/shop/prod/east"] .version`), "1.1.0")
	eventually(`(window.kept = true, document.querySelector('[data-cell="store/shop/prod/east"]').focus(), document.activeElement.id)`, "store/shop/prod/east")
	prod := b.Status().Instances[len(b.Status().Instances)-1]
	require.Equal(t, "prod", prod.Environment)
	prod.Version, prod.Release, prod.Candidate, prod.Waiting = "1.2.0", "sha256:1.2.0", nil, nil
	prod.Rollout = &status.Rollout{Cause: "rollback", Entered: time.Now()}
	b.Updated(b.Status().Environments[2], []status.Instance{prod})
	eventually(all(`[data-cell="store/shop/prod/east"] .version`), "1.2.0")
	eventually(all(`[data-cell="store/shop/prod/east"] .flag`), "rolled back")
	eventually(`(() => { // it is red, as a failure is, and has neither the colour of progress nor that of its cell's text
		const flag = document.querySelector('[data-cell="store/shop/prod/east"] .flag');
		const tone = (name) => getComputedStyle(Object.assign(flag.parentElement.appendChild(document.createElement("i")), { className: name })).color;
		const colours = ["mark failed", "mark progressing", "version"].map((name) => getComputedStyle(flag).color === tone(name)).join(" ");
		flag.parentElement.querySelectorAll("i").forEach((e) => e.remove());
		return colours;
	})()`, "true false false")
	eventually(`document.activeElement.id`, "store/shop/prod/east")
	eventually(`window.kept`, "true")
	eventually(`(location.pathname === "/activity" || location.assign("/activity"), [...document.querySelectorAll("#events .text")].some((e) => e.textContent.includes("took release")))`, "true")
}

// TestConsoleFitsATelephone: at 400 pixels no page is wider than the screen, teams and requests are in sight however far the matrix
// is scrolled, and the kind of an object does not lie over its name, however long the two are.
func TestConsoleFitsATelephone(t *testing.T) {
	b := promoting()
	long := platform.RequestKey{Team: "warehouse-and-shipping", Name: "label-printer-of-the-north"}
	object := status.Object{Kind: "ValidatingAdmissionPolicyBinding", Namespace: long.Team, Name: "label-printer-of-the-north-settings", Health: "Healthy"}
	b.Updated(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, []status.Instance{{
		Environment: "dev", Request: long, Offering: "web", Version: "1.0.0", Release: "sha256:t",
		Placements: []status.Placement{{Cluster: "one", Revision: "t", Stage: status.Committed}},
	}})
	b.Placed("dev", long, status.Placement{
		Cluster: "one", Revision: "t", Stage: status.Healthy, Health: "Healthy", Objects: []status.Object{object},
	})
	for _, path := range []string{"/fleet", "/requests/" + long.String() + "?environment=dev"} {
		eventually := browser(t, b, path, chromedp.EmulateViewport(400, 900))
		eventually(`document.documentElement.clientWidth`, "400")
		eventually(`document.documentElement.scrollWidth`, "400")
		if path != "/fleet" {
			eventually(all("#clusters .kind"), object.Kind)
			eventually(`(document.querySelectorAll("#clusters details").forEach((d) => d.open = true), (() => {
				const [kind, name] = document.querySelectorAll("#clusters .node > span:not(.mark)");
				const lines = (e) => { const r = document.createRange(); r.selectNodeContents(e); return [...r.getClientRects()]; };
				return lines(name).every((n) => n.right <= 400 && n.width > 30 && lines(kind).every((k) => k.right <= n.left || k.bottom <= n.top + 1));
			})())`, "true")
			continue
		}
		eventually(`(() => {
			const scroll = document.querySelector("#matrix-scroll");
			scroll.scrollLeft = scroll.scrollWidth;
			const box = scroll.getBoundingClientRect();
			const text = (e) => { const r = document.createRange(); r.selectNodeContents(e); return r.getBoundingClientRect(); };
			const seen = (e) => text(e).left >= box.left && text(e).right <= box.right;
			return [scroll.scrollLeft > 0, ...[...document.querySelectorAll(".team th, tbody .request")].map(seen),
				[...document.querySelectorAll("tr:not(.team) th[scope=row]")].every((e) => e.getBoundingClientRect().width < box.width / 2)];
		})().join(" ")`, "true true true true true true true")
	}
}

// TestPagesFitTheirScreen: none is wider than a telephone or a large desk, whatever names and messages it has.
func TestPagesFitTheirScreen(t *testing.T) {
	word := strings.Repeat("unbroken", 60)
	b := promoting()
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Problem: "answers as " + word})
	b.EnvironmentFailed("prod", errors.New("push "+word))
	calm, amiss := served(t, busy(t)), served(t, web.Options{Board: b})
	tab := newTab(t)
	var wider []string
	for _, width := range []int64{400, 2560} {
		_, err := chromedp.Run(tab, chromedp.EmulateViewport(width, 900))
		require.NoError(t, err)
		for _, page := range []string{
			amiss + "/", amiss + "/fleet", amiss + "/environments/prod", amiss + "/clusters/east", amiss + "/requests/store/shop?environment=prod",
			calm + "/", calm + "/fleet", calm + "/environments/prod", calm + "/clusters/east", calm + "/catalog", calm + "/catalog/web", calm + "/catalog/web/new",
		} {
			_, err := chromedp.Run(tab, chromedp.Navigate(page))
			require.NoError(t, err, page)
			wide := evaluated(tab, t, `[document.documentElement.clientWidth, document.documentElement.scrollWidth].join(" ")`)
			if want := fmt.Sprintf("%d %d", width, width); wide != want {
				wider = append(wider, page+": "+wide)
			}
		}
	}
	require.Empty(t, wider, "the widths of the screen and of the page")
}

// TestTheHeadOfAPageIsTwoLinesOfATelephone: all its links are in sight, and leave the room to the page.
func TestTheHeadOfAPageIsTwoLinesOfATelephone(t *testing.T) {
	o := busy(t)
	o.Board.(*status.Board).Loaded("https://git.example.com/acme/platform.git", o.Board.Status().Platform.Offers())
	tab := newTab(t)
	_, err := chromedp.Run(tab, chromedp.EmulateViewport(400, 900))
	require.NoError(t, err)
	_, err = chromedp.Run(tab, chromedp.Navigate(served(t, o)+"/"))
	require.NoError(t, err)
	watch(tab, t)(`(() => {
		const middles = [...document.querySelectorAll(".top :is(nav a, .brand, .source)")].map((e) => e.getBoundingClientRect()).map((r) => r.top + r.height / 2).sort((a, b) => a - b);
		return middles.length + " things, " + (1 + middles.filter((m, i) => i > 0 && m - middles[i - 1] > 8).length) + " lines";
	})()`, "9 things, 2 lines")
}

// TestFleetIsNarrowedAsOneTypes: the filter is in the address, so that the view can be sent.
func TestFleetIsNarrowedAsOneTypes(t *testing.T) {
	eventually := browser(t, promoting(), "/fleet")
	eventually(all("tbody .request"), "cache|shop")
	eventually(`(document.querySelector("#q").focus(), document.querySelector("#q").value = "cache", document.querySelector("#q").dispatchEvent(new Event("input", {bubbles: true})), "typed")`, "typed")
	eventually(all("tbody .request"), "cache")
	eventually(`location.search`, "?q=cache")
	eventually(`document.activeElement.id`, "q")
}

func TestStatusTellsPromotionInItsWords(t *testing.T) {
	_, body := get(t, serve(t, web.Options{Board: promoting()}), "/api/v1/status?team=store&request=shop&environment=prod")
	for _, part := range []string{
		`"promotesFrom":["staging"],"order":2`, `"candidate":{"release":"sha256:1.2.0","version":"1.2.0","changes":[{"field":"parameters.image","before":"shop:1","after":"shop:2"}]}`,
		`"waiting":[{"gate":"soak","reason":"12m of 2h in staging","since":"`, `"opens":"merge an Approval"`,
		`"rejected":[{"release":"sha256:bad","version":"1.1.9","cluster":"east","object":"Deployment shop-web","message":"CrashLoopBackOff"`,
	} {
		require.Contains(t, body, part)
	}
	require.Equal(t, 1, strings.Count(body, `"environment":"prod"`))
}

// TestAPageThatIsAskedForTooOftenSaysSo, stays as it is, and comes when the daemon said.
func TestAPageThatIsAskedForTooOftenSaysSo(t *testing.T) {
	b := promoting()
	pages := web.Handler(web.Options{Board: b})
	var limited atomic.Bool
	eventually := openServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fleet" && limited.CompareAndSwap(true, false) {
			w.Header().Set("Retry-After", "2")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"detail": "ask less often"}`))
			return
		}
		pages.ServeHTTP(w, r)
	})
	eventually(`document.querySelector("#link").textContent`, "live")
	eventually(`(() => { window.told = []; new MutationObserver(() => told.push(document.querySelector("#link").textContent)).observe(document.querySelector("#link"), { childList: true }); return "watched"; })()`, "watched")
	limited.Store(true)
	b.ClusterSeen(status.Cluster{Name: "green", Message: "connection refused"})
	eventually(`told.includes("asked too often: trying again in 2 s")`, "true")
	eventually(all("#notice span"), "cluster green is not reachable: connection refused")
	eventually(`told.filter((text, i) => text !== told[i - 1]).slice(-2).join("|")`, "asked too often: trying again in 2 s|live")
	require.False(t, limited.Load())
}

// TestAStreamThatIsRefusedSaysSo: a daemon that has no room for one more is no daemon that is gone, and the stream comes once there is room.
func TestAStreamThatIsRefusedSaysSo(t *testing.T) {
	pages := web.Handler(web.Options{Board: promoting()})
	var full atomic.Bool
	full.Store(true)
	eventually := openServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/events" && full.Load() {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		pages.ServeHTTP(w, r)
	})
	eventually(`document.querySelector("#link").textContent`, "too many requests, trying again in 2 s")
	full.Store(false)
	eventually(`document.querySelector("#link").textContent`, "live")
}

// openServer opens the page of the fleet of a server, whose streams of events have no end of their own.
func openServer(t *testing.T, handler http.HandlerFunc) func(expression, want string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return open(t, s.URL+"/fleet")
}
