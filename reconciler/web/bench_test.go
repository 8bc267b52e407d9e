package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

// crowd is a board with n requests in three environments.
func crowd(n int) *status.Board {
	b := status.NewBoard(time.Now)
	var before []string
	for _, environment := range []string{"dev", "staging", "prod"} {
		all := make([]status.Instance, n)
		for i := range all {
			all[i] = status.Instance{
				Environment: environment, Request: platform.RequestKey{Team: fmt.Sprintf("team-%d", i%50), Name: fmt.Sprintf("request-%d", i)},
				Offering: "web", Version: fmt.Sprintf("1.%d.0", i%3), Release: "sha256:a",
				Placements: []status.Placement{{Cluster: environment + "-1", Revision: "r", Stage: status.Healthy, Health: "Healthy", Images: []string{"app:1"}}},
			}
		}
		b.Reconciled(status.Environment{Name: environment, PromotesFrom: before, Clusters: []status.Cluster{{Name: environment + "-1", State: "active", Reachable: true}}}, all)
		before = []string{environment}
	}
	return b
}

// BenchmarkFirstByte is the way of the page Fleet to a browser, with 10,000 requests in three environments.
func BenchmarkFirstByte(b *testing.B) {
	board := crowd(10_000)
	s := httptest.NewServer(web.Handler(web.Options{Board: board}))
	defer s.Close()
	behind := false
	ask := func() (first time.Duration, size int64) {
		began := time.Now()
		ctx := httptrace.WithClientTrace(b.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Since(began) }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/fleet", http.NoBody)
		require.NoError(b, err)
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(b, err)
		defer func() { _ = resp.Body.Close() }()
		require.Equal(b, "gzip", resp.Header.Get("Content-Encoding"))
		behind = resp.Header.Get("Transom-Behind") != ""
		size, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		return first, size
	}
	for b.Loop() {
		ask()
		var rest time.Duration
		var size int64
		for range 20 {
			first, n := ask()
			rest, size = rest+first, n
		}
		began := time.Now()
		board.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Message: began.String()})
		changed, _ := ask()
		for again := time.Tick(50 * time.Millisecond); behind; ask() {
			<-again
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "console-change-shown-10000:ms")
		b.ReportMetric(float64(rest.Microseconds())/20_000, "console-first-byte-10000:ms")
		b.ReportMetric(float64(changed.Microseconds())/1000, "console-first-byte-changed-10000:ms")
		b.ReportMetric(float64(size)/1000, "console-compressed-10000:kB")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkStreams is what an open stream of events costs, and how soon a change is in each of many. Changes come as soon as all heard of
// the one before, so that each has to wait for the end of the burst. The clients are a process of their own on the same machine.
func BenchmarkStreams(b *testing.B) {
	const changes = 20
	board := crowd(10_000)
	s := httptest.NewServer(web.Handler(web.Options{Board: board}))
	defer s.Close()
	at, err := url.Parse(s.URL)
	require.NoError(b, err)
	for b.Loop() {
		before := inUse()
		told, end := startWatchers(b, at.Host)
		told()
		b.ReportMetric(float64(inUse()-before)/watched/1024, "stream-memory:KiB")
		var took []time.Duration
		processor := processorTime(b)
		for i := range changes {
			began := time.Now()
			board.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Message: fmt.Sprint(i)})
			for _, heard := range told() {
				took = append(took, heard.Sub(began))
			}
		}
		processor = processorTime(b) - processor
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "stream-change-p99:ms")
		b.ReportMetric(float64(processor.Microseconds())/changes/watched, "stream-change-daemon:us")
		b.ReportMetric(float64(end().Microseconds())/changes/watched, "stream-change-clients:us")
		b.ReportMetric(0, "ns/op")
	}
}

// processorTime is the processor time that this process took since it began.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// inUse is the memory that the process keeps.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkRequests is the processor time that the daemon spends on a request, without a network and without a client: of pages and of the
// API, for a browser that has the answer of before, and for one that has none. The board has 1,000 requests in three environments.
func BenchmarkRequests(b *testing.B) {
	board := crowd(1000)
	h := web.Handler(web.Options{Board: board})
	for b.Loop() {
		for name, path := range map[string]string{
			"home": "/", "fleet": "/fleet", "environment": "/environments/dev", "instances": "/api/v1/instances?limit=20&team=team-1", "instance": "/requests/team-1/request-1?environment=dev",
		} {
			tag := ""
			ask := func() time.Duration {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
				r.Header.Set("If-None-Match", tag)
				r.Header.Set("Accept-Encoding", "gzip")
				w := httptest.NewRecorder()
				began := time.Now()
				h.ServeHTTP(w, r)
				took := time.Since(began)
				require.Contains(b, []int{http.StatusOK, http.StatusNotModified}, w.Code)
				if tag != "" {
					require.Equal(b, http.StatusNotModified, w.Code, path)
				}
				tag = w.Header().Get("ETag")
				return took
			}
			ask()
			var same, anew []time.Duration
			for range 100 {
				same = append(same, ask())
				tag = ""
				anew = append(anew, ask())
			}
			slices.Sort(same)
			slices.Sort(anew)
			b.ReportMetric(float64(same[50].Microseconds()), "console-same-"+name+":us")
			b.ReportMetric(float64(anew[50].Microseconds()), "console-anew-"+name+":us")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// typing types a text into the filter of Fleet, and is how many milliseconds pass until the rows that it leaves are painted.
const typing = `new Promise((done) => {
	const search = document.querySelector("#q"), began = performance.now();
	new MutationObserver((_, watched) => {
		const rows = [...document.querySelectorAll("tbody .request")];
		if (rows.length === 0 || !rows.every((row) => row.textContent.includes(%[1]q))) return;
		watched.disconnect();
		requestAnimationFrame(() => setTimeout(() => done(String(performance.now() - began))));
	}).observe(document.querySelector("#main"), { childList: true });
	search.value = %[1]q;
	search.dispatchEvent(new Event("input", { bubbles: true }));
})`

// BenchmarkFilter is the time from a letter that somebody types to the rows that they see, in Chromium, among 10,000 requests in three
// environments. The browser shares the machine's processors with the daemon.
func BenchmarkFilter(b *testing.B) {
	server := served(b, web.Options{Board: crowd(10_000)})
	tab := newTab(b)
	_, err := chromedp.Run(tab, chromedp.Navigate(server+"/fleet"))
	require.NoError(b, err)
	for b.Loop() {
		var took []float64
		for i := range 50 {
			one, err := strconv.ParseFloat(evaluated(tab, b, fmt.Sprintf(typing, fmt.Sprintf("request-%d", 1000+37*i))), 64)
			require.NoError(b, err)
			took = append(took, one)
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2], "console-filter-p50:ms")
		b.ReportMetric(took[len(took)*95/100], "console-filter-p95:ms")
		b.ReportMetric(0, "ns/op")
	}
}
