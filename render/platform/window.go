package platform

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"transom.dev/render/wording"
)

// NewWindow returns the window of a cron expression with five fields, in a time zone of the IANA database; "" is UTC.
func NewWindow(expression string, duration time.Duration, timeZone string, deny bool) (Window, error) {
	w := Window{Cron: expression, Duration: duration, TimeZone: timeZone, Deny: deny}
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		return w, fmt.Errorf("time zone %q: %w", timeZone, err)
	}
	starts, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expression)
	if err != nil {
		return w, fmt.Errorf("cron expression %q: %w", expression, err)
	}
	w.starts, w.zone = starts, zone
	return w, nil
}

// Contains reports whether the window is on at a time: from a start on, before its duration is over.
func (w Window) Contains(t time.Time) bool {
	start := w.starts.Next(t.In(w.zone).Add(-w.Duration))
	return !start.IsZero() && !start.After(t)
}

// Edge returns the next time at which the window may go on or off; zero: there is none within years.
func (w Window) Edge(t time.Time) time.Time {
	edge := w.starts.Next(t.In(w.zone))
	start := w.starts.Next(t.In(w.zone).Add(-w.Duration))
	if !start.IsZero() && !start.After(t) {
		if end := start.Add(w.Duration); edge.IsZero() || end.Before(edge) {
			edge = end
		}
	}
	return edge
}

// ruleIdleWindow is that of the Warning of a window that is never on. Environments that have one keep it, and new ones are refused by
// "transom check".
const ruleIdleWindow = "idle-window"

// warnIfIdle warns of a window that is never on: its cron expression names a day that there is in no year, or it ends as it begins.
func (w Window) warnIfIdle(d *document, field string) {
	consequence := "opens"
	if w.Deny {
		consequence = "denies anything"
	}
	leap := time.Date(2000, 1, 1, 0, 0, 0, 0, w.zone) // the parser looks five years ahead, among which leap years have to be
	switch {
	case w.starts.Next(leap).IsZero():
		d.warn(field+".cron", ruleIdleWindow, "%q names no time that ever comes, so that the window never %s; correct its day or month, or remove the window",
			wording.Shorten(w.Cron), consequence)
	case w.Duration == 0:
		d.warn(field+".duration", ruleIdleWindow, "is no time at all, so that the window never %s; write how long it is on, such as 2h, or remove the window", consequence)
	}
}

// farthest is how many edges of windows are looked ahead to find when an environment opens or closes.
const farthest = 400

// IsOpen says whether the windows of an environment let it change at a time. Where there are windows that allow, one of them has to be
// on; one that denies must not.
func (e *Environment) IsOpen(t time.Time) bool {
	allows, inside := false, false
	for _, w := range e.Windows {
		on := w.Contains(t)
		if w.Deny && on {
			return false
		}
		allows, inside = allows || !w.Deny, inside || !w.Deny && on
	}
	return inside || !allows
}

// Turn returns the first time after t at which the windows of an environment open it, or close it if it is open at t; zero: none is in
// sight.
func (e *Environment) Turn(t time.Time) time.Time {
	open := e.IsOpen(t)
	for range farthest {
		var next time.Time
		for _, w := range e.Windows {
			if edge := w.Edge(t); next.IsZero() || !edge.IsZero() && edge.Before(next) {
				next = edge
			}
		}
		if next.IsZero() || e.IsOpen(next) != open {
			return next
		}
		t = next
	}
	return t
}
