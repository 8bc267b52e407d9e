package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// TestAFormEditsARequest: it has the values of the request's file, gives those that differ to whoever writes the file, and says the command that
// makes the same edit; a mistake stands beside its field.
func TestAFormEditsARequest(t *testing.T) {
	b, p := running(), offering(t, fstest.MapFS{"requests/store/shop.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: shop}
spec:
  offering: web
  version: "1"
  parameters: {image: "shop:1", storage: {gib: 5}, env: {COLOUR: blue}}
  environments: {dev: {}}
`)}})
	b.Loaded("https://github.com/acme/platform.git", p)
	var set []console.Assignment
	o := console.Options{
		Board: b, Person: func(*http.Request) console.Person {
			return console.Person{In: func(team string) bool { return team == "store" }}
		},
		Edit: func(_ context.Context, file string, all []console.Assignment) (string, error) {
			if set = all; len(all) == 4 {
				return "", errors.New("is written in a way that cannot be edited here")
			}
			return fmt.Sprintf("# kept %s: %d edits\n", file, len(all)), nil
		},
	}
	get := serve(o)
	code, body := get(t, "/requests/store/shop/edit")
	require.Equal(t, http.StatusOK, code)
	for _, want := range []string{`id="f-image" name="p.image" value="shop:1"`, `name="p.storage.gib" value="5"`, `{&#34;COLOUR&#34;:&#34;blue&#34;}</textarea>`, "# kept requests/store/shop.yaml: 0 edits", "Change a value"} {
		require.Contains(t, body, want)
	}
	require.Empty(t, set)

	same := "p.image=shop:1&p.storage.gib=5&p.env=" + url.QueryEscape(`{"COLOUR":"blue"}`)
	_, body = get(t, "/requests/store/shop/edit?"+same)
	require.Empty(t, set)
	require.Contains(t, body, "Change a value")

	_, body = get(t, "/requests/store/shop/edit?p.image=shop:2&p.storage.gib=7&p.env="+url.QueryEscape(`{"COLOUR":"it's red"}`))
	require.Equal(t, []console.Assignment{
		{Path: []string{"parameters", "image"}, Value: "shop:2"},
		{Path: []string{"parameters", "env"}, Value: map[string]any{"COLOUR": "it's red"}},
		{Path: []string{"parameters", "storage", "gib"}, Value: int64(7)},
	}, set)
	for _, want := range []string{
		"parameters.image: shop:1 → shop:2", "parameters.storage.gib: 5 → 7", "# kept requests/store/shop.yaml: 3 edits", "The values fit the schema",
		"transom set store/shop parameters.image=shop:2 &#39;parameters.env={&#34;COLOUR&#34;:&#34;it&#39;\\&#39;&#39;s red&#34;}&#39; parameters.storage.gib=7",
	} {
		require.Contains(t, body, want)
	}

	for query, want := range map[string]string{
		"p.image=":                   `id="m-image" role="alert">a value is taken away by removing its line from the file`,
		"p.storage.gib=101":          `id="m-storage.gib" role="alert">the integer 101 should be`,
		"p.storage.gib=many":         "must be a whole number",
		"p.public=true&p.replicas=1": "a public service needs two replicas",
		"p.image=a:1&p.size=large&p.public=false&p.replicas=3": "It cannot be edited here",
	} {
		_, body = get(t, "/requests/store/shop/edit?"+query)
		require.Contains(t, body, want, query)
		require.NotContains(t, body, "The values fit the schema", query)
	}
	code, _ = get(t, "/requests/store/nothing/edit")
	require.Equal(t, http.StatusNotFound, code)
	code, body = get(t, "/requests/search/shop/edit")
	require.Equal(t, http.StatusForbidden, code)
	require.Contains(t, body, "are edited by its developers")
	_, body = get(t, "/requests/store/shop/edit?p.image="+url.QueryEscape(hostile)+"&p.env="+url.QueryEscape("{A: '"+hostile+"'}"))
	require.NotContains(t, body, "<script>alert")
	require.NotContains(t, body, "<img src=x")
}

// TestARequestWhoseTurnIsToComeIsNotEdited: nothing is known of its file yet, and no mistake in it is made up.
func TestARequestWhoseTurnIsToComeIsNotEdited(t *testing.T) {
	_, files := acme(t)
	l := &platform.Loader{AtOnce: 1}
	_, err := l.Load(files)
	require.NoError(t, err)
	for _, name := range []string{"one", "two"} {
		key := platform.RequestKey{Team: "newcomers", Name: name}
		files[key.File()] = &fstest.MapFile{Data: []byte("kind: nothing\n")}
	}
	p, err := l.Load(files)
	require.NoError(t, err)
	b := running()
	b.Loaded("https://github.com/acme/platform.git", p)
	get := serve(console.Options{
		Board: b, Person: func(*http.Request) console.Person { return console.Person{In: func(string) bool { return true }} },
		Edit: func(context.Context, string, []console.Assignment) (string, error) { return "", nil },
	})
	code, body := get(t, "/requests/newcomers/two/edit")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "The turn of newcomers/two is still to come")
	_, body = get(t, "/requests/newcomers/one/edit")
	require.Contains(t, body, "is not offered")
}
