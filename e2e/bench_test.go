package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// samples is how many pushes a latency is read off.
const samples = 50

// BenchmarkPushToLive measures the time from the end of a push that changes one request to the live object: on a
// generated platform of 1,000 requests on two API servers, and on the example's whole fleet. Over https the daemon hears of a push
// by a hook, or has to ask.
func BenchmarkPushToLive(b *testing.B) {
	b.Run("1000", func(b *testing.B) {
		w := thousand(b, func(*world) {})
		w.measure(b, "push-to-live", "one", configMaps, "payments", "shop-settings", nothing, shopColors())
	})
	b.Run("watched", func(b *testing.B) {
		w := thousand(b, func(*world) {})
		w.measureWatched(b)
	})
	b.Run("https-hook", func(b *testing.B) {
		var f *forge
		w := thousand(b, func(w *world) {
			f = w.overHTTPS()
			w.takeHooks()
		})
		call := func() { w.call(hookSecret, f.pushed("platform.git")) }
		w.measure(b, "push-to-live-https-hook", "one", configMaps, "payments", "shop-settings", call, shopColors())
		w.measureFlood(b, call)
	})
	b.Run("https-poll", func(b *testing.B) {
		w := thousand(b, func(w *world) { w.overHTTPS() })
		colors := shopColors()
		w.measure(b, "push-to-live-https-poll", "one", configMaps, "payments", "shop-settings", nothing, func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
			<-time.After(rand.N(pollInterval)) // people push at any time; the push after a look would always wait the longest
			return colors(i)
		})
	})
	b.Run("example", func(b *testing.B) {
		w := newWorldFrom(b, os.DirFS("../examples/acme"), []string{"dev", "staging", "prod-eu-1", "prod-us-1"})
		prod, err := os.ReadFile("../examples/acme/environments/prod.yaml")
		require.NoError(b, err)
		dev, err := os.ReadFile("../examples/acme/environments/dev.yaml")
		require.NoError(b, err)
		w.push("nobody has to approve, and nothing soaks in peace", map[string]string{
			"environments/prod.yaml": strings.Replace(unchecked(prod), "approval: required", "approval: none", 1),
			"environments/dev.yaml":  string(dev) + "  gates: {replace: newest}\n",
		})
		identities, err := os.ReadFile("../examples/acme.agekey")
		require.NoError(b, err)
		w.opens(string(identities))
		w.start()
		commit := w.git(w.clone(), "rev-parse", "HEAD")
		w.eventually("the example is healthy", func() error { return w.healthy(commit, -1) })
		source, err := os.ReadFile("../examples/acme/requests/payments/checkout.yaml")
		require.NoError(b, err)
		deployment := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
		w.measure(b, "push-to-live-example", "dev", deployment, "payments", "checkout-web", nothing, func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
			want := fmt.Sprintf("checkout:2.0.%d", i)
			changed := strings.Replace(string(source), "checkout:1.4.0", want, 1)
			require.NotEqual(b, string(source), changed)
			return map[string]string{"requests/payments/checkout.yaml": changed}, func(o *unstructured.Unstructured) bool {
				containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
				return len(containers) > 0 && strings.HasSuffix(containers[0].(map[string]any)["image"].(string), want)
			}
		})
	})
}

// pollInterval is how often the daemon asks for the platform's head where nothing tells it to.
const pollInterval = 10 * time.Second

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func nothing() {}

// thousand is a world with 1,000 requests in two environments, all healthy.
func thousand(b *testing.B, prepare func(w *world)) *world {
	w := newWorld(b, settings, bothClusters, "--api-only")
	files := map[string]string{}
	for i := range 999 {
		name := fmt.Sprintf("r%03d", i)
		files["requests/payments/"+name+".yaml"] = request(name, "green")
	}
	commit := w.push("a thousand requests", files)
	prepare(w)
	w.start()
	w.eventually("a thousand requests are healthy", func() error { return w.healthy(commit, 2000) })
	return w
}

// A change is the files of a push, and whether an object has them.
type change func(i int) (files map[string]string, live func(*unstructured.Unstructured) bool)

