package notify

import (
	"time"

	"transom.dev/reconciler/status"
)

// A subject is something that goes from one condition to another, as far as one Notification has told it.
type subject struct {
	notification, class, environment, cluster, team, request, about string
}

// A condition is what was told of a subject, or will be.
type condition struct {
	last    string    // kind and text that were told
	told    time.Time // when
	changes int       // tellings in a row, each soon after the one before
	next    *status.Event
}

const (
	patience   = 3 // changes that are told at once
	firstPause = time.Minute
	mostPause  = time.Hour
	remembered = 24 * time.Hour // a condition that did not change
	mostKept   = 50_000         // conditions
)

// pause is how long nothing is told of a subject that changes again and again.
func (c *condition) pause() time.Duration {
	if c.changes < patience {
		return 0
	}
	return min(firstPause<<min(c.changes-patience, 10), mostPause)
}

// memory knows what was told. It tells an event once until it changes, and something that flaps with growing pauses.
type memory map[subject]*condition

// news says whether an event is to be told now. One that comes too soon is kept for due, instead of any that is kept.
func (m memory) news(of subject, e status.Event, now time.Time) bool {
	c := m[of]
	if c == nil {
		if len(m) >= mostKept {
			return true // it is told without being remembered
		}
		c = &condition{}
		m[of] = c
	}
	text := string(e.Kind) + " " + e.Message
	if text == c.last {
		c.next = nil // it is again as it was told
		return false
	}
	if now.Sub(c.told) < c.pause() {
		c.next = &e
		return false
	}
	c.tell(text, now)
	return true
}

func (c *condition) tell(text string, now time.Time) {
	if now.Sub(c.told) > max(10*time.Minute, 2*c.pause()) {
		c.changes = 0
	}
	c.last, c.told, c.next = text, now, nil
	c.changes++
}

// due calls tell with each event whose pause is over, and forgets conditions of long ago.
func (m memory) due(now time.Time, tell func(subject, status.Event)) {
	for of, c := range m {
		switch e := c.next; {
		case e != nil && now.Sub(c.told) >= c.pause():
			c.tell(string(e.Kind)+" "+e.Message, now)
			tell(of, *e)
		case e == nil && now.Sub(c.told) > remembered:
			delete(m, of)
		}
	}
}
