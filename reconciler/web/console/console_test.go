package console_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/api"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// hostile is text that would do harm where it is not shown as text.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)> javascript:alert(1) '` + "\x1b[2J\u202e"

var shop = platform.RequestKey{Team: "store", Name: "shop"}

// offering is a platform with one offering, whose parameters are of all types.
func offering(t *testing.T, more ...fstest.MapFS) *platform.Platform {
	t.Helper()
	files := fstest.MapFS{
		"clusters/one.yaml":           {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: one, labels: {environment: dev}}\nspec: {}\n")},
		"environments/dev.yaml":       {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  state: {url: ../state-dev.git}\n  clusters: {matchLabels: {environment: dev}}\n")},
		"offerings/web/offering.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec: {title: Web service, description: '<b>Serves</b> HTTP.', owner: platform, versions: {1.2.0: {removeAfter: 2020-01-31}}}\n")},
		"offerings/web/1.2.0/version.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: web}
spec:
  parameters:
    type: object
    required: [image]
    properties:
      image: {type: string, description: The image., pattern: '^.+:.+$'}
      replicas: {type: integer, minimum: 1, maximum: 5, default: 2}
      size: {type: string, enum: [small, large], default: small}
      public: {type: boolean, default: false}
      storage:
        type: object
        properties:
          gib: {type: integer, maximum: 100}
      share: {type: number}
      env:
        type: object
        additionalProperties: {type: string}
      ports:
        type: array
        items: {type: integer, maximum: 65535}
    x-kubernetes-validations:
    - {rule: "!self.public || self.replicas > 1", message: a public service needs two replicas}
`)},
		"offerings/web/1.2.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")},
		"offerings/web/1.2.0/config.yaml":        {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
	}
	for _, one := range more {
		maps.Copy(files, one)
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	require.NotNil(t, p.Offerings["web"], p.Problems)
	require.False(t, p.Offerings["web"].Versions[0].Broken, p.Problems)
	p.Commit = "77de09f2c1ab0000000000000000000000000000"
	return p
}

// hostileOffering is a platform whose offering has texts that are hostile.
func hostileOffering(t *testing.T) *platform.Platform {
	t.Helper()
	text := fmt.Sprintf("%q", hostile)
	return offering(t, fstest.MapFS{"offerings/web/offering.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: web}\nspec:\n" +
		"  {title: " + text + ", description: " + text + ", owner: " + text + ", versions: {1.2.0: {lifecycle: deprecated, reason: " + text + "}}}\n")}})
}

// anyone looks at pages without having logged in.
func anyone(*http.Request) console.Person { return console.Person{} }

// serve answers with the pages of some options.
func serve(o console.Options) func(t *testing.T, path string) (int, string) {
	if o.Person == nil {
		o.Person = anyone
	}
	mux := http.NewServeMux()
	for route, h := range console.New(o).Routes() {
		mux.Handle(route, h)
	}
	return func(t *testing.T, path string) (int, string) {
		t.Helper()
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
}

// running is a board with a request of which every text is hostile.
func running() *status.Board {
	now := time.Now()
	b := status.NewBoard(func() time.Time { return now })
	in := status.Instance{
		Environment: "dev", Request: shop, Offering: "web", Version: "1.2.0", Release: "sha256:aaaaaaaaaa", Commit: "77de09f2c1ab", File: "requests/store/shop.yaml",
		Outputs: map[string]any{"host": hostile}, Display: []platform.Shown{{Name: "size", Value: hostile}},
		Problems:  []platform.Problem{{File: "requests/store/shop.yaml", Line: 3, Message: hostile}},
		Candidate: &status.Candidate{Release: "sha256:b", Version: "1.3.0", Changes: []platform.Difference{{Field: "parameters.image", Before: hostile, After: "x"}}},
		Waiting:   []status.Gate{{Name: "approval", Reason: hostile, Opens: hostile}},
		Rejected:  []status.Failure{{Release: "sha256:c", Version: "1.1.0", Cluster: "one", Message: hostile}},
		Debts:     []string{hostile},
		Links:     []platform.Link{{Name: hostile, URL: "javascript:alert(1)"}},
		Placements: []status.Placement{{
			Cluster: "one", Revision: "r", Stage: status.Committed, Health: "Unknown",
		}},
	}
	b.Reconciled(status.Environment{
		Name: "dev", Frozen: hostile, Clusters: []status.Cluster{{Name: "one", State: "active", Reason: hostile}},
		Decisions: []status.Decision{{Kind: "Hold", File: "decisions/dev/hold.yaml", About: hostile, Reason: hostile}},
	}, []status.Instance{in})
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true, Problem: hostile})
	b.Placed("dev", shop, status.Placement{
		Cluster: "one", Revision: "r", Stage: status.Applied, Health: "Failed", Message: hostile, Images: []string{hostile},
		Objects:  []status.Object{{Kind: "Deployment", Name: hostile, Health: "Failed", Message: hostile}},
		Problems: []status.ObjectProblem{{Object: hostile, Message: hostile}}, Drift: []status.ObjectProblem{{Object: hostile, Message: hostile}},
		Added: []status.Added{{Object: hostile, Field: hostile, Manager: hostile}}, Leaving: []status.ObjectProblem{{Object: hostile, Message: hostile}},
	})
	return b
}

// TestNoTextBecomesMarkup: texts of files, clusters and addresses stay text on every page.
func TestNoTextBecomesMarkup(t *testing.T) {
	b, p := running(), hostileOffering(t)
	b.Loaded("https://github.com/acme/"+hostile, p)
	origin := func(context.Context, string, platform.RequestKey) ([]console.Rung, error) {
		return []console.Rung{{Title: "State", Commit: "c", File: hostile, Subject: hostile, Author: hostile}}, nil
	}
	history := func(context.Context, string, platform.RequestKey) ([]console.Past, error) {
		return []console.Past{{Events: []string{hostile}, Author: hostile}}, nil
	}
	activity := api.Activity{
		Commit: strings.Repeat("1", 40), Author: hostile, MergedBy: hostile, Subject: hostile,
		Touched: []api.Touched{{Kind: "other", Name: hostile, File: hostile, Changes: []string{hostile}}, {Kind: "offering", Name: hostile}, {Kind: "cluster", Name: hostile}},
	}
	get := serve(console.Options{
		Board: b, Activity: func(context.Context, api.ActivityQuery) (api.ActivityPage, error) {
			return api.ActivityPage{Items: []api.Activity{activity}, Next: hostile}, nil
		},
		Commit: func(context.Context, string) (api.Activity, error) { return activity, nil },
		Origin: origin, History: history,
	})
	q := url.QueryEscape(hostile)
	for _, path := range []string{
		"/", "/?team=" + q, "/fleet", "/fleet?q=" + q + "&team=" + q + "&state=" + q, "/requests/store/shop", "/requests/store/shop?environment=" + q, "/environments/dev",
		"/clusters/one", "/changes/77de09f", "/catalog", "/catalog?q=" + q, "/catalog/web", "/catalog/web/new?team=" + q + "&name=" + q + "&p.image=" + q + "&p.env=" + q,
		"/problems", "/activity", "/activity?team=" + q + "&kind=" + q, "/changes/" + strings.Repeat("1", 40), "/events?team=" + q, "/nowhere/" + url.PathEscape(hostile), "/requests/store/" + url.PathEscape(hostile),
	} {
		_, body := get(t, path)
		require.Contains(t, body, "</html>", "%s ends before its end", path)
		require.NotContains(t, body, "<script>alert", path)
		require.NotContains(t, body, "<img src=x", path)
		require.NotContains(t, body, `href="javascript:`, path)
	}
}