// shopColors changes one request of settings, to a colour that it never had.
func shopColors() change {
	began := time.Now().UnixNano()
	return func(i int) (map[string]string, func(*unstructured.Unstructured) bool) {
		want := fmt.Sprintf("c%d-%d", began, i)
		return map[string]string{"requests/payments/shop.yaml": request("shop", want)}, func(o *unstructured.Unstructured) bool {
			color, _, _ := unstructured.NestedString(o.Object, "data", "color")
			return color == want
		}
	}
}

// measure reports how long pushes take to be live.
func (w *world) measure(b *testing.B, name, cluster string, gvr schema.GroupVersionResource, namespace, object string, pushed func(), change change) {
	took := w.latencies(b, samples, cluster, gvr, namespace, object, pushed, change)
	b.ReportMetric(milliseconds(took[len(took)/2]), name+"-p50:ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), name+"-p99:ms")
	b.ReportMetric(0, "ns/op")
}

// latencies pushes changes one after the other, and watches one object for each to arrive. They come sorted.
func (w *world) latencies(b *testing.B, n int, cluster string, gvr schema.GroupVersionResource, namespace, object string, told func(), change change) []time.Duration {
	client, err := dynamic.NewForConfig(w.config(cluster))
	require.NoError(b, err)
	var took []time.Duration
	for i := range n {
		files, live := change(i)
		events, err := client.Resource(gvr).Namespace(namespace).Watch(b.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + object})
		require.NoError(b, err)
		arrived := make(chan time.Time, 1)
		go func() { arrived <- arrival(events, live) }()
		w.push(fmt.Sprintf("change %d", i), files)
		pushed := time.Now()
		told()
		select {
		case at := <-arrived:
			took = append(took, max(at.Sub(pushed), 0))
		case <-time.After(deadline):
			require.FailNow(b, "a push never became live")
		}
		events.Stop()
	}
	slices.Sort(took)
	return took
}

// slowdown is how many times longer a pass takes beside others, who go on until their context is done. Passes with and without them take
// turns.
func (w *world) slowdown(b *testing.B, call func(), others func(context.Context, *sync.WaitGroup)) float64 {
	var alone, beside []float64
	for range 4 {
		for _, with := range []bool{false, true} {
			ctx, cancel := context.WithCancel(b.Context())
			var under sync.WaitGroup
			if with {
				others(ctx, &under)
			}
			before := w.passes(b)
			w.latencies(b, 10, "one", configMaps, "payments", "shop-settings", call, shopColors())
			after := w.passes(b)
			cancel()
			under.Wait()
			mean := (after.seconds - before.seconds) / (after.count - before.count)
			if with {
				beside = append(beside, mean)
			} else {
				alone = append(alone, mean)
			}
		}
	}
	slices.Sort(alone)
	slices.Sort(beside)
	return (beside[1] + beside[2]) / (alone[1] + alone[2])
}

// measureFlood reports the slowdown while the daemon's hook is called 1,000 times a second, half of the calls forged.
func (w *world) measureFlood(b *testing.B, call func()) {
	b.ReportMetric(w.slowdown(b, call, w.flood), "hook-flood:times")
}

const (
	// watchers are how many streams of events are open, and requestsPerSecond how often pages and the API are asked for beside them,
	// by so many people.
	watchers, requestsPerSecond, people = 2000, 500, 50
)

// measureWatched reports the slowdown while thousands watch and people click.
func (w *world) measureWatched(b *testing.B) {
	watched := w.slowdown(b, nothing, func(ctx context.Context, clients *sync.WaitGroup) { w.watch(ctx, b, clients) })
	b.ReportMetric(watched, "pass-beside-watchers:times")
	b.ReportMetric(0, "ns/op")
}

// watch opens streams and asks for pages, as browsers do that have the page of before, until ctx is done.
func (w *world) watch(ctx context.Context, b *testing.B, clients *sync.WaitGroup) {
	host := strings.TrimPrefix(w.api, "http://")
	for range watchers {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
		require.NoError(b, err)
		_, err = fmt.Fprintf(conn, "GET /api/v1/events?only=status HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", host)
		require.NoError(b, err)
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		clients.Go(func() { _, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{conn}, make([]byte, 64)) }) // until it is closed
	}
	paths := []string{"/fleet", "/", "/environments/dev", "/api/v1/instances?limit=20&team=payments", "/requests/payments/shop?environment=dev"}
	for i := range people {
		clients.Go(func() { w.click(ctx, paths[i%len(paths)]) })
	}
}

