package fleet

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
)

// probed is a cluster that says who it is, until it has too many requests and wants a second between two, as API servers do.
type probed struct {
	busy  atomic.Bool
	asked atomic.Int64
	begun chan struct{} // closed once it may answer that it is busy
}

// ServeHTTP implements http.Handler.
func (p *probed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	says, ok := map[string]string{
		"/api":                           `{"kind":"APIVersions","versions":["v1"]}`,
		"/api/v1":                        `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[]}`,
		"/apis":                          `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/version":                       `{"gitVersion":"v1.36.3"}`,
		"/api/v1/namespaces/kube-system": `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":"u"}}`,
	}[r.URL.Path]
	switch {
	case p.busy.Load():
		p.asked.Add(1)
		<-p.begun
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		says = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","message":"busy","code":429}`
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write([]byte(says))
}

// A server that wants a second between two requests is not asked ten times who it is: that would take as long as it takes for one that hangs to be
// given up. Those who want to know at one time ask it once.
func TestABusyServerIsAskedOnceWhoItIs(t *testing.T) {
	p := &probed{begun: make(chan struct{})}
	server := httptest.NewServer(p)
	defer server.Close()
	l := newLink(func(ctx context.Context) (member, error) {
		c, err := apply.Connect(ctx, &rest.Config{Host: server.URL}, apply.Options{})
		return real{c, &credential.Credential{}}, err
	}, func(*connection, error) {})
	c, err := l.connect(t.Context(), t.Context())
	require.NoError(t, err)
	defer c.end()
	require.False(t, c.lost())

	p.busy.Store(true)
	var begun, asking sync.WaitGroup
	var lost atomic.Int64
	const askers = 20
	begun.Add(askers)
	for range askers {
		asking.Go(func() {
			begun.Done()
			if c.lost() {
				lost.Add(1)
			}
		})
	}
	begun.Wait()
	close(p.begun)
	asking.Wait()
	require.Zero(t, lost.Load())
	require.NoError(t, c.ctx.Err())
	require.Less(t, p.asked.Load(), int64(askers), "some asked together, and nobody asked twice")
}

// listed is a cluster of which everything is listed and then watched. Its first watch ends, and for the next ones it has too many requests.
type listed struct {
	probed
	lists, watches atomic.Int64
}

// ServeHTTP implements http.Handler.
func (l *listed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const maps = "/api/v1/namespaces/transom-system/configmaps"
	query := r.URL.Query()
	switch {
	case r.URL.Path != maps:
		l.probed.ServeHTTP(w, r)
		return
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	case query.Get("watch") == "":
		l.lists.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]}`))
		return
	}
	n := l.watches.Add(1)
	if n > 1 && n < 4 {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	if n == 1 {
		select {
		case <-time.After(1100 * time.Millisecond): // shorter ones count as none
		case <-r.Context().Done():
		}
		return
	}
	<-r.Context().Done()
}

// A watch that ends goes on from where it was once the server is not too busy for it, and those who ask meanwhile are told.
func TestABusyServerIsNotListedAnew(t *testing.T) {
	cluster := &listed{}
	server := httptest.NewServer(cluster)
	defer server.Close()
	c, err := apply.Connect(t.Context(), &rest.Config{Host: server.URL}, apply.Options{})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Owners(t.Context(), "dev")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := c.Owners(t.Context(), "dev")
		return err != nil
	}, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := c.Owners(t.Context(), "dev")
		return err == nil && cluster.watches.Load() == 4
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, int64(1), cluster.lists.Load())
}
