package demo

import (
	"time"

	"transom.dev/reconciler/status"
)

// Printed lists the messages that the demo prints by a time, of events that came until then.
func Printed(events []status.Event, now time.Time) (messages []string) {
	var s stream
	s.take(events)
	for _, e := range s.due(now) {
		messages = append(messages, e.Message)
	}
	return messages
}