// TestWhatWasSetByHandIsOnTheConsole: on the page of the request and on that of the cluster, with object, manager, field and time.
func TestWhatWasSetByHandIsOnTheConsole(t *testing.T) {
	b := running()
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	get := serve(console.Options{Board: b})
	const told = "set by hand: spec.template.spec.hostNetwork by kubectl-edit"
	for _, path := range []string{"/requests/store/shop", "/clusters/one"} {
		_, body := get(t, path)
		require.NotContains(t, body, told, path)
	}
	b.Placed("dev", shop, status.Placement{
		Cluster: "one", Revision: "r", Stage: status.Applied, Health: "Healthy",
		Added: []status.Added{{Object: "Deployment.apps store/web", Field: "spec.template.spec.hostNetwork", Manager: "kubectl-edit", At: time.Now().Add(-3 * time.Hour)}},
	})
	for _, path := range []string{"/requests/store/shop", "/clusters/one"} {
		_, body := get(t, path)
		require.Regexp(t, `<code>Deployment.apps store/web</code><span>`+told+`</span> <time class="ago" datetime="[^"]+">`, body, path)
	}
}

// TestTextsOfFilesTurnNoPage: an escape or a mark that reverses the direction of writing, in a merged file, comes to no page.
func TestTextsOfFilesTurnNoPage(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", hostileOffering(t))
	get := serve(console.Options{Board: b})
	for _, path := range []string{"/catalog", "/catalog/web"} {
		_, body := get(t, path)
		require.Contains(t, body, "alert(1)", path)
		require.False(t, strings.ContainsAny(body, "\x1b\u202e"), path)
	}
}

