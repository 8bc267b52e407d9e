package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/state"
)

// TestAnObserverThatIsLateRejectsNobody keeps R64.
func TestAnObserverThatIsLateRejectsNobody(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.run(tick)
	w.blind["prod-1"] = w.clock + time.Hour
	w.settle(50 * time.Minute)
	require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Rejected, "it came up long ago, and nobody has looked since")
	require.NotEqual(t, before, w.has("prod", "a"))
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// forget leaves of a placement only the facts that a daemon knows when it starts.
func (on *placed) forget() {
	on.meter, on.held, on.ill = promotion.Meter{}, promotion.Meter{}, 0
	on.said, on.stuck, on.behind, on.doubted, on.seenIll = "", false, false, false, 0
	on.meter.Restore(on.revision, on.checkpoint)
}

// isBlind reports whether nobody looks at a cluster, though the daemon is told that something happens there.
func (w *world) isBlind(cluster string) bool { return w.blind[cluster] > w.clock }

// holds reports whether the last observation is still true although nobody looks, because nothing has happened since.
func (w *world) holds(on *placed, health state.Health) bool {
	switch {
	case on.said == "" || on.doubted:
		return false
	case health != on.said || w.superseded(on) != on.behind:
		on.doubted = true
		on.meter.Outdate(w.clock-w.booted, grace)
		on.held.Outdate(w.clock-w.booted, 0)
		return false
	}
	on.seen()
	return true
}

// seen counts a tick with the health that was observed before it.
func (on *placed) seen() {
	if !on.doubted && !on.behind && (on.said == state.Progressing || on.said == state.Failed) {
		on.seenIll += tick
	}
}

// lookAt is a tick in which somebody looks.
func (w *world) lookAt(on *placed, health state.Health, stuck bool) {
	on.seen()
	if health == state.Healthy || health == state.Suspended {
		on.seenIll = 0
	}
	on.said, on.stuck, on.behind, on.doubted, on.lookedAt = health, stuck, w.superseded(on), false, w.wall()
	on.meter.Observe(on.revision, health, w.clock-w.booted, grace)
	holding := health
	if health == state.Progressing && !on.behind {
		holding = state.Unknown
	}
	on.held.Observe(on.revision, holding, w.clock-w.booted, 0)
}
