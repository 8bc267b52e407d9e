package promotion

import "time"

// Gate is a gate that is closed: why something waits.
type Gate struct {
	Name   string    // health, soak, approval, window, hold, pin, binding, rollout, rejected, leave, deletions or problem
	Reason string    // the condition that is unmet
	Since  time.Time // zero: not known from records
	Opens  string    // the person or the event that opens it
	At     time.Time // when it opens by itself if nothing else changes; zero: it does not
}