func TestPagesAreFound(t *testing.T) {
	b := running()
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	get := serve(console.Options{Board: b})
	for path, want := range map[string]string{
		"/":                      `<a href="/requests/store/shop?environment=dev"><b>store/shop</b></a>`,
		"/requests/store/shop":   `href="https://github.com/acme/platform/blob/`,
		"/environments/dev":      "Frozen",
		"/clusters/one":          "Runs here",
		"/changes/77de09f":       "https://github.com/acme/platform/commit/77de09f2c1ab",
		"/catalog/web":           "&lt;b&gt;Serves&lt;/b&gt; HTTP.",
		"/catalog/web?version=1": "its last day was 2020-01-31",
		"/catalog":               "Web service",
		"/problems":              "requests/store/shop.yaml:3",
		"/fleet?state=Problem":   `data-cell="store/shop/dev/one"`,
		"/fleet?cluster=one":     `data-cell="store/shop/dev/one"`,
		"/fleet?state=Healthy":   "Nothing matches the filter.",
		"/fleet?team=store":      `data-cell="store/shop/dev/one"`,
		"/fleet?offering=web":    `data-cell="store/shop/dev/one"`,
		"/fleet?offering=cache":  "Nothing matches the filter.",
		"/fleet?team=other":      "Nothing matches the filter.",
		"/catalog?q=http+serve":  "Web service",
		"/catalog?q=queue":       "Nothing matches.",
		"/fleet?cluster=two":     "Nothing matches the filter.",
		"/fleet?environment=two": "Nothing matches the filter.",
		"/fleet?q=store+sho":     `data-cell="store/shop/dev/one"`,
		"/fleet?q=store+till":    "Nothing matches the filter.",
	} {
		code, body := get(t, path)
		require.Equal(t, http.StatusOK, code, path)
		require.Contains(t, body, want, path)
	}
	_, body := get(t, "/requests/store/shop?environment=pord")
	require.Contains(t, body, "It is not in pord: shown is dev.")
	_, body = get(t, "/requests/store/shop")
	require.NotContains(t, body, "It is not in")
	for path, want := range map[string]string{
		"/requests/store/nothing": "No environment has a request store/nothing",
		"/environments/nothing":   "no environment nothing",
		"/clusters/nothing":       "has a cluster nothing",
		"/changes/0000000":        "No release that runs or waits",
		"/changes/00":             "seven characters",
		"/catalog/nothing":        "offers no nothing",
		"/catalog/web?version=9":  "has no version 9",
		"/nothing":                "There is no such page.",
	} {
		code, body := get(t, path)
		require.Equal(t, http.StatusNotFound, code, path)
		require.Contains(t, body, want, path)
	}
}

