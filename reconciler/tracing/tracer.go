package tracing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"transom.dev/fleet"
	"transom.dev/reconciler"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// The bounds of traces that have not ended: how many there are of an environment, and for how long.
const (
	mostOpen = 64
	openFor  = time.Hour
)

// A Tracer makes the traces. It is safe for concurrent use, and none of its methods but Run waits for anybody.
type Tracer struct {
	failed   func(error)
	provider *sdk.TracerProvider
	spans    trace.Tracer

	mu   sync.Mutex
	open map[string][]*way // by environment, oldest first
}

// A way is that of one state commit.
type way struct {
	root     trace.Span
	until    time.Time
	waiting  map[fleet.Placement]string // the revisions that are not healthy yet; empty: the placement is to go
	clusters map[string]*arrival
}

// An arrival is that of a commit on one cluster.
type arrival struct {
	placements, waiting int
	committed           time.Time
	applying            map[fleet.Placement]bool // those not seen to be applied yet
	began, applied      time.Time                // of the visits that applied it
	fault               string                   // the last one that was seen
}

// Run waits until ctx is done, and then tells the collector of what it was not told yet.
func (t *Tracer) Run(ctx context.Context) error {
	<-ctx.Done()
	t.mu.Lock()
	for _, ways := range t.open {
		for _, w := range ways {
			w.end("the daemon ended before")
		}
	}
	clear(t.open)
	t.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := t.provider.Shutdown(last); err != nil {
		t.failed(fmt.Errorf("the last ones: %w", err))
	}
	return nil
}

// Committed begins the trace of a state commit.
func (t *Tracer) Committed(c reconciler.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx := context.Background()
	if id, err := trace.TraceIDFromHex(c.Commit[:min(len(c.Commit), 32)]); err == nil {
		ctx = context.WithValue(ctx, traceKey{}, id)
	}
	_, root := t.spans.Start(ctx, "change "+c.Environment, trace.WithNewRoot(), trace.WithTimestamp(c.Began), trace.WithAttributes(
		attribute.String("transom.environment", c.Environment), attribute.String("transom.state.commit", c.Commit),
		attribute.String("transom.platform.commit", c.Platform), attribute.Int("transom.placements", len(c.Revisions)),
	))
	w := &way{root: root, until: time.Now().Add(openFor), waiting: c.Revisions, clusters: map[string]*arrival{}}
	committed := c.Began
	for _, phase := range c.Phases {
		t.child(w, phase.Name, phase.Began, phase.Ended, "")
		committed = phase.Ended
	}
	for at := range c.Revisions {
		a := w.clusters[at.Cluster]
		if a == nil {
			a = &arrival{committed: committed, applying: map[fleet.Placement]bool{}}
			w.clusters[at.Cluster] = a
		}
		a.placements++
		a.waiting++
		a.applying[at] = true
	}
	t.supersede(c.Environment, c.Revisions)
	if len(c.Revisions) == 0 {
		w.end("")
		return
	}
	t.open[c.Environment] = append(t.open[c.Environment], w)
}

// supersede ends the wait of earlier commits for the placements of a later one. The caller holds the lock.
func (t *Tracer) supersede(environment string, by map[fleet.Placement]string) {
	t.sweep(environment, func(w *way) {
		for at := range w.waiting {
			if _, again := by[at]; again {
				t.arrive(w, at, time.Now(), "changed again before it was healthy")
			}
		}
	})
}

// sweep lets a function look at each way of an environment, and drops those that have come to their end, or are too old or too many. The
// caller holds the lock.
func (t *Tracer) sweep(environment string, look func(*way)) {
	now, surplus := time.Now(), len(t.open[environment])-mostOpen
	t.open[environment] = slices.DeleteFunc(t.open[environment], func(w *way) bool {
		look(w)
		surplus--
		switch {
		case len(w.waiting) == 0:
			w.end("")
		case now.After(w.until):
			w.end("not healthy everywhere after an hour")
		case surplus >= 0:
			w.end("too many later changes are on their way")
		default:
			return false
		}
		return true
	})
	if len(t.open[environment]) == 0 {
		delete(t.open, environment)
	}
}

// Placed takes how a visit found an instance on a cluster.
func (t *Tracer) Placed(r fleet.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open[r.Environment]) == 0 {
		return
	}
	t.sweep(r.Environment, func(w *way) {
		if revision, waits := w.waiting[r.Placement]; waits && revision == r.Revision && r.Absent == (revision == "") {
			t.see(w, r)
		}
	})
}

// see takes a result about a placement that a way waits for.
func (t *Tracer) see(w *way, r fleet.Result) {
	a := w.clusters[r.Cluster]
	switch {
	case r.Err != nil:
		a.fault = r.Err.Error()
		return
	case len(r.Problems) > 0:
		a.fault = r.Problems[0].Message
		return
	}
	if a.applying[r.Placement] {
		delete(a.applying, r.Placement)
		if a.began.IsZero() || r.Began.Before(a.began) {
			a.began = r.Began
		}
		if a.applied = r.At; len(a.applying) == 0 {
			t.child(w, "apply "+r.Cluster, a.began, a.applied, "", attribute.String("transom.cluster", r.Cluster), attribute.Int("transom.placements", a.placements))
		}
	}
	switch {
	case r.Health == state.Healthy && !r.Absent, r.Absent && r.Settled:
		t.arrive(w, r.Placement, r.At, "")
	case r.Health == state.Failed:
		a.fault = r.Message
	}
}

// arrive ends the wait for a placement; why says that it did not become healthy.
func (t *Tracer) arrive(w *way, at fleet.Placement, when time.Time, why string) {
	delete(w.waiting, at)
	a := w.clusters[at.Cluster]
	if why != "" {
		a.fault = why
	}
	if a.waiting--; a.waiting > 0 {
		return
	}
	if why == "" {
		a.fault = ""
	}
	t.child(w, "healthy "+at.Cluster, a.committed, when, a.fault, attribute.String("transom.cluster", at.Cluster), attribute.Int("transom.placements", a.placements))
}

// child makes a span below the one of the commit; fault is why it ended without success.
func (t *Tracer) child(w *way, name string, began, ended time.Time, fault string, about ...attribute.KeyValue) {
	_, span := t.spans.Start(trace.ContextWithSpan(context.Background(), w.root), name, trace.WithTimestamp(began), trace.WithAttributes(about...))
	if fault != "" {
		span.SetStatus(codes.Error, wording.Clean(fault))
	}
	span.End(trace.WithTimestamp(ended))
}

// end ends the trace; why says that not all came to their end.
func (w *way) end(why string) {
	if why != "" {
		for _, cluster := range slices.Sorted(maps.Keys(w.clusters)) {
			if a := w.clusters[cluster]; a.waiting > 0 {
				why += fmt.Sprintf("; %s: %d of %d placements wait: %s", cluster, a.waiting, a.placements, cmp.Or(a.fault, "no fault was seen"))
			}
		}
		w.root.SetStatus(codes.Error, wording.Clean(why))
	}
	w.root.End()
}
