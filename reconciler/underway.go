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
}

// begin says that a pass begins.
func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
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

// now says for how long passes have been under way without a pause, with a channel that is closed at the next one; nil: none is under way.
func (u *underWay) now() (age time.Duration, over <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == 0 {
		return 0, nil
	}
	return time.Since(u.since), u.over
}
