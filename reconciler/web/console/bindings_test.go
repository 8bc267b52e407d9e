package console_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// bindable is a platform with an offering that has a required binding and an optional one, and with requests that fit and others.
func bindable() fstest.MapFS {
	files := fstest.MapFS{}
	put := func(name, kind, of, text string) {
		files[name] = &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + of + "}\nspec:" + text + "\n")}
	}
	for _, environment := range []string{"dev", "prod"} {
		files["clusters/"+environment+".yaml"] = &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: " + environment + ", labels: {stage: " + environment + "}}\nspec: {}\n")}
		put("environments/"+environment+".yaml", "Environment", environment, " {state: {url: ../"+environment+".git}, clusters: {matchLabels: {stage: "+environment+"}}}")
	}
	for offering, spec := range map[string]string{
		"db":    "\n  outputs:\n  - {name: host, value: '\"db\"'}",
		"cache": " {}",
		"web":   "\n  computed: {host: bindings.data.host}\n  bindings:\n    data: {offerings: [db, cache], required: true}\n    logs: {offerings: [cache]}",
	} {
		put("offerings/"+offering+"/offering.yaml", "Offering", offering, " {}")
		put("offerings/"+offering+"/1.0.0/version.yaml", "Version", offering, spec)
		files["offerings/"+offering+"/1.0.0/kustomization.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [config.yaml]\n")}
		files["offerings/"+offering+"/1.0.0/config.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + offering + "}\n")}
	}
	for key, of := range map[string][2]string{
		"store/orders": {"db", "dev: {}, prod: {}"}, "store/drafts": {"db", "dev: {}"}, "store/sessions": {"cache", "dev: {}, prod: {}"}, "search/index": {"db", "dev: {}, prod: {}"},
	} {
		_, name, _ := strings.Cut(key, "/")
		put("requests/"+key+".yaml", "Request", name, fmt.Sprintf("\n  offering: %s\n  version: \"1\"\n  environments: {%s}", of[0], of[1]))
	}
	return files
}

// TestAFormBindsARequest: for each binding of the version it lists those of the team's requests that fit in all environments that were chosen, tells
// a mistake beside its field, and makes a file that loads.
func TestAFormBindsARequest(t *testing.T) {
	files := bindable()
	p, err := platform.Load(files)
	require.NoError(t, err)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	get := serve(console.Options{Board: b})
	page := func(query string) (body string, of func(id string) (field, mistake string)) {
		_, body = get(t, "/catalog/web/new?"+query)
		return body, func(id string) (string, string) {
			_, field, _ := strings.Cut(body, `<label class="field" for="f-b-`+id+`">`)
			field, _, _ = strings.Cut(field, "</label>")
			_, mistake, _ := strings.Cut(field, `role="alert">`)
			mistake, _, _ = strings.Cut(mistake, "</span>")
			return field, html.UnescapeString(mistake)
		}
	}
	const fine = "team=store&name=shop&environment=dev&environment=prod&b.data=orders"
	for query, want := range map[string]struct {
		listed  []string // of data
		mistake string
	}{
		"":                                     {nil, ""},
		"team=store&name=shop&environment=dev": {[]string{"drafts", "orders"}, "choose one: it needs a request of db or cache"},
		"team=store&name=shop&environment=dev&environment=prod&b.data=drafts":    {[]string{"drafts", "orders"}, "store/drafts is not in prod; add the environment to it"},
		"team=store&name=shop&environment=dev&b.data=sessions":                   {[]string{"sessions", "drafts", "orders"}, `store/sessions is cache@1.0.0, which has no output "host"`},
		"team=store&name=shop&environment=dev&b.data=index":                      {[]string{"index", "drafts", "orders"}, "team store has no request index"},
		"team=search&name=shop&environment=dev&environment=prod&b.logs=&b.data=": {[]string{"index"}, "choose one: it needs a request of db or cache"},
		"team=nobody&name=shop&environment=dev":                                  {nil, `needs a request of db or cache, and team nobody has none in dev; <a href="/catalog/db/new?environment=dev&team=nobody">ask for db first</a>; <a href="/catalog/cache/new?environment=dev&team=nobody">ask for cache first</a>`},
		fine:                                                                     {[]string{"orders"}, ""},
	} {
		body, of := page(query)
		field, mistake := of("data")
		require.Contains(t, field, "<b>required</b>", query)
		var listed []string
		for _, one := range strings.Split(field, `<option value="`)[1:] {
			if name, _, _ := strings.Cut(one, `"`); name != "" {
				listed = append(listed, name)
			}
		}
		require.Equal(t, want.listed, listed, query)
		require.Equal(t, want.mistake, mistake, query)
		require.Equal(t, query == fine, strings.Contains(body, "Make the file at the forge"), query)
		logs, mistake := of("logs")
		require.NotContains(t, logs, "required", query)
		require.Empty(t, mistake, query)
	}
	for name, query := range map[string]string{"shop": fine, "stall": strings.Replace(fine, "shop", "stall", 1) + "&b.logs=sessions"} {
		body, _ := page(query)
		files["requests/store/"+name+".yaml"] = &fstest.MapFile{Data: []byte(html.UnescapeString(written.FindStringSubmatch(body)[1]))}
	}
	again, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, again.Problems)
	data, logs := platform.RequestKey{Team: "store", Name: "orders"}, platform.RequestKey{Team: "store", Name: "sessions"}
	require.Equal(t, map[string]platform.RequestKey{"data": data}, instance(again, "prod", platform.RequestKey{Team: "store", Name: "shop"}).Bindings)
	require.Equal(t, map[string]platform.RequestKey{"data": data, "logs": logs}, instance(again, "prod", platform.RequestKey{Team: "store", Name: "stall"}).Bindings)
}

