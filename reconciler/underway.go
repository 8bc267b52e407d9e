package reconciler

import (
	"sync"
	"time"
)

// underWay knows whether passes are under way, of whatever environments. Its zero value knows of none. It is safe for concurrent use.
type underWay struct {
	mu    sync.Mutex
	n     int
	since time.Time     // without a pause
	over  chan struct{} // is closed with the end of the last one

	expected bool // the only one of n is about to begin
}

// expect says that passes are about to begin: a platform that is loaded is told to people first, and what they ask for then would be made
// beside the passes.
func (u *underWay) expect() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == 0 {
		u.n, u.since, u.over, u.expected = 1, time.Now(), make(chan struct{}), true
	}
}

// begin says that a pass begins.
func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.expected {
		u.expected, u.since = false, time.Now()
		return
	}
	if u.n++; u.n == 1 {
		u.since, u.over = time.Now(), make(chan struct{})
	}
}

// end says that a pass ended.
func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n--; u.n == 0 {
		close(u.over)
	}
}

// now says for how long passes have been under way, or about to begin, without a pause, with a channel that is closed at the next one; nil: none is under way.
func (u *underWay) now() (age time.Duration, over <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == 0 {
		return 0, nil
	}
	return time.Since(u.since), u.over
}