// TestAFormMakesTheFile: a form that is filled in shows the request's file and where to make it, and a mistake stands beside its field.
func TestAFormMakesTheFile(t *testing.T) {
	b := running()
	b.Loaded("https://github.com/acme/platform.git", offering(t))
	b.Branch = "main"
	get := serve(console.Options{Board: b})
	_, body := get(t, "/catalog/web/new?team=store&name=till&environment=dev&p.image=till:1&p.replicas=3&p.public=true&p.storage.gib=10&p.env=COLOUR:%20blue")
	require.Contains(t, body, `apiVersion: transom.dev/v1alpha1
kind: Request
metadata:
  name: till
spec:
  offering: web
  version: &#34;1&#34;
  parameters:
    env:
      COLOUR: blue
    image: till:1
    public: true
    replicas: 3
    storage:
      gib: 10
  environments:
    dev: {}
`)
	require.Contains(t, body, "https://github.com/acme/platform/new/main/requests/store?filename=till.yaml&amp;value=")

	_, body = get(t, "/catalog/web/new?team=store&name=till&environment=dev&p.image=till:1&p.env=A:+R+%26B&p.ports=-+8080%0D%0A-+8081")
	require.Contains(t, body, `
    env:
      A: R &amp;B
    image: till:1
    ports:
      - 8080
      - 8081
`)

	for query, want := range map[string]string{
		"name=till&team=store&p.image=till:1":                                                     `id="m-environment" role="alert">choose one at least`,
		"name=till&team=store&environment=dev":                                                    "image",
		"name=shop&team=store&environment=dev&p.image=till:1":                                     `id="m-name" role="alert">store/shop exists already, for web`,
		"name=Till&team=store&environment=dev&p.image=till:1":                                     `id="m-name" role="alert">small letters`,
		"name=till&team=store&environment=dev&p.image=till:1&p.replicas=9":                        `id="m-replicas" role="alert">the integer 9 should be less than or equal to 5`,
		"name=till&team=store&environment=dev&p.image=till:1&p.replicas=many":                     "must be a whole number",
		"name=till&team=store&environment=dev&p.image=till:1&p.public=true&p.replicas=1":          "a public service needs two replicas",
		"name=till&team=store&environment=dev&p.image=till:1&p.env=%26a+[*a,*a]":                  "anchors and tags",
		"name=till&team=store&environment=dev&p.image=till:1&p.share=NaN":                         "must be a number",
		"name=till&team=store&environment=dev&p.image=till:1&p.ports=[80,+99999]":                 `id="m-ports" role="alert">the integer 99999 should be`,
		"name=till&team=store&environment=dev&p.image=till:1&p.env=A:+1":                          `id="m-env" role="alert">must be a string, not the integer 1`,
		"name=till&team=store&environment=dev&p.image=till:1&p.env={1:+x}":                        `id="m-env" role="alert">line 1: `,
		"name=till&team=store&environment=dev&p.image=till:1&p.env=A:+2001-01-01%0D%0AA:+x":       `id="m-env" role="alert">line 2: `,
		"name=till&team=store&environment=dev&p.image=till:1&p.env=" + strings.Repeat("x", 9<<10): "the form takes",
	} {
		_, body := get(t, "/catalog/web/new?"+query)
		require.Contains(t, body, want, query)
		require.NotContains(t, body, "Make the file at the forge", query)
	}
}

// TestHomeTellsATeamOfItsOwnDebts and of those that are about several teams, and everybody else of all.
func TestHomeTellsATeamOfItsOwnDebts(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.Reconciled(status.Environment{Name: "dev", Decisions: []status.Decision{
		{Kind: "Hold", File: "decisions/dev/all.yaml", About: "all of dev"},
		{Kind: "Pin", File: "decisions/dev/till.yaml", About: "store/till", Team: "store"},
		{Kind: "Hold", File: "decisions/dev/search.yaml", About: "team search", Team: "search"},
	}}, nil)
	mine := func(*http.Request) console.Person { return console.Person{Teams: []string{"store"}} }
	_, all := serve(console.Options{Board: b})(t, "/")
	_, own := serve(console.Options{Board: b, Person: mine})(t, "/")
	_, asked := serve(console.Options{Board: b})(t, "/?team=store")
	for _, file := range []string{"all.yaml", "till.yaml", "search.yaml"} {
		require.Contains(t, all, file)
		require.Equal(t, file != "search.yaml", strings.Contains(own, file), file)
		require.Equal(t, file != "search.yaml", strings.Contains(asked, file), file)
	}
}

