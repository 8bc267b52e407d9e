package web

import (
	"sync"

	"transom.dev/reconciler/status"
)

// A remembered list is made of the Board's status once, for all who ask for it until something changes: of a large fleet it costs
// milliseconds. Its items are sorted by ID, and nobody may change them. It is safe for concurrent use.
type remembered[T any] struct {
	board Board
	all   func(status.Status) []T

	mu       sync.Mutex // also of the one who makes the list: the others wait for it
	news     <-chan struct{}
	made     bool
	items    []T
	platform status.Platform
}

// list returns the list as it was when it was asked for, with the platform that it is of.
func (l *remembered[T]) list() ([]T, status.Platform) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news == nil {
		l.news, _ = l.board.Subscribe() // for as long as the process lives
	}
	select {
	case <-l.news:
		l.made = false
	default:
	}
	if !l.made {
		now := l.board.Status()
		l.items, l.platform, l.made = l.all(now), now.Platform, true
	}
	return l.items, l.platform
}
