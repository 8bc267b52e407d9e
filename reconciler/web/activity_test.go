package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	resource "transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// journal has commits of the platform and of dev, one of which touches many things.
type journal struct{}

const (
	mergeCommit = "1111111111111111111111111111111111111111"
	stateCommit = "2222222222222222222222222222222222222222"
)

func (journal) all() []resource.Activity {
	shop := platform.RequestKey{Team: "store", Name: "shop"}
	merge := resource.Activity{
		Commit: mergeCommit, When: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Author: "Writer", MergedBy: "Merger", Subject: "shop: more replicas",
		Touched: []resource.Touched{
			{Kind: "request", Name: "store/shop", Request: &shop, File: "requests/store/shop.yaml", Changes: []string{"changed"}},
			{Kind: "other", Name: "README.md", File: "README.md", Changes: []string{"added"}},
		},
	}
	state := resource.Activity{Commit: stateCommit, Environment: "dev", When: merge.When.Add(time.Minute), Author: "Writer", Subject: "dev: 9 releases", More: true}
	for i := range 9 {
		key := platform.RequestKey{Team: "store", Name: fmt.Sprintf("shop-%d", i)}
		state.Touched = append(state.Touched, resource.Touched{
			Kind: "release", Name: key.String(), Request: &key, Environment: "dev", File: "releases/" + key.String() + ".yaml", Changes: []string{"took web 1.1.0"},
		})
	}
	return []resource.Activity{state, merge}
}

func (j journal) List(_ context.Context, q resource.ActivityQuery) (page resource.ActivityPage, err error) {
	if q.Team == "broken" {
		return page, errors.New("the mirror is gone")
	}
	if q.Team == "slow" {
		return page, fmt.Errorf("%w: the history so far back is being read", web.ErrNotYet)
	}
	if q.After == "of another list" {
		return page, fmt.Errorf("after: %q %w", q.After, web.ErrNoPosition)
	}
	for i, one := range j.all() {
		behind := q.After == "" || (q.After == "0" && i > 0)
		wrong := (q.Kind == "release" && one.Environment == "") || (q.Repository == "platform" && one.Environment != "")
		if !behind || wrong {
			continue
		}
		if len(page.Items) == q.Limit {
			page.Next, page.Back = "0", one.When
			return page, nil
		}
		page.Items = append(page.Items, one)
	}
	return page, nil
}

func (j journal) Find(_ context.Context, commit string) (found resource.Activity, err error) {
	for _, one := range j.all() {
		if one.Commit == commit {
			return one, nil
		}
	}
	return found, fmt.Errorf("commit %s: %w", commit, web.ErrNotFound)
}

// TestActivityIsListedInPages: filters go to the journal, the next page has an address, and a mistake is told with its remedy.
func TestActivityIsListedInPages(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Journal: journal{}})
	type listing struct {
		Items []resource.Activity
		Next  string
		Back  time.Time
	}
	first := getJSON[listing](t, s, "/api/v1/activity?limit=1")
	require.Len(t, first.Items, 1)
	require.Equal(t, stateCommit, first.Items[0].Commit)
	require.NotZero(t, first.Back)
	second := getJSON[listing](t, s, "/api/v1/activity?limit=1&after="+first.Next)
	require.Equal(t, mergeCommit, second.Items[0].Commit)
	require.Empty(t, second.Next)
	require.Len(t, getJSON[listing](t, s, "/api/v1/activity?kind=release").Items, 1)
	require.Equal(t, mergeCommit, getJSON[listing](t, s, "/api/v1/activity?repository=platform").Items[0].Commit)
	require.Equal(t, "Merger", getJSON[resource.Activity](t, s, "/api/v1/activity/"+mergeCommit).MergedBy)
	for address, want := range map[string]int{
		"?kind=releases": http.StatusBadRequest, "?after=x": http.StatusBadRequest, "?request=shop": http.StatusBadRequest,
		"/" + strings.Repeat("3", 40): http.StatusNotFound, "?team=broken": http.StatusBadGateway,
		"?team=slow": http.StatusServiceUnavailable, "?after=b2YgYW5vdGhlciBsaXN0AtUmCA": http.StatusBadRequest,
	} {
		code, body := get(t, s, "/api/v1/activity"+address)
		require.Equal(t, want, code, "%s: %s", address, body)
		require.Contains(t, body, `"remedy"`)
	}
	code, body := get(t, serve(t, web.Options{Board: board()}), "/api/v1/activity")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "run git log in the repositories")
}

