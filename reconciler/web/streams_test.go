package web_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

// A watcher is a client of a stream that ends it once it was told that something changed, or with its context.
type watcher struct {
	header  http.Header
	told    func()
	code    int
	largest int // write
	got     bytes.Buffer
}

func (w *watcher) Header() http.Header  { return w.header }
func (w *watcher) WriteHeader(code int) { w.code = code }
func (w *watcher) Flush()               {}

func (w *watcher) Write(p []byte) (int, error) {
	w.largest = max(w.largest, len(p))
	w.got.Write(p)
	if bytes.Contains(p, []byte("event: status")) {
		w.told()
	}
	return len(p), nil
}

// follow asks for a stream, and returns once it ended.
func follow(ctx context.Context, h http.Handler, query string, told func()) *watcher {
	w := &watcher{header: http.Header{}, told: told}
	h.ServeHTTP(w, streamRequest(ctx, query))
	return w
}

// streamRequest asks for a stream, from this machine.
func streamRequest(ctx context.Context, query string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/api/v1/events"+query, http.NoBody)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Accept", "text/event-stream")
	return r
}

// TestALongHistoryComesInParts: no stream holds all of it in memory, and each event comes once, in its order.
func TestALongHistoryComesInParts(t *testing.T) {
	b := board()
	for i := range 1000 {
		b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Message: fmt.Sprintf("message %d%s", i, strings.Repeat(".", 100))})
	}
	ctx, end := context.WithCancel(t.Context())
	w := follow(ctx, web.Handler(web.Options{Board: b}), "", end)
	require.Less(t, w.largest, 20<<10)
	at := 0
	for i := range 1000 {
		next := strings.Index(w.got.String()[at:], fmt.Sprintf("message %d.", i))
		require.GreaterOrEqual(t, next, 0, "event %d", i)
		at += next
	}
	require.Equal(t, len(b.History()), strings.Count(w.got.String(), "event: event"))
}

// TestThousandsWatch, and one more is told that there are as many as there may be.
func TestThousandsWatch(t *testing.T) {
	const most = 2560
	h := web.Handler(web.Options{Board: board()})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	told := make(chan struct{}, most)
	var streams sync.WaitGroup
	for range most {
		streams.Go(func() { follow(ctx, h, "?only=status", func() { told <- struct{}{} }) })
	}
	for range most {
		<-told
	}
	refused := follow(ctx, h, "?only=status", func() {})
	require.Equal(t, http.StatusTooManyRequests, refused.code)
	require.Contains(t, refused.got.String(), "2560 streams of events are open")
	end()
	streams.Wait()
}
