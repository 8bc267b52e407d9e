package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// newTab is a tab of a Chromium that ends with the test.
func newTab(t *testing.T) context.Context {
	t.Helper()
	allocator, closeAllocator := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))...)
	t.Cleanup(closeAllocator)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	_, err := chromedp.Run(tab, chromedp.Navigate("about:blank"))
	require.NoError(t, err, "the tests of the console need chromium")
	return tab
}

// TestAReleaseIsPromotedWhileSomebodyLooks at the console of a daemon with a fleet: each page shows the request as it is, and the page of the
// fleet follows a version from its merge through dev to the gate of prod, and after the Approval into prod, without a reload.
func TestAReleaseIsPromotedWhileSomebodyLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, notes("first"), bothClusters, "--api-only")
	w.start()
	w.eventually("prod has the note", func() error {
		return w.shows("prod", "hello", func(p status.Placement) bool { return p.Stage == status.Healthy })
	})
	w.push("approvals", map[string]string{"environments/prod.yaml": prodOfNotes("soak: 1s, approval: required")})
	tab := newTab(t)
	says := func(expression, want string) {
		t.Helper()
		w.eventually(expression, func() error {
			got, err := chromedp.Run(tab, chromedp.Evaluate[string]("String("+expression+")"))
			if err == nil && got != want {
				err = errors.New("it says " + got)
			}
			return err
		})
	}
	text := func(selector string) string {
		return fmt.Sprintf(`document.querySelector(%q)?.textContent.trim()`, selector)
	}
	opened := func(path string) {
		t.Helper()
		_, err := chromedp.Run(tab, chromedp.Navigate(w.api+path))
		require.NoError(t, err, path)
		says(text("#link"), "live")
	}

	const dev, prod = `[data-cell="shop/hello/dev/one"]`, `[data-cell="shop/hello/prod/two"]`
	opened("/fleet")
	says(`(window.kept = true, `+text(dev+" .version")+` + " " + `+text(prod+" .version")+`)`, "1.0.0 1.0.0")
	commit := w.push("1.1.0", filesOf(published("note", "1.1.0", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: second}\n---\n"+quota)))
	says(text(dev+" .version")+` + " " + window.kept`, "1.1.0 true")
	says(text(prod+" + .next .version")+` + " " + `+text(prod+" + .next .waiting:not(.mark)"), "1.1.0 approval")
	says(text(prod+" .version"), "1.0.0")

	for _, page := range []struct{ path, selector, has string }{
		{"/", ".task.waiting", "transom promote shop/hello --environment prod"},
		{"/requests/shop/hello?environment=prod", "#waiting .gates", "approval"},
		{"/requests/shop/hello?environment=prod", "#history", "1.0.0"},
		{"/requests/shop/hello/manifests?environment=prod&cluster=two&with=next", "#differences", "+  text: second"},
		{"/environments/prod", "#gates", "healthy in dev for 1s"},
		{"/clusters/two", "main", "shop/hello"},
		{"/changes/" + commit, "main", "shop/hello before prod"},
		{"/catalog/note", "#changed", "all.yaml"},
		{"/catalog/note/new?team=shop&name=more&environment=dev", "#yaml", "offering: note"},
		{"/plans", "main", "no branch beside its own"},
		{"/activity", "#events", "1.1.0"},
		{"/problems", "#problems", "None: all that is merged is valid."},
	} {
		opened(page.path)
		says(fmt.Sprintf(`document.querySelector(%q)?.textContent.includes(%q)`, page.selector, page.has), "true")
	}

	opened("/fleet")
	says(`(window.kept = true, `+text(prod+" .version")+`)`, "1.0.0")
	w.push("the second one", map[string]string{"decisions/prod/second.yaml": document("Approval", "second", "offering: note, version: 1.1.0")})
	says(text(prod+" .version")+` + " " + window.kept`, "1.1.0 true")
	says(`document.querySelector('`+prod+` + .next') === null`, "true")
	w.stop()
}
