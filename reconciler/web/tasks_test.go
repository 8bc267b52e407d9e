package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

// mostClicks is how many clicks from Home a task may take.
const mostClicks = 5

// TestATaskIsAFewClicksFromHome: each is done by clicking what is in sight, and its end is in sight, too.
func TestATaskIsAFewClicksFromHome(t *testing.T) {
	calm := busy(t)
	accident := web.Options{Board: promoting(), Manifests: calm.Manifests, Runtime: calm.Runtime}
	atRest, amiss := served(t, calm), served(t, accident)
	tab := newTab(t)
	eventually := watch(tab, t)
	for _, task := range []struct {
		name   string
		server string
		clicks []string
		end    string
		says   string // the text of the end has it
	}{
		{"find a service", atRest, []string{"nav a[href='/catalog']"}, ".cards a[href='/catalog/web']", "Web service"},
		{"ask for it", atRest, []string{"nav a[href='/catalog']", ".cards a[href='/catalog/web']", ".button[href*='/new']"}, "#yaml", "offering: web"},
		{"see the changes", atRest, []string{"nav a[href='/fleet']", "#matrix .cell", "#clusters a[href*='with=next']"}, "#differences .plus", "kind: ConfigMap"},
		{"follow it to prod", amiss, []string{"nav a[href='/fleet']", "#matrix a.request[href='/requests/store/shop']"}, ".pipeline .stage.chosen", "prod"},
		{"why does one wait", amiss, []string{".task.waiting a"}, "#waiting .gates", "12m of 2h in staging"},
		{"approve it", amiss, nil, ".task.waiting .command", "transom promote store/shop --environment prod"},
		{"why did one fail", amiss, []string{"nav a[href='/fleet']", "#matrix [data-cell='store/shop/prod/east']"}, "main .problems", "CrashLoopBackOff"},
		{"roll it back", amiss, []string{"nav a[href='/fleet']", "#matrix [data-cell='store/shop/prod/east']"}, "aside section:last-child pre", "transom rollback store/shop --environment prod --reason"},
		{"who is on an old version", amiss, []string{"nav a[href='/fleet']", "#skew summary", "#skew a[href*='environment=prod'][href*='version=1.1.0']"}, "#matrix", "shop"},
		{"what changed lately", atRest, []string{"nav a[href='/activity']"}, "#events.commits li a[href^='/changes/']", ""},
		{"the log of a pod", atRest, []string{"nav a[href='/fleet']", "#matrix .cell", "#clusters a[href*='/pods']"}, "#lines div", "one line"},
		{"what do I owe", amiss, nil, "#debts + ul", "Hold of all of dev"},
	} {
		require.LessOrEqual(t, len(task.clicks), mostClicks, task.name)
		_, err := chromedp.Run(tab, chromedp.Navigate(task.server+"/"))
		require.NoError(t, err, task.name)
		for _, one := range task.clicks {
			eventually(fmt.Sprintf(`((e) => e?.checkVisibility() ? (e.click(), "clicked") : "nothing to click for: %s")(document.querySelector(%q))`, task.name, one), "clicked")
		}
		eventually(fmt.Sprintf(`((e) => e?.checkVisibility() && e.textContent.includes(%q) ? "seen" : "no end of: %s")(document.querySelector(%q))`, task.says, task.name, task.end), "seen")
	}
}
