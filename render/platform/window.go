package platform

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
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
