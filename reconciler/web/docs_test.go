package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

func TestDocumentsArePages(t *testing.T) {
	server := httptest.NewServer(web.Handler(web.Options{Board: promoting(), Docs: fstest.MapFS{
		"one.md": {Data: []byte("# The first\n\n| a | b |\n|---|---|\n| `x < y` | <script>alert(1)</script> |\n")},
		"two.md": {Data: []byte("# The second\n\nText.\n")},
	}}))
	t.Cleanup(server.Close)
	for path, want := range map[string]string{
		"/docs/": "<h1 id=\"the-first\">The first</h1>", "/docs/one": "<code>x &lt; y</code>", "/docs/two": "<p>Text.</p>",
	} {
		answer, page := as(t, http.MethodGet, server.URL+path, "")
		require.Equal(t, http.StatusOK, answer.StatusCode, path)
		require.Equal(t, "text/html; charset=utf-8", answer.Header.Get("Content-Type"))
		require.Contains(t, page, want)
		require.Regexp(t, `<a href="/docs/two"( aria-current="page")?>The second</a>`, page)
		require.NotContains(t, page, "<script>")
	}
	answer, said := as(t, http.MethodGet, server.URL+"/docs/three", "")
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Contains(t, said, "there is no such document; /docs/ has those that there are")
	answer, page := as(t, http.MethodGet, server.URL+"/docs/three", "", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Contains(t, page, "There is no such document")
	require.Contains(t, page, `<a href="/docs/two">The second</a>`)
}