// click asks for a page again and again until ctx is done, one that is as it was for nothing but the news that it is.
func (w *world) click(ctx context.Context, path string) {
	tick := time.NewTicker(people * time.Second / requestsPerSecond)
	defer tick.Stop()
	tag := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.api+path, http.NoBody)
			if err != nil {
				return
			}
			r.Header.Set("If-None-Match", tag)
			if answer, err := http.DefaultClient.Do(r); err == nil {
				tag = answer.Header.Get("ETag")
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		}
	}
}

// flood calls the hook 1,000 times a second until ctx is done, with half of the calls forged.
func (w *world) flood(ctx context.Context, calls *sync.WaitGroup) {
	body := `{"commits":["` + strings.Repeat("x", 4<<10) + `"]}`
	for i := range callers {
		request := w.hookCall([]string{hookSecret, "another"}[i%2], body)
		calls.Go(func() { w.repeat(ctx, request) })
	}
}

// callers are who send 1,000 requests a second together.
const callers = 10

// repeat sends requests in turn, a hundred a second, until ctx is done. Callers share the machine's cores with the daemon, so they keep
// their connections, as Git servers do, and make their requests before: their own part is not the daemon's.
func (w *world) repeat(ctx context.Context, requests ...*http.Request) {
	var written [][]byte
	for _, r := range requests {
		var request bytes.Buffer
		if err := r.Write(&request); err != nil {
			w.t.Errorf("no request: %v", err)
			return
		}
		written = append(written, request.Bytes())
	}
	began, tick := time.Now(), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(w.api, "http://"))
	if err != nil {
		w.t.Errorf("no connection: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	for answers, i := bufio.NewReader(conn), 0; ; i++ {
		select {
		case <-ctx.Done():
			if least := int(time.Since(began) / (20 * time.Millisecond)); i < least {
				w.t.Errorf("%d requests instead of %d and more: the machine is too busy to measure", i, least)
			}
			return
		case <-tick.C:
			if _, err := conn.Write(written[i%len(written)]); err != nil {
				w.t.Errorf("the daemon ended the connection: %v", err)
				return
			}
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				w.t.Errorf("no answer: %v", err)
				return
			}
			_, _ = answers.Discard(int(answer.ContentLength))
		}
	}
}

// passesMade is how many passes over dev with a commit there were, and how long they took.
type passesMade struct{ count, seconds float64 }

func (w *world) passes(b *testing.B) (p passesMade) {
	response, err := http.Get(w.api + "/metrics")
	require.NoError(b, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		figure, _ := strconv.ParseFloat(value, 64)
		switch name {
		case `transom_pass_seconds_count{environment="dev",phase="commit"}`:
			p.count = figure
		case `transom_pass_seconds_sum{environment="dev",phase="pass"}`:
			p.seconds = figure
		}
	}
	return p
}

// BenchmarkPollAtRest measures the requests and the bytes by which a daemon with four environments asks a Git server over https while
// nothing happens.
func BenchmarkPollAtRest(b *testing.B) {
	names := []string{"a", "b", "c", "d"}
	w := newWorldFrom(b, manyEnvironments(b, names), []string{"one"}, "--api-only")
	w.keys = b.TempDir()
	kubeconfig, err := os.ReadFile(filepath.Join(w.fleet, "kubeconfigs", "one.kubeconfig"))
	require.NoError(b, err)
	for _, name := range names {
		require.NoError(b, os.WriteFile(filepath.Join(w.keys, name+".kubeconfig"), kubeconfig, 0o600))
	}
	f := w.overHTTPS()
	commit := w.push("begin", map[string]string{"requests/payments/shop.yaml": requestIn("green", names)})
	w.start()
	w.eventually("all are healthy", func() error { return w.healthy(commit, len(names)) })
	const minutes = 3
	f.forget()
	<-time.After(minutes * time.Minute)
	b.ReportMetric(float64(f.all())/minutes, "poll-at-rest-requests:1/min")
	b.ReportMetric(float64(f.bytes.Load())/minutes, "poll-at-rest-bytes:B/min")
	b.ReportMetric(0, "ns/op")
}

func arrival(events watch.Interface, live func(*unstructured.Unstructured) bool) time.Time {
	for e := range events.ResultChan() {
		if o, ok := e.Object.(*unstructured.Unstructured); ok && live(o) {
			return time.Now()
		}
	}
	return time.Time{}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
