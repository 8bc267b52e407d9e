package web

import (
	"sync"
	"sync/atomic"

	"transom.dev/reconciler/status"
)

// A memory of lists is asked by each of them whether it is still good. With the first question after a change all lists are forgotten: one
// that nobody asks for any more would keep the status that it is of, which is large. It is safe for concurrent use.
type memory struct {
	board Board

	mu     sync.Mutex
	news   <-chan struct{}
	heard  int // how often there were news
	forget []func()
}

// changes is how often the Board is known to have changed.
func (m *memory) changes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.news == nil {
		m.news, _ = m.board.Subscribe() // for as long as the process lives
	}
	select {
	case <-m.news:
		m.heard++
		for _, forget := range m.forget {
			forget()
		}
	default:
	}
	return m.heard
}

// A remembered list is made of the Board's status once, for all who ask for it until something changes: of a large fleet it costs
// milliseconds. Its items are sorted by ID, and nobody may change them. It is safe for concurrent use.
type remembered[T any] struct {
	memory *memory
	all    func(status.Status) []T

	mu   sync.Mutex // of the one who makes the list: the others wait for it
	made atomic.Pointer[listOf[T]]
}

// A listOf is a list as it was after so many changes.
type listOf[T any] struct {
	changes int
	items   []T
	why     error // why nothing is known of the platform; nil: it is
}

func remember[T any](m *memory, all func(status.Status) []T) *remembered[T] {
	l := &remembered[T]{memory: m, all: all}
	m.forget = append(m.forget, func() { l.made.Store(nil) })
	return l
}

// list returns the list as it was when it was asked for, and why nothing is known of the platform that it is of.
func (l *remembered[T]) list() ([]T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := l.memory.changes()
	made := l.made.Load()
	if made == nil || made.changes != changes {
		now := l.memory.board.Status()
		made = &listOf[T]{changes, l.all(now), unread(now.Platform)}
		l.made.Store(made)
	}
	return made.items, made.why
}
