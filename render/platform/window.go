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
func (w Window) Contains(t time.Time) bool { return w.at(t).on }

// Edge returns the next time at which the window may go on or off; zero: there is none within years.
func (w Window) Edge(t time.Time) time.Time { return w.at(t).until }

// A spell is a time for which a window is on, or off.
type spell struct {
	on    bool
	until time.Time // zero: for years
}

// at is the spell that a time is in.
func (w Window) at(t time.Time) spell {
	next, start := w.starts.Next(t.In(w.zone)), w.starts.Next(t.In(w.zone).Add(-w.Duration))
	s := spell{!start.IsZero() && !start.After(t), next}
	if end := start.Add(w.Duration); s.on && (next.IsZero() || end.Before(next)) {
		s.until = end
	}
	return s
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
	return e.opens(func(i int) bool { return e.Windows[i].Contains(t) })
}

// opens says whether the environment may change while those windows are on.
func (e *Environment) opens(on func(window int) bool) bool {
	allows, inside := false, false
	for i, w := range e.Windows {
		if w.Deny && on(i) {
			return false
		}
		allows, inside = allows || !w.Deny, inside || !w.Deny && on(i)
	}
	return inside || !allows
}

// Turn returns the first time after t at which the windows of an environment open it, or close it if it is open at t; zero: none is in
// sight.
func (e *Environment) Turn(t time.Time) time.Time {
	spells := make([]spell, len(e.Windows)) // each is found once: to find the start of a window that is rarely on takes long
	for i, w := range e.Windows {
		spells[i] = w.at(t)
	}
	on := func(window int) bool { return spells[window].on }
	open := e.opens(on)
	for range farthest {
		var next time.Time
		for _, s := range spells {
			if next.IsZero() || !s.until.IsZero() && s.until.Before(next) {
				next = s.until
			}
		}
		if next.IsZero() {
			return next
		}
		for i, s := range spells {
			if !s.until.IsZero() && !s.until.After(next) {
				spells[i] = e.Windows[i].at(next)
			}
		}
		if e.opens(on) != open {
			return next
		}
		t = next
	}
	return t
}
