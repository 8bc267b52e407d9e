package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
	"transom.dev/reconciler/web"
)

// Whatever the request, there is an answer: the result in JSON, or the error of the request. Nothing that is asked comes
// back as something that a terminal or a browser acts on.
func FuzzQueries(f *testing.F) {
	for _, ask := range [][2]string{
		{"status", "team=store&request=shop&environment=prod&objects=none"},
		{"status", "request=shop"},
		{"status", "objects=some"},
		{"progress", "environment=prod&commit=c2&team=store&request=shop"},
		{"progress", "commit=" + strings.Repeat("0", 40)},
		{"events", "team=store"},
		{"events", "since=-1"},
		{"explain", "environment=prod&team=store&request=shop&cluster=east"},
		{"explain", "environment=%1b%5b31m&team=%00"},
		{"status", "%zz"},
		{"../status", "a=b;c"},
		{"", "team=<script>"},
	} {
		f.Add(ask[0], ask[1])
	}
	handler := web.Handler(web.Options{
		Board: board(),
		Ready: func() error { return nil },
		Includes: func(_ context.Context, head, commit string) (bool, error) {
			return head == commit, nil
		},
	})
	f.Fuzz(func(t *testing.T, path, query string) {
		if _, err := url.ParseRequestURI("/?" + query); err != nil {
			return // the server refuses such a request before any handler sees it
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/", nil)
		req.URL = &url.URL{Scheme: "http", Host: "localhost", Path: "/api/v1/" + path, RawQuery: query}
		w := httptest.NewRecorder()
		bounded.Usual.Run(func() { handler.ServeHTTP(w, req) })
		require.Less(t, w.Code, 600)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, w.Body)
		for _, c := range w.Body.String() {
			require.False(t, c < ' ' && c != '\n' && c != '\t', "%q", w.Body)
		}
		if w.Code == http.StatusOK && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			require.True(t, json.Valid(w.Body.Bytes()))
		}
	})
}