// TestAPageIsTheSameWhileNothingChanges: a browser that asks again gets nothing.
func TestAPageIsTheSameWhileNothingChanges(t *testing.T) {
	routes := console.New(console.Options{Board: running(), Person: anyone}).Routes()
	first, again := httptest.NewRecorder(), httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/fleet", nil)
	routes["/fleet"].ServeHTTP(first, r)
	r.Header.Set("If-None-Match", first.Header().Get("ETag"))
	routes["/fleet"].ServeHTTP(again, r)
	require.Equal(t, http.StatusNotModified, again.Code)
	require.Empty(t, again.Body.String())
}

// TestGitThatFailsCostsASentence on the page of a request.
func TestGitThatFailsCostsASentence(t *testing.T) {
	get := serve(console.Options{
		Board: running(),
		Origin: func(context.Context, string, platform.RequestKey) ([]console.Rung, error) {
			return nil, errors.New("no such commit")
		},
		History: func(context.Context, string, platform.RequestKey) ([]console.Past, error) {
			return nil, errors.New("no such file")
		},
	})
	code, body := get(t, "/requests/store/shop")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "no such commit")
	require.Contains(t, body, "no such file")
}

// crowd is a board with n requests in three environments.
func crowd(n int) *status.Board {
	b := status.NewBoard(time.Now)
	for i, environment := range []string{"dev", "staging", "prod"} {
		var all []status.Instance
		for j := range n {
			all = append(all, status.Instance{
				Environment: environment, Request: platform.RequestKey{Team: fmt.Sprintf("team-%d", j%50), Name: fmt.Sprintf("request-%d", j)},
				Offering: "web", Version: "1.2.0", Release: "sha256:a",
				Placements: []status.Placement{{Cluster: environment + "-1", Revision: "r", Stage: status.Healthy, Health: "Healthy", Images: []string{"app:1"}}},
			})
		}
		e := status.Environment{Name: environment, Clusters: []status.Cluster{{Name: environment + "-1", State: "active", Reachable: true}}}
		if i > 0 {
			e.PromotesFrom = []string{[]string{"dev", "staging"}[i-1]}
		}
		b.Reconciled(e, all)
	}
	return b
}

// TestALargeFleetComesInPages: a page of a large fleet has a hundred requests, and the next one is linked.
func TestALargeFleetComesInPages(t *testing.T) {
	get := serve(console.Options{Board: crowd(1000)})
	_, body := get(t, "/fleet")
	require.Equal(t, 100, strings.Count(body, `class="request"`))
	require.Contains(t, body, `href="/fleet?page=2"`)
	_, body = get(t, "/fleet?page=10")
	require.Equal(t, 100, strings.Count(body, `class="request"`))
	require.NotContains(t, body, `rel="next"`)
	for _, beyond := range []string{"99999999", "92233720368547760", "9223372036854775807"} {
		_, body = get(t, "/fleet?page="+beyond)
		require.Contains(t, body, "page 10 of 10, 1000 requests")
		require.Equal(t, 100, strings.Count(body, `class="request"`))
		require.NotContains(t, body, `rel="next"`)
		require.Contains(t, body, "</html>")
	}
}

// BenchmarkFleet is the page of 10,000 requests in three environments, at rest and after a change.
func BenchmarkFleet(b *testing.B) {
	board := crowd(10_000)
	page := console.New(console.Options{Board: board, Person: anyone}).Routes()["/fleet"]
	ask := func(path string) time.Duration {
		began := time.Now()
		page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		return time.Since(began)
	}
	ask("/fleet")
	for b.Loop() {
		var rest, typed time.Duration
		for range 20 {
			rest += ask("/fleet")
			typed += ask("/fleet?q=request-77")
		}
		b.ReportMetric(float64(rest.Microseconds())/20_000, "console-fleet-10000:ms")
		b.ReportMetric(float64(typed.Microseconds())/20_000, "console-filter-10000:ms")
		board.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Message: time.Now().String()})
		b.ReportMetric(float64(ask("/fleet").Microseconds())/1000, "console-changed-10000:ms")
	}
}
