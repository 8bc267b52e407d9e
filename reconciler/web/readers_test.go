package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// A reader asks a handler from an address, with a token or without.
type reader struct {
	http.Handler
	address, token string
}

// asks returns how many of n requests for a path were answered, and the last answer that was none.
func (c reader) asks(t *testing.T, n int, path string) (answered int, refused *httptest.ResponseRecorder) {
	t.Helper()
	for range n {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
		r.RemoteAddr = c.address
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests {
			refused = w
		} else {
			answered++
		}
	}
	return answered, refused
}

// limitedBy is how many requests were counted as limited.
func limitedBy(t *testing.T, figures *web.Figures) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(figures.Collectors()...)
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "transom_requests_limited_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

// TestEachClientIsLimitedByItself: whoever asks without end is told to wait, and nobody else is.
func TestEachClientIsLimitedByItself(t *testing.T) {
	all := newTeam(t, "")
	synctest.Test(t, func(t *testing.T) {
		figures := web.NewFigures()
		g, err := access.New(access.Options{File: all.file, Unknown: access.Viewer})
		require.NoError(t, err)
		h := web.Handler(web.Options{Board: board(), Access: g, MostRequests: 2, Limited: figures.Limited})
		const page, health, burst = "/api/v1/environments", "/readyz", 20
		greedy := reader{h, "192.0.2.1:1", ""}
		answered, refused := greedy.asks(t, 30, page)
		require.Equal(t, burst, answered)
		require.Equal(t, "1", refused.Header().Get("Retry-After"))
		require.Contains(t, refused.Body.String(), "more than 2 requests a second come from you")
		require.Equal(t, "application/problem+json", refused.Header().Get("Content-Type"))

		for name, c := range map[string]struct {
			client reader
			path   string
			want   int
		}{
			"health":                            {greedy, health, 30},
			"another page":                      {greedy, "/", 0},
			"the same address by another port":  {reader{h, "192.0.2.1:2", ""}, page, 0},
			"another address":                   {reader{h, "192.0.2.2:1", ""}, page, burst},
			"somebody with a token there":       {reader{h, "192.0.2.1:1", all.tokens[access.Viewer]}, page, burst},
			"nobody knows who, on this machine": {reader{h, "127.0.0.1:1", ""}, page, 30},
			"somebody known, on this machine":   {reader{h, "127.0.0.1:1", all.tokens[access.Operator]}, page, burst},
			"one network of IPv6":               {reader{h, "[2001:db8::1]:1", ""}, page, burst},
			"the page to log in there":          {greedy, "/login", 30},
			"its style":                         {greedy, "/console.css", 30},
			"its icon":                          {greedy, "/transom.svg", 30},
			"to log in there":                   {greedy, "/login/callback", burst},
		} {
			answered, _ := c.client.asks(t, 30, c.path)
			require.Equal(t, c.want, answered, name)
		}
		answered, _ = reader{h, "[2001:db8::2]:1", ""}.asks(t, 5, page)
		require.Zero(t, answered, "a site has a whole network")
		answered, _ = reader{h, "198.51.100.1:1", all.tokens[access.Viewer]}.asks(t, 5, page)
		require.Zero(t, answered, "somebody who is known is one client wherever they are")

		<-time.After(time.Second)
		answered, _ = greedy.asks(t, 5, page)
		require.Equal(t, 2, answered, "as many a second as were said")
		require.InDelta(t, 10+30+30+5*10+5+5+3, limitedBy(t, figures), 0)
	})
}

// TestWhoAsksTooOftenKeepsNobodyFromTheLogin: others at the same address, whom nobody knows yet, are sent there from any page.
func TestWhoAsksTooOftenKeepsNobodyFromTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := access.New(access.Options{File: newTeam(t, "").file})
		require.NoError(t, err)
		c := reader{web.Handler(web.Options{Board: board(), Access: g, MostRequests: 2}), "192.0.2.1:1", ""}
		answered, _ := c.asks(t, 30, "/api/v1/environments")
		require.Equal(t, 20, answered)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/fleet", http.NoBody)
		r.RemoteAddr = c.address
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		require.Equal(t, []string{"303", "/login"}, []string{strconv.Itoa(w.Code), w.Header().Get("Location")})
	})
}

// TestAStreamIsOneRequest, and a client that may ask no more cannot open one.
func TestAStreamIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := web.Handler(web.Options{Board: board(), MostRequests: 1})
		opens := func() int {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			w := &watcher{header: http.Header{}, told: end}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/api/v1/events?only=status", http.NoBody)
			r.RemoteAddr = "192.0.2.1:1"
			h.ServeHTTP(w, r)
			return w.code
		}
		refused := 0
		for range 20 {
			if opens() == http.StatusTooManyRequests {
				refused++
			}
		}
		require.Equal(t, 10, refused)
	})
}

// TestAPageBeyondALimitSaysWhenToTryAgain: people get a page, which comes by itself then, and all others JSON.
func TestAPageBeyondALimitSaysWhenToTryAgain(t *testing.T) {
	standby := web.Options{Board: board(), Leader: func() web.Leader { return web.Leader{} }}
	for name, c := range map[string]struct {
		options      web.Options
		before, code int
		again, text  string
	}{
		"too many requests": {web.Options{Board: board(), MostRequests: 1}, 10, http.StatusTooManyRequests, "1", "more than 1 requests a second come from you: ask less often"},
		"nobody leads":      {standby, 0, http.StatusServiceUnavailable, "5", "no replica leads at the moment"},
	} {
		h := web.Handler(c.options)
		for range c.before {
			reader{h, "192.0.2.1:1", ""}.asks(t, 1, "/fleet")
		}
		for _, page := range []bool{true, false} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/fleet", http.NoBody)
			r.RemoteAddr = "192.0.2.1:1"
			if page {
				r.Header.Set("Accept", "text/html,*/*;q=0.8")
			} else {
				r.URL.Path = "/api/v1/environments"
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, c.code, w.Code, name)
			require.Equal(t, c.again, w.Header().Get("Retry-After"), name)
			require.Contains(t, w.Body.String(), c.text, name)
			if !page {
				require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
				continue
			}
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"), name)
			require.Contains(t, w.Body.String(), "Try again in "+c.again+" s", name)
			require.Equal(t, c.again, w.Header().Get("Refresh"), name)
		}
	}
}
