package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// A comparison is how passes do beside clients.
type comparison struct {
	slowdown        float64 // how many times longer a pass takes
	rate            float64 // answers a second
	server, clients float64 // processor time a second: that the server takes beside clients and not alone, and that the clients take
}

// beside compares passes alone and beside each of some clients, which take turns. All of the daemon's own work for them slows its passes;
// their own does not, as they have the lowest priority. Where they could not ask as often as they were to, the comparison would flatter and
// fails. Turns are many, as single ones differ by a third on a machine that does nothing else.
func (w *world) beside(b *testing.B, told func(), all ...clientsOf) []comparison {
	const turns = 12
	found := make([]comparison, len(all))
	alone, beside := make([]float64, 0, turns*len(all)), make([][]float64, len(all))
	for range turns {
		for i, c := range all {
			without, idle := w.passesTake(b, told, c.pid)
			end := c.start(b)
			with, busy := w.passesTake(b, told, c.pid)
			did := end()
			require.Zero(b, did.Wrong, "answers that were none, and streams that ended")
			alone, beside[i] = append(alone, without), append(beside[i], with)
			found[i].server += (busy - idle) / turns
			found[i].rate += float64(did.Answers) / did.seconds / turns
			found[i].clients += did.processor / did.seconds / turns
		}
	}
	for i, c := range all {
		b.Logf("seconds of a pass: alone %.4f, beside clients of server %d %.4f", alone, i, beside[i])
		found[i].slowdown = middle(beside[i]) / middle(alone)
		asked := float64(len(c.Pages)+len(c.Calls)) / c.Every.Seconds()
		require.GreaterOrEqual(b, found[i].rate, 0.9*asked, "the machine has no room for so many clients: %+v", found[i])
	}
	return found
}

// middle is the mean of the middle half of some figures.
func middle(of []float64) (mean float64) {
	slices.Sort(of)
	half := of[len(of)/4 : len(of)-len(of)/4]
	for _, one := range half {
		mean += one / float64(len(half))
	}
	return mean
}

// clientsOf are the clients of one server, which is a process.
type clientsOf struct {
	clients
	pid int
}

// byDaemon are clients of the daemon.
func (w *world) byDaemon(c clients) clientsOf {
	c.Host = strings.TrimPrefix(w.api, "http://")
	return clientsOf{c, w.daemon.Process.Pid}
}

// passesTake is the mean of the seconds that passes take that ten pushes cause, and the processor time a second of a process meanwhile.
func (w *world) passesTake(b *testing.B, told func(), pid int) (mean, share float64) {
	began, used, before := time.Now(), processor(b, pid), w.passes(b)
	w.latencies(b, 10, "one", configMaps, "payments", "shop-settings", told, shopColors())
	after := w.passes(b)
	return (after.seconds - before.seconds) / (after.count - before.count), (processor(b, pid) - used) / time.Since(began).Seconds()
}

// report reports a comparison as rows of one name.
func (c comparison) report(b *testing.B, name string) {
	b.ReportMetric(c.slowdown, name+":times")
	b.ReportMetric(c.rate, name+"-answers:1/s")
	b.ReportMetric(c.server, name+"-server:cores")
	b.ReportMetric(c.clients, name+"-clients:cores")
	b.ReportMetric(0, "ns/op")
}

// measureFlood reports the slowdown while the daemon's hook is called 1,000 times a second, half of the calls forged.
func (w *world) measureFlood(b *testing.B, call func()) {
	body := `{"commits":["` + strings.Repeat("x", 4<<10) + `"]}`
	c := clients{Every: 10 * time.Millisecond}
	for i := range 10 {
		var request bytes.Buffer
		require.NoError(b, w.hookCall([]string{hookSecret, "another"}[i%2], body).Write(&request))
		c.Calls = append(c.Calls, request.Bytes())
	}
	w.beside(b, call, w.byDaemon(c))[0].report(b, "hook-flood")
}

const (
	// watchers are how many streams of events are open, and requestsPerSecond how often pages and the API are asked for beside them,
	// by so many people.
	watchers, requestsPerSecond, people = 2000, 500, 50
)

// measureWatched reports the slowdown while thousands watch and people click, and its floor: the same with a bare server in the daemon's place.
func (w *world) measureWatched(b *testing.B) {
	paths := []string{"/fleet", "/", "/environments/dev", "/api/v1/instances?limit=20&team=payments", "/requests/payments/shop?environment=dev"}
	c := clients{Streams: watchers, Every: people * time.Second / requestsPerSecond}
	for i := range people {
		c.Pages = append(c.Pages, paths[i%len(paths)])
	}
	floor := clientsOf{clients: c}
	floor.Host, floor.pid = w.startBare(paths)
	found := w.beside(b, nothing, w.byDaemon(c), floor)
	found[0].report(b, "pass-beside-watchers")
	found[1].report(b, "pass-beside-watchers-floor")
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
