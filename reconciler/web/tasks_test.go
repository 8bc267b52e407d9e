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
	}{
		{"find a service", atRest, []string{"nav a[href='/catalog']"}, ".cards a[href='/catalog/web']"},
		{"ask for it", atRest, []string{"nav a[href='/catalog']", ".cards a[href='/catalog/web']", ".button[href*='/new']"}, "#yaml"},
		{"see the changes", atRest, []string{"nav a[href='/fleet']", "#matrix .cell", "#clusters a[href*='with=next']"}, "#differences .plus"},
		{"follow it to prod", amiss, []string{"nav a[href='/fleet']", "#matrix a.request[href='/requests/store/shop']"}, ".pipeline .stage.chosen"},
		{"why does one wait", amiss, []string{".task.waiting a"}, "#waiting .gates strong"},
		{"approve it", amiss, nil, ".task.waiting .command"},
		{"why did one fail", amiss, []string{"nav a[href='/fleet']", "#matrix [data-cell='store/shop/prod/east']"}, "main .problems"},
		{"roll it back", amiss, []string{"nav a[href='/fleet']", "#matrix .cell"}, "aside section:last-child pre"},
		{"who is on an old version", amiss, []string{"nav a[href='/fleet']", "#skew summary", "#skew a[href*='environment=prod'][href*='version=1.1.0']"}, ".chip"},
		{"what changed lately", amiss, []string{"nav a[href='/activity']"}, "#events li time"},
		{"the log of a pod", atRest, []string{"nav a[href='/fleet']", "#matrix .cell", "#clusters a[href*='/pods']"}, "#lines div"},
		{"what do I owe", amiss, nil, "#debts"},
	} {
		require.LessOrEqual(t, len(task.clicks), mostClicks, task.name)
		_, err := chromedp.Run(tab, chromedp.Navigate(task.server+"/"))
		require.NoError(t, err, task.name)
		for _, one := range task.clicks {
			eventually(fmt.Sprintf(`((e) => e?.checkVisibility() ? (e.click(), "clicked") : "nothing to click for: %s")(document.querySelector(%q))`, task.name, one), "clicked")
		}
		eventually(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() ?? "no end of: %s"`, task.end, task.name), "true")
	}
}
