package promotion

import (
	"time"

	"transom.dev/render/state"
)

// Meter measures how long one placement was seen healthy, and how long not. Time that nobody watched neither counts nor
// resets: neither before the first look at a revision, nor while something that happened has not been looked at. The zero
// value has seen nothing. Times are readings of a monotonic clock, as durations since any fixed point.
type Meter struct {
	revision string
	health   state.Health
	at       time.Duration // when health was last known to be so
	outdated bool          // something happened since that nobody has looked at

	soaked, ailing time.Duration
}

// Restore takes over the soak of a checkpoint, from before this process began to watch. It changes nothing where
// something about that revision was seen already. How long it was ailing then is not known: its grace begins anew.
func (m *Meter) Restore(revision string, soaked time.Duration) {
	if m.revision != revision {
		*m = Meter{revision: revision, health: state.Unknown, soaked: soaked}
	}
}

// briefly is for how long an observation may be outdated and count all the same, once the next one says the same.
const briefly = 2 * time.Second

// Outdate says that something happened that nobody has looked at yet: from now on it is not known whether the last observation
// is still true. Nothing counts until the next observation. If that comes soon and says the same, it was.
func (m *Meter) Outdate(now, grace time.Duration) {
	m.count(now, grace)
	m.outdated = true
}

// Observe says that a placement's health at a revision is this from now on. The time since the last call counts with the
// health that that call gave.
func (m *Meter) Observe(revision string, health state.Health, now, grace time.Duration) {
	if m.revision != revision {
		*m = Meter{revision: revision, health: state.Unknown}
	}
	if m.outdated && (health != m.health || now-m.at > briefly) {
		m.at = max(now, m.at)
	}
	m.outdated = false
	m.count(now, grace)
	if health == state.Healthy || health == state.Suspended {
		m.ailing = 0
	}
	m.health = health
	m.breakSoak(grace)
}

// Read returns how long a revision was seen healthy, and how long not, until now.
func (m *Meter) Read(revision string, now, grace time.Duration) (soaked, ailing time.Duration) {
	if m.revision != revision {
		return 0, 0
	}
	m.count(now, grace)
	return m.soaked, m.ailing
}

// count adds the time until now with the health that was given last.
func (m *Meter) count(now, grace time.Duration) {
	if m.outdated {
		return
	}
	elapsed := max(now-m.at, 0)
	m.at = max(now, m.at)
	switch m.health {
	case state.Healthy:
		m.soaked += elapsed
	case state.Progressing, state.Failed:
		m.ailing += elapsed
	}
	m.breakSoak(grace)
}

// breakSoak sets the soak back where health is lost.
func (m *Meter) breakSoak(grace time.Duration) {
	if broke(m.health, m.ailing, grace) {
		m.soaked = 0
	}
}