// TestHistoryThatIsBeingReadSaysWhenToAskAgain, on its page as well.
func TestHistoryThatIsBeingReadSaysWhenToAskAgain(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Journal: journal{}})
	for _, address := range []string{"/api/v1/activity?team=slow", "/activity?team=slow"} {
		resp, body := as(t, http.MethodGet, s.URL+address, "")
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, "5", resp.Header.Get("Retry-After"))
		require.Contains(t, body, "the history so far back is being read")
	}
	_, body := as(t, http.MethodGet, s.URL+"/activity?team=slow", "")
	require.Contains(t, body, "Try again in 5 s")
}

// TestActivityHasPages: a list with links to what was touched, a page for each commit, and the events beside it.
func TestActivityHasPages(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Journal: journal{}})
	code, body := get(t, s, "/activity")
	require.Equal(t, http.StatusOK, code)
	for _, want := range []string{
		`<b>Writer</b> <span class="quiet">merged by Merger</span>`, `href="/changes/` + mergeCommit + `"`, `href="/requests/store/shop"`,
		`href="/requests/store/shop-0?environment=dev"`, "5 things more", "and others, which Git has", `href="/events"`,
	} {
		require.Contains(t, body, want)
	}
	_, body = get(t, s, "/activity?kind=release")
	require.NotContains(t, body, mergeCommit)
	_, body = get(t, s, "/activity?repository=platform")
	require.NotContains(t, body, stateCommit)
	require.Contains(t, body, `name="repository" value="platform"`)
	code, body = get(t, s, "/activity?after=x")
	require.Equal(t, http.StatusBadRequest, code, body)

	_, body = get(t, s, "/changes/"+mergeCommit)
	require.Contains(t, body, "shop: more replicas")
	require.Contains(t, body, "Nothing of it waits.")
	_, body = get(t, s, "/changes/"+stateCommit)
	require.Contains(t, body, "State commit")
	require.Contains(t, body, "took web 1.1.0")
	code, _ = get(t, s, "/changes/"+strings.Repeat("3", 40))
	require.Equal(t, http.StatusNotFound, code)

	_, body = get(t, serve(t, web.Options{Board: board()}), "/activity")
	require.Contains(t, body, "since the daemon began", "where Git is not told, events are")
}

// TestActivityIsFilteredInABrowser: a choice changes the address and the list, without a reload; the rest of a commit is unfolded.
func TestActivityIsFilteredInABrowser(t *testing.T) {
	eventually := open(t, served(t, busy(t))+"/activity")
	eventually(`document.querySelectorAll("#events > li").length`, "2")
	eventually(`((e) => { e.open = true; return [...e.querySelectorAll("li")].filter((li) => li.checkVisibility()).length; })(document.querySelector("#events details"))`, "5")
	eventually(`((e) => { window.kept = true; if (e.value !== "release") { e.value = "release"; e.dispatchEvent(new Event("input", { bubbles: true })); } return location.search; })(document.querySelector("#a-kind"))`, "?kind=release")
	eventually(`document.querySelectorAll("#events > li").length`, "1")
	eventually(`document.querySelector("#events details").open`, "true")
	eventually(`window.kept`, "true")
	eventually(`(document.querySelector("#events a[href^='/changes/']")?.click(), location.pathname)`, "/changes/"+stateCommit)
	eventually(`document.querySelectorAll("#of li").length`, "9")
}

