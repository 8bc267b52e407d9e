package apply_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// endless repeats a text for as long as somebody reads, waiting a while before each part.
type endless struct {
	ctx   context.Context
	text  string
	pause time.Duration
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.pause > 0 {
		p = p[:1]
		select {
		case <-time.After(e.pause):
		case <-e.ctx.Done():
			return 0, context.Cause(e.ctx)
		}
	}
	for i := range p {
		p[i] = e.text[e.at%len(e.text)]
		e.at++
	}
	return len(p), nil
}

func (e *endless) Close() error { return nil }

// answer is an answer of an API server that says something else.
func answer(status int, kind string, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {kind}}, Body: body, Proto: "HTTP/1.1", ProtoMajor: 1,
	}
}

func text(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

func identity(req *http.Request) bool { return req.URL.Path == "/api/v1/namespaces/kube-system" }

func discovery(req *http.Request) bool {
	return req.URL.Path == "/apis" || strings.HasPrefix(req.URL.Path, "/apis/") && strings.Count(req.URL.Path, "/") < 4
}

func watching(req *http.Request) bool { return req.URL.Query().Get("watch") != "" }

// reads says whether a request lists or watches config maps of all namespaces: those of instances.
func reads(req *http.Request) bool { return req.URL.Path == "/api/v1/configmaps" }

func inventories(req *http.Request) bool {
	return req.Method == http.MethodGet && req.URL.Path == "/api/v1/namespaces/transom-system/configmaps"
}

// unsupported is the answer of an older API server to a watch that shall begin with the present objects.
func unsupported(req *http.Request) *http.Response {
	if req.URL.Query().Get("sendInitialEvents") == "" {
		return nil
	}
	return answer(http.StatusUnprocessableEntity, "application/json", text(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`))
}

const added = `{"type":"ADDED","object":{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata",` +
	`"metadata":{"name":"a","namespace":"b","resourceVersion":"5"}}}` + "\n"

// TestAnswersOverTheLimitsAreRefused has API servers that would fill the memory, or the time, of who asks.
func TestAnswersOverTheLimitsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		limits apply.Limits
		of     func(*http.Request) bool
		says   func(*http.Request) *http.Response
		want   string
	}{
		"an identity without end": {of: identity, says: func(req *http.Request) *http.Response {
			return answer(200, "application/json", &endless{ctx: req.Context(), text: `{"a":`})
		}, want: "the answer to GET /api/v1/namespaces/kube-system is longer than 1Mi: is this the cluster's API server, and is it well? " +
			"If it is, raise --cluster-identity-bytes"},
		"an identity one byte at a time": {limits: apply.Limits{Timeout: 300 * time.Millisecond}, of: identity, says: func(req *http.Request) *http.Response {
			return answer(200, "application/json", &endless{ctx: req.Context(), text: `{"a":`, pause: 20 * time.Millisecond})
		}, want: "--cluster-timeout"},
		"an identity that is a page": {of: identity, says: func(*http.Request) *http.Response {
			return answer(200, "text/html", text("<html>please log in</html>"))
		}, want: "the answer to GET /api/v1/namespaces/kube-system is a page for people"},
		"an identity of something else": {of: identity, says: func(*http.Request) *http.Response {
			return answer(200, "application/json", text(`{"ok":true}`))
		}, want: "the answer is not the namespace kube-system"},
		"kinds without end": {of: discovery, says: func(req *http.Request) *http.Response {
			return answer(200, "application/json", &endless{ctx: req.Context(), text: `{"a":`})
		}, want: " is longer than 32Mi: is this the cluster's API server, and is it well? If it is, raise --cluster-discovery-bytes"},
		"an event without end": {of: watching, says: func(req *http.Request) *http.Response {
			if !reads(req) {
				return nil
			}
			return answer(200, "application/json", io.NopCloser(io.MultiReader(text(`{"type":"`), &endless{ctx: req.Context(), text: `x\"}`})))
		}, want: "the answer to GET /api/v1/configmaps has an event that is longer than 8Mi: is this the cluster's API server, and is it well? " +
			"If it is, raise --cluster-event-bytes"},
		"a frame without end": {of: inventories, says: func(req *http.Request) *http.Response {
			if !watching(req) {
				return nil
			}
			return answer(200, "application/vnd.kubernetes.protobuf;stream=watch", text("\xff\xff\xff\xff"))
		}, want: "has an event that is longer than 8Mi"},
		"events without end": {limits: apply.Limits{ListBytes: 1 << 20}, of: reads, says: func(req *http.Request) *http.Response {
			if !watching(req) {
				return nil
			}
			return answer(200, "application/json", &endless{ctx: req.Context(), text: added})
		}, want: "the answer to GET /api/v1/configmaps is longer than 1Mi: is this the cluster's API server, and is it well? " +
			"If it is, raise --cluster-list-bytes"},
		"events that do not come": {limits: apply.Limits{Timeout: time.Second}, of: reads, says: func(req *http.Request) *http.Response {
			return answer(200, "application/json", &endless{ctx: req.Context(), text: added, pause: time.Hour})
		}, want: "the answer to GET /api/v1/configmaps comes too slowly, or not at all within 1s"},
		"a list without end": {of: reads, says: func(req *http.Request) *http.Response {
			if refused := unsupported(req); refused != nil || watching(req) {
				return refused
			}
			return answer(200, "application/json", &endless{ctx: req.Context(), text: `{"a":`})
		}, want: "the answer to GET /api/v1/configmaps is longer than 32Mi: is this the cluster's API server, and is it well? " +
			"If it is, raise --cluster-answer-bytes"},
		"pages without end": {limits: apply.Limits{ListBytes: 24 << 20}, of: reads, says: func(req *http.Request) *http.Response {
			if refused := unsupported(req); refused != nil || watching(req) {
				return refused
			}
			return answer(200, "application/json", text(`{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"5","continue":"on"},"items":[]}`))
		}, want: "the answer to GET /api/v1/configmaps is longer than 24Mi: is this the cluster's API server, and is it well? If it is, raise --cluster-list-bytes"},
		"a list of something else": {of: inventories, says: func(req *http.Request) *http.Response {
			if refused := unsupported(req); refused != nil || watching(req) {
				return refused
			}
			return answer(200, "application/json", text(`{"status":"ok"}`))
		}, want: "watch inventories: failed to list inventories: the answer is no list; is this the cluster's API server?"},
		"a server that is busy for an hour": {of: reads, says: func(*http.Request) *http.Response {
			busy := answer(429, "application/json", text(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","message":"busy","code":429}`))
			busy.Header.Set("Retry-After", "3600")
			return busy
		}, want: "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			in := r.instance("web", configMap("web", "1"))
			r.healthy(in)
			var broken atomic.Bool
			broken.Store(true)
			config := rest.CopyConfig(r.config)
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					if broken.Load() && c.of(req) {
						if res := c.says(req); res != nil {
							return res, nil
						}
					}
					return next.RoundTrip(req)
				})
			})
			var cluster *apply.Cluster
			connect := func() error {
				connected, err := apply.Connect(t.Context(), config, apply.Options{Limits: c.limits})
				if err == nil {
					cluster = connected
					t.Cleanup(cluster.Close)
					_, err = cluster.Apply(t.Context(), in)
				}
				return err
			}
			began := time.Now()
			err := connect()
			for err == nil && time.Since(began) < patience { // the objects were listed; the events cannot be read
				_, err = cluster.Apply(t.Context(), in)
			}
			require.ErrorContains(t, err, c.want)
			require.Less(t, time.Since(began), 25*time.Second, "it does not wait for a server that has given up")
			broken.Store(false)
			if cluster == nil {
				require.NoError(t, connect())
			}
			require.Eventually(t, func() bool {
				result, err := cluster.Apply(t.Context(), in)
				return err == nil && result.Health == state.Healthy
			}, patience, 20*time.Millisecond, "it takes part again")
		})
	}
}

// TestLargePagesAreAskedForInSmallerOnes has objects of which five hundred are too many for one answer.
func TestLargePagesAreAskedForInSmallerOnes(t *testing.T) {
	r := newRig(t, &apiOnly)
	var objects []string
	for i := range 40 {
		objects = append(objects, configMap(fmt.Sprintf("web-%d", i), "1"))
	}
	in := r.instance("web", documents(objects...))
	r.healthy(in)
	config := rest.CopyConfig(r.config)
	var pages atomic.Int64
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if refused := unsupported(req); refused != nil {
				return refused, nil
			}
			if reads(req) && !watching(req) {
				pages.Add(1)
			}
			return next.RoundTrip(req)
		})
	})
	c, err := apply.Connect(t.Context(), config, apply.Options{Limits: apply.Limits{AnswerBytes: 12 << 10}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.Cluster = c
	r.healthy(in)
	require.Greater(t, pages.Load(), int64(4))
}

// TestWatchIsReadNoFasterThanItIsReduced sends more events than there is memory for.
func TestWatchIsReadNoFasterThanItIsReduced(t *testing.T) {
	r := newLoneRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	config, before := rest.CopyConfig(r.config), heapMiB()
	var sent atomic.Int64
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err == nil && reads(req) && watching(req) && req.URL.Query().Get("sendInitialEvents") == "" {
				_ = res.Body.Close()
				event := strings.Replace(added, `"name"`, fmt.Sprintf(`"annotations":{"a":%q},"name"`, strings.Repeat("x", 1<<18)), 1)
				res.Header.Set("Content-Type", "application/json")
				res.Body = &counted{endless{ctx: req.Context(), text: event}, &sent}
			}
			if refused := unsupported(req); refused != nil {
				return refused, nil
			}
			return res, err
		})
	})
	c, err := apply.Connect(t.Context(), config, apply.Options{Limits: apply.Limits{ListBytes: 1 << 20}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.Cluster = c
	r.healthy(in)
	require.Eventually(t, func() bool { return sent.Load() > 200<<20 }, 5*patience, 10*time.Millisecond, "no rate ends it")
	require.Eventually(t, func() bool { return heapMiB()-before < 100 }, patience, 100*time.Millisecond, "what was sent is kept")
}

// heapMiB is how much the process keeps: the tests before this one have left garbage.
func heapMiB() int {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	return int(memory.HeapAlloc >> 20)
}

// counted notes how much of it was read.
type counted struct {
	endless
	read *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.endless.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// TestWatchIsReadInWhateverOrder has a watch that sends every event twice, and an earlier one once more.
func TestWatchIsReadInWhateverOrder(t *testing.T) {
	r := newRig(t, &apiOnly)
	config := rest.CopyConfig(r.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if !reads(req) || !watching(req) {
				return next.RoundTrip(req)
			}
			req = req.Clone(req.Context())
			req.Header.Set("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
			res, err := next.RoundTrip(req)
			if err == nil {
				res.Body = stuttering(res.Body)
			}
			return res, err
		})
	})
	c, err := apply.Connect(t.Context(), config, apply.Options{OnEvent: func(o apply.Owner) { r.events <- o }})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.Cluster = c
	for i := range 10 {
		value := fmt.Sprint(i)
		in := r.instance("web", configMap("web", value))
		r.healthy(in)
		there, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, value, there.Data["value"])
	}
}

// stuttering is a watch each of whose events comes twice, the one before in between.
func stuttering(body io.ReadCloser) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		defer func() { _ = body.Close() }()
		before := ""
		for lines := bufio.NewReader(body); ; {
			event, err := lines.ReadString('\n')
			if err != nil {
				_ = w.CloseWithError(err)
				return
			}
			if _, err := io.WriteString(w, event+before+event); err != nil {
				return
			}
			before = event
		}
	}()
	return r
}