// TestAFormBindsToOneOfMany: the first are listed, and another one goes by its name.
func TestAFormBindsToOneOfMany(t *testing.T) {
	files := bindable()
	for n := range 250 {
		name := fmt.Sprintf("orders-%d", n)
		files["requests/store/"+name+".yaml"] = &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\nspec: {offering: db, version: \"1\", environments: {dev: {}}}\n")}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	query := url.Values{"team": {"store"}, "name": {"shop"}, "environment": {"dev"}, "b.data": {"orders-99"}}
	_, body := serve(console.Options{Board: b})(t, "/catalog/web/new?"+query.Encode())
	require.Contains(t, body, `<input id="f-b-data" name="b.data" value="orders-99" list="l-b-data">`)
	require.NotContains(t, body, `value="orders-98"`, "the first 200 are listed")
	require.Contains(t, body, "Make the file at the forge")
	require.Contains(t, body, "data: orders-99")
}

// TestAFormTriesSoManyRequests: beyond, those that fit are not searched for, and go by their name.
func TestAFormTriesSoManyRequests(t *testing.T) {
	files, bindings := bindable(), ""
	for n := range 210 {
		name := fmt.Sprintf("orders-%d", n)
		files["requests/store/"+name+".yaml"] = &fstest.MapFile{Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\nspec: {offering: db, version: \"1\", environments: {dev: {}}}\n")}
	}
	for n := range 100 {
		bindings += fmt.Sprintf("    data%02d: {offerings: [db]}\n", n)
	}
	files["offerings/web/1.0.0/version.yaml"].Data = []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: web}\nspec:\n  bindings:\n" + bindings)
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	_, body := serve(console.Options{Board: b})(t, "/catalog/web/new?team=store&name=shop&environment=prod&b.data99=orders")
	require.Contains(t, body, `<select id="f-b-data00" name="b.data00"><option value="">–</option><option value="orders">`)
	require.Contains(t, body, `<input id="f-b-data99" name="b.data99" value="orders" list="l-b-data99">`)
	require.Contains(t, body, "Make the file at the forge")
}

// TestAFormBindsARequestAnew: to another one that fits where the file binds it for all environments, with the command that does so; the form says
// which values are still to be sealed.
func TestAFormBindsARequestAnew(t *testing.T) {
	files := bindable()
	put := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	put("requests/store/shop.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\nspec:\n  offering: web\n  version: \"1\"\n"+
		"  bindings: {data: orders}\n  environments: {dev: {}, prod: {bindings: {data: archive}}}\n")
	put("requests/store/archive.yaml", "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: archive}\nspec: {offering: db, version: \"1\", environments: {prod: {}}}\n")
	put("offerings/web/1.0.0/config.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {transom.dev/sealed: \"stripe-key\"}}\ntype: Opaque\n")
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	b := status.NewBoard(time.Now)
	b.Loaded("https://github.com/acme/platform.git", p)
	var set []console.Assignment
	get := serve(console.Options{
		Board: b, Person: func(*http.Request) console.Person {
			return console.Person{In: func(team string) bool { return team == "store" }}
		},
		Edit: func(_ context.Context, _ string, all []console.Assignment) (string, error) {
			set = all
			return "# kept\n", nil
		},
	})
	_, body := get(t, "/requests/store/shop/edit")
	require.Contains(t, body, `<option value="orders" selected>orders (db)</option>`)
	require.Contains(t, body, `<option value="drafts">drafts (db)</option>`, "prod has a binding of its own")
	require.NotContains(t, body, `<option value="archive"`)
	require.Contains(t, body, "Change a value")
	require.Empty(t, set)
	_, body = get(t, "/requests/store/shop/edit?b.data=drafts&b.logs=sessions")
	require.Equal(t, []console.Assignment{{Path: []string{"bindings", "data"}, Value: "drafts"}, {Path: []string{"bindings", "logs"}, Value: "sessions"}}, set)
	require.Contains(t, body, "<code>bindings.data: orders → drafts</code>")
	require.Contains(t, body, "<code>bindings.logs: unset → sessions</code>")
	require.Contains(t, body, "transom set store/shop bindings.data=drafts bindings.logs=sessions\ntransom secret set store/shop stripe-key -e dev\ntransom secret set store/shop stripe-key -e prod\n")
	require.Contains(t, body, "secret ones may be asked for")
	for query, mistake := range map[string]string{
		"b.data=archive": "store/archive is not in dev; add the environment to it", "b.data=": "a binding is taken away by removing its line from the file", "b.data=shop": "store/shop is a request for web; web@1.0.0 takes db or cache there",
	} {
		_, body = get(t, "/requests/store/shop/edit?"+query)
		require.Empty(t, set, query)
		require.Contains(t, body, `id="m-b-data" role="alert">`+mistake+`</span>`, query)
		require.Contains(t, body, "Mend what is marked", query)
	}
}