// TestARequestIsEditedInABrowser: while a value is typed, the file and the command follow, and the field keeps what is typed.
func TestARequestIsEditedInABrowser(t *testing.T) {
	eventually := open(t, served(t, busy(t))+"/requests/store/shop")
	eventually(`(document.querySelector("#edit")?.click(), location.pathname)`, "/requests/store/shop/edit")
	eventually(`document.querySelector("#link").textContent`, "live")
	eventually(`document.querySelector("[id='f-image']").value`, "a")
	eventually(`((e) => { if (e.value !== "shop:2") { e.focus(); e.value = "shop:2"; e.dispatchEvent(new Event("input", { bubbles: true })); } return location.search; })(document.querySelector("[id='f-image']"))`, "?p.image=shop%3A2")
	eventually(`document.querySelector("#command")?.textContent.split("\n")[0]`, "transom set store/shop parameters.image=shop:2")
	eventually(`document.querySelector("#changes").textContent`, "parameters.image: a → shop:2")
	eventually(`document.querySelector("#yaml").textContent.startsWith("# kept")`, "true")
	eventually(`document.activeElement.id`, "f-image")
}

// openForm opens a form of the example platform in a browser. It returns how to wait for the value of a script, and how to type into a field.
func openForm(t *testing.T, at string) (eventually, enter func(at, text string)) {
	p, err := platform.Load(os.DirFS("../../examples/acme"))
	require.NoError(t, err)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	eventually = open(t, served(t, web.Options{Board: b})+at)
	eventually(`document.querySelector("#link").textContent`, "live")
	return eventually, func(field, text string) {
		eventually(fmt.Sprintf(`((e) => { e.focus(); e.value = %q; e.dispatchEvent(new Event("input", { bubbles: true })); return e.value; })(document.getElementById(%q))`, text, field), text)
	}
}

// TestAWrongValueIsToldBesideItsFieldAsOneTypes: of an example's offering, also where a rule is over several parameters; the field keeps the
// focus and its text, and once the value is mended nothing is told any more.
func TestAWrongValueIsToldBesideItsFieldAsOneTypes(t *testing.T) {
	eventually, enter := openForm(t, "/catalog/web/new?version=1.1.0&team=search&name=more&environment=dev&p.image=more:1")
	told := func(field string) string {
		return fmt.Sprintf(`document.getElementById(%q).closest("label").querySelector(".mistake").textContent`, field)
	}
	const draft = `document.querySelector("#draft").textContent.includes(%q)`
	for _, one := range []struct{ field, wrong, says, right string }{
		{"f-name", "More", "small letters", "more"}, {"f-port", "80", "the integer 80 should be greater than or equal to 1024", "8080"}, {"f-port", "many", "must be a whole number", ""},
	} {
		enter(one.field, one.wrong)
		eventually(told(one.field)+fmt.Sprintf(`.includes(%q)`, one.says), "true")
		eventually(`document.activeElement.id + " " + document.activeElement.value`, one.field+" "+one.wrong)
		eventually(fmt.Sprintf(draft, "The values fit the schema"), "false")
		enter(one.field, one.right)
		eventually(told(one.field), "")
		eventually(fmt.Sprintf(draft, "The values fit the schema"), "true")
	}
	enter("f-minReplicas", "9")
	eventually(fmt.Sprintf(draft, "minReplicas must not exceed maxReplicas"), "true")
	eventually(`document.activeElement.id`, "f-minReplicas")
	enter("f-maxReplicas", "9")
	eventually(fmt.Sprintf(draft, "The values fit the schema"), "true")
}

// TestABindingIsChosenInABrowser among the requests of the team that is typed; one that another team does not have is told beside its field.
func TestABindingIsChosenInABrowser(t *testing.T) {
	eventually, enter := openForm(t, "/catalog/pages/new?version=1.1.0&name=more&environment=dev&p.text=more")
	const listed, told = `[...document.getElementById("f-b-downloads").options].map((e) => e.textContent).join("|")`, `document.getElementById("m-b-downloads").textContent`
	eventually(listed, "–")
	enter("f-team", "search")
	eventually(listed, "–|snapshots (bucket)")
	enter("f-b-downloads", "snapshots")
	eventually(`document.querySelector("#yaml").textContent.includes("downloads: snapshots")`, "true")
	eventually(`document.activeElement.id + " " + document.activeElement.value`, "f-b-downloads snapshots")
	enter("f-team", "platform")
	eventually(told, "team platform has no request snapshots")
	enter("f-b-downloads", "")
	eventually(told, "")
	eventually(`document.querySelector("#may-seal strong").textContent.includes("The values fit the schema")`, "true")
}
