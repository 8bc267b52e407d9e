package promotion

import (
	"fmt"
	"time"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// windowGate returns the reason why the environment may not change now, or nil. Where there are windows that allow, one of them
// has to be on; one that denies must not.
func windowGate(e *platform.Environment, now Clock) *Gate {
	if len(e.Windows) == 0 || now.both(e.IsOpen) {
		return nil
	}
	return shut(e, now)
}

func shut(e *platform.Environment, now Clock) *Gate {
	g := &Gate{Name: gate.Window, Reason: "outside the windows of " + e.File, Opens: "time, or an Override that skips window"}
	if skew := now.Jumped(); skew != 0 && e.IsOpen(now.Wall) {
		g.Reason = fmt.Sprintf("the machine's clock was set by %s since Transom started: a window opens once both times are inside it", skew.Round(time.Second))
		g.Opens = "time, or a restart"
		if at := e.Turn(now.Steady); !at.IsZero() {
			g.At = now.Wall.Add(at.Sub(now.Steady))
		}
		return g
	}
	g.At = e.Turn(now.Wall)
	if !g.At.IsZero() {
		g.Reason += "; the next opens at " + g.At.Format(time.RFC3339)
	}
	return g
}
