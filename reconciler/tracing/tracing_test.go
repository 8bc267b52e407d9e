package tracing_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler"
	"transom.dev/reconciler/tracing"
	"transom.dev/render/state"
)

// standIn is a collector that keeps the spans of a process.
type standIn struct {
	mu      sync.Mutex
	spans   map[string]*otlp.Span // by name
	service string
}

// collect starts a collector that the environment names.
func collect(t *testing.T) *standIn {
	t.Helper()
	c := &standIn{spans: map[string]*otlp.Span{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, about := range resource.Resource.Attributes {
				if about.Key == "service.name" {
					c.service = about.Value.GetStringValue()
				}
			}
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					c.spans[span.Name] = span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return c
}

// start runs a Tracer until the function is called.
func start(t *testing.T, failed func(error)) (tracer *tracing.Tracer, end func()) {
	t.Helper()
	require.True(t, tracing.Asked())
	tracer, err := tracing.Open(t.Context(), "1.2.3", failed)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tracer.Run(ctx)
	}()
	return tracer, func() {
		cancel()
		<-ended
	}
}

const commit = "9f2c1ab77de09f2c1ab77de09f2c1ab77de09f2c"

func at(cluster, request string) fleet.Placement {
	return fleet.Placement{Environment: "prod", Cluster: cluster, Team: "payments", Request: request}
}

// changed is a commit that began at a time, with two phases of a second each.
func changed(began time.Time, revisions map[fleet.Placement]string) reconciler.Change {
	return reconciler.Change{
		Environment: "prod", Commit: commit, Platform: "c1", Began: began, Revisions: revisions,
		Phases: []reconciler.Phase{
			{Name: "render", Began: began, Ended: began.Add(time.Second)}, {Name: "commit", Began: began.Add(time.Second), Ended: began.Add(2 * time.Second)},
		},
	}
}

func visited(p fleet.Placement, revision string, health state.Health, began time.Time) fleet.Result {
	return fleet.Result{
		Placement: p, Revision: revision, Absent: revision == "", Began: began, At: began.Add(time.Second),
		Result: apply.Result{Health: health, Settled: true, Message: string(health)},
	}
}

// TestATraceIsTheWayOfAStateCommit: its phases, and each cluster until it applied the commit and until all is healthy.
func TestATraceIsTheWayOfAStateCommit(t *testing.T) {
	c := collect(t)
	tracer, end := start(t, func(err error) { panic(err) })
	began := time.Now().Add(-time.Minute)
	tracer.Committed(changed(began, map[fleet.Placement]string{at("east", "shop"): "r2", at("west", "shop"): "r2", at("west", "old"): ""}))
	for _, result := range []fleet.Result{
		visited(at("east", "shop"), "r1", state.Healthy, began.Add(3*time.Second)), // of the revision before
		visited(at("east", "shop"), "r2", state.Progressing, began.Add(4*time.Second)),
		visited(at("east", "shop"), "r2", state.Healthy, began.Add(9*time.Second)),
		visited(at("west", "shop"), "r2", state.Healthy, began.Add(5*time.Second)),
		visited(at("west", "old"), "", state.Healthy, began.Add(6*time.Second)),
		visited(at("north", "shop"), "r2", state.Healthy, began.Add(6*time.Second)),
	} {
		tracer.Placed(result)
	}
	end()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Equal(t, "transom", c.service)
	root := c.spans["change prod"]
	require.NotNil(t, root, "%v", c.spans)
	require.Equal(t, commit[:32], hex.EncodeToString(root.TraceId), "the commit leads to its trace")
	require.NotEqual(t, otlp.Status_STATUS_CODE_ERROR, root.Status.GetCode(), root.Status.GetMessage())
	seconds := map[string][2]int{
		"render": {0, 1}, "commit": {1, 2}, "apply east": {4, 5}, "healthy east": {2, 10}, "apply west": {5, 7}, "healthy west": {2, 7},
	}
	require.Len(t, c.spans, len(seconds)+1)
	for name, want := range seconds {
		span := c.spans[name]
		require.NotNil(t, span, name)
		require.Equal(t, root.SpanId, span.ParentSpanId, name)
		require.Equal(t, root.TraceId, span.TraceId, name)
		since := func(nanos uint64) int { return int(time.Unix(0, int64(nanos)).Sub(began).Round(time.Second).Seconds()) }
		require.Equal(t, want, [2]int{since(span.StartTimeUnixNano), since(span.EndTimeUnixNano)}, name)
	}
}

// TestATraceSaysWhyAChangeDoesNotArrive, where a later one overtakes it or the daemon ends.
func TestATraceSaysWhyAChangeDoesNotArrive(t *testing.T) {
	c := collect(t)
	tracer, end := start(t, func(err error) { panic(err) })
	shop := at("east", "shop")
	tracer.Committed(changed(time.Now(), map[fleet.Placement]string{shop: "r2"}))
	failed := visited(shop, "r2", state.Failed, time.Now())
	failed.Message = "crashes"
	tracer.Placed(failed)
	refused := visited(shop, "r2", state.Unknown, time.Now())
	refused.Err = errors.New("no answer")
	tracer.Placed(refused)
	end()
	c.mu.Lock()
	require.Equal(t, "the daemon ended before; east: 1 of 1 placements wait: no answer", c.spans["change prod"].Status.Message)
	c.mu.Unlock()

	c = collect(t)
	tracer, end = start(t, func(err error) { panic(err) })
	tracer.Committed(changed(time.Now(), map[fleet.Placement]string{shop: "r2"}))
	tracer.Committed(changed(time.Now(), map[fleet.Placement]string{shop: "r3"}))
	tracer.Placed(visited(shop, "r3", state.Healthy, time.Now()))
	end()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NotEqual(t, otlp.Status_STATUS_CODE_ERROR, c.spans["healthy east"].Status.GetCode(), "the later one")
}

// TestACollectorThatHangsHoldsUpNobody, and its spans are dropped.
func TestACollectorThatHangsHoldsUpNobody(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	failed := make(chan error, 100)
	tracer, end := start(t, func(err error) { failed <- err })
	began := time.Now()
	for range 10_000 {
		tracer.Committed(changed(began, map[fleet.Placement]string{at("east", "shop"): "r2"}))
	}
	end()
	require.Less(t, time.Since(began), 30*time.Second)
}

func TestTracesAreMadeWhereACollectorIsNamed(t *testing.T) {
	require.False(t, tracing.Asked())
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	require.True(t, tracing.Asked())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	_, err := tracing.Open(t.Context(), "1", func(error) {})
	require.ErrorContains(t, err, `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": only http/protobuf is spoken`)
	t.Setenv("OTEL_SDK_DISABLED", "true")
	require.False(t, tracing.Asked())
}
