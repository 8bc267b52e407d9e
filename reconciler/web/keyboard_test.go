package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// mostTabs is how often a person presses Tab on one page before giving up.
const mostTabs = 60

// focus is whether the focus is at what a selector means, and can be seen there: the element is in the window, and has an outline.
const focus = `((e) => {
	if (!e.matches(%q)) return "elsewhere";
	const box = e.getBoundingClientRect(), middle = box.top + box.height / 2;
	if (box.width === 0 || middle < 0 || middle > innerHeight) return "out of sight: " + e.outerHTML;
	return getComputedStyle(e).outlineStyle === "none" ? "no outline: " + e.outerHTML : "seen";
})(document.activeElement)`

// A keyboard is a tab of a browser whose person has no mouse.
type keyboard struct {
	t   *testing.T
	tab context.Context
}

// press presses a key.
func (k keyboard) press(key string) {
	k.t.Helper()
	_, err := chromedp.Run(k.tab, chromedp.KeyEvent(key))
	require.NoError(k.t, err)
}

// reach presses Tab until the focus is at what a selector means.
func (k keyboard) reach(selector string) {
	k.t.Helper()
	watch(k.tab, k.t)(fmt.Sprintf(`document.querySelector(%q) !== null`, selector), "true")
	for range mostTabs {
		k.press(kb.Tab)
		switch found := evaluated(k.tab, k.t, fmt.Sprintf(focus, selector)); found {
		case "elsewhere":
		case "seen":
			return
		default:
			require.FailNow(k.t, "the focus cannot be seen", found)
		}
	}
	require.FailNow(k.t, "no Tab comes there", selector)
}

// follow goes to a link by Tab, and follows it by Enter to a path.
func (k keyboard) follow(selector, path string) {
	k.t.Helper()
	k.reach(selector)
	k.press(kb.Enter)
	eventually := watch(k.tab, k.t)
	eventually(`location.pathname`, path)
	eventually(`document.querySelector("#link")?.textContent`, "live")
}

// fill goes to a field by Tab, and types into it.
func (k keyboard) fill(selector, text string) {
	k.t.Helper()
	k.reach(selector)
	k.press(text)
}

// leads is where the link that has the focus leads to.
func (k keyboard) leads() string {
	k.t.Helper()
	return evaluated(k.tab, k.t, `document.activeElement.href ?? "no link"`)
}

// TestTheMainPathOfEachRoleIsDoneByKeyboard: Tab, Enter and text alone, and the focus is seen at each step.
func TestTheMainPathOfEachRoleIsDoneByKeyboard(t *testing.T) {
	o := busy(t)
	offers := o.Board.Status().Platform.Offers()
	const forge = "https://github.com/acme/platform"
	o.Board.(*status.Board).Branch = "main"
	o.Board.(*status.Board).Loaded(forge+".git", offers)
	moving := promoting()
	moving.Branch = "main"
	moving.Loaded(forge+".git", offers)
	calm, busyDay := served(t, o), served(t, web.Options{Board: moving, Runtime: o.Runtime, Manifests: o.Manifests})
	tab := newTab(t)
	start := func(server string) keyboard {
		_, err := chromedp.Run(tab, chromedp.Navigate(server+"/"))
		require.NoError(t, err)
		watch(tab, t)(`document.querySelector("#link").textContent`, "live")
		return keyboard{t, tab}
	}

	k := start(calm) // a developer asks for a service, sees its plan, and makes its file
	k.follow(`nav a[href="/catalog"]`, "/catalog")
	k.follow(`.cards a[href="/catalog/web"]`, "/catalog/web")
	k.follow(`.button[href*="/new"]`, "/catalog/web/new")
	k.fill("#f-team", "store")
	k.fill("#f-name", "till")
	k.reach("#f-e-prod")
	k.press(" ")
	k.fill("#f-image", "shop:1")
	eventually := watch(tab, t)
	eventually(`document.querySelector("#yaml").textContent.includes("image: shop:1")`, "true")
	eventually(`document.activeElement.id`, "f-image")
	k.reach(`#draft a.button`)
	require.Contains(t, k.leads(), forge+"/new/main/requests/store?filename=till.yaml&value=")
	k.reach("#make-plan")
	k.press(kb.Enter)
	eventually(`document.querySelector("#draft-plan .plan h2")?.textContent`, "Transom plan: 1 changed")
	eventually(`document.activeElement.id`, "draft-plan")

	k = start(busyDay) // an operator looks at what waits, and approves it
	k.follow(`.task.waiting a[href^="/requests/store/shop"]`, "/requests/store/shop")
	k.reach(`.way a[href="` + forge + `/blob/main/environments/prod.yaml"]`)
	k.reach(`#waiting .promote a`)
	require.Contains(t, k.leads(), forge+"/new/main/decisions/prod?filename=")

	k = start(calm) // somebody who only looks finds a request, and the log of its pod
	k.follow(`nav a[href="/fleet"]`, "/fleet")
	k.fill(`input[type="search"]`, "shop")
	eventually(`location.search`, "?q=shop")
	k.follow(`#matrix a.request`, "/requests/store/shop")
	k.reach(`#clusters summary`)
	if evaluated(tab, t, `String(document.activeElement.parentElement.open)`) == "false" {
		k.press(kb.Enter)
	}
	k.follow(`#clusters a[href*="/pods"]`, "/requests/store/shop/pods")
	k.reach(`.tree a[href*="pod=shop-web-1"]`)
	k.press(kb.Enter)
	eventually(`new URLSearchParams(location.search).get("pod") + location.hash`, "shop-web-1#log")
	k.reach("#lines")
	eventually(`document.querySelector("#lines").textContent.includes("one line")`, "true")
}
