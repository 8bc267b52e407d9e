package promotion

import (
	"fmt"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// farthest is how many edges of windows are looked ahead to find when one opens.
const farthest = 400

// windowGate returns the reason why the environment may not change now, or nil. Where there are windows that allow, one of them
// has to be on; one that denies must not.
func windowGate(e *platform.Environment, now Clock) *Gate {
	windows := e.Windows
	open := func(t time.Time) bool { return within(windows, t) }
	if len(windows) == 0 || now.both(open) {
		return nil
	}
	return shut(e.File, windows, now, open)
}

func within(windows []platform.Window, t time.Time) bool {
	allows, inside := false, false
	for _, w := range windows {
		on := w.Contains(t)
		if w.Deny && on {
			return false
		}
		allows, inside = allows || !w.Deny, inside || !w.Deny && on
	}
	return inside || !allows
}

func shut(file string, windows []platform.Window, now Clock, open func(time.Time) bool) *Gate {
	g := &Gate{Name: gate.Window, Reason: "outside the windows of " + file, Opens: "time, or an Override that skips window"}
	if skew := now.Jumped(); skew != 0 && open(now.Wall) {
		g.Reason = fmt.Sprintf("the machine's clock was set by %s since Transom started: a window opens once both times are inside it", skew.Round(time.Second))
		g.Opens = "time, or a restart"
		if at := opening(windows, now.Steady, open); !at.IsZero() {
			g.At = now.Wall.Add(at.Sub(now.Steady))
		}
		return g
	}
	g.At = opening(windows, now.Wall, open)
	if !g.At.IsZero() {
		g.Reason += "; the next opens at " + g.At.Format(time.RFC3339)
	}
	return g
}

// opening returns the first time after t at which the windows are open; zero: none is in sight.
func opening(windows []platform.Window, t time.Time, open func(time.Time) bool) time.Time {
	for range farthest {
		var next time.Time
		for _, w := range windows {
			next = earliest(next, w.Edge(t))
		}
		if next.IsZero() || open(next) {
			return next
		}
		t = next
	}
	return t
}
