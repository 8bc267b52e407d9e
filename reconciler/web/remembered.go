package web

import (
	"sync"
	"sync/atomic"
	"time"

	"transom.dev/reconciler/status"
)

// A memory of lists is asked by each of them whether it is still good. With the first question after a change all lists are forgotten, once
// nobody waits for an answer: one that nobody asks for any more would keep the status that it is of, which is large. It is safe for concurrent
// use.
type memory struct {
	board  Board
	passes courtesy

	mu      sync.Mutex
	news    <-chan struct{}
	heard   int  // how often there were news
	waiting int  // questions that have no answer yet
	stale   bool // something changed since all lists were forgotten
	forget  []func()
}

// changes is how often the Board is known to have changed.
func (m *memory) changes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hear()
}

// ask is changes for a question that waits for its answer until answered is called. Lists that are made meanwhile are good enough for it.
func (m *memory) ask() (changes int, answered func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes = m.hear()
	m.waiting++
	return changes, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waiting--
		m.hear()
	}
}

// hear is changes; the caller holds the lock.
func (m *memory) hear() int {
	if m.news == nil {
		m.news, _ = m.board.Subscribe() // for as long as the process lives
	}
	select {
	case <-m.news:
		m.heard++
		m.stale = true
	default:
	}
	if m.stale && m.waiting == 0 {
		m.stale = false
		for _, forget := range m.forget {
			forget()
		}
	}
	return m.heard
}

const (
	// listShare is the part of the time that may go into making a list anew while something changes all the time: one in so many.
	listShare = 20
	// longestListPause is how long those who ask for one wait for that at most.
	longestListPause = 100 * time.Millisecond
)

// A remembered list is made of the Board's status once, for all who ask for it until something changes: of a large fleet it costs
// milliseconds. Its items are sorted by ID, and nobody may change them. It is safe for concurrent use.
type remembered[T any] struct {
	memory *memory
	all    func(status.Status) []T

	mu   sync.Mutex // of the one who makes the list: the others wait for it
	made atomic.Pointer[listOf[T]]
	at   time.Time     // when the last one was made
	took time.Duration // to make it
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

// list returns the list as it was after so many changes, or later, and why nothing is known of the platform that it is of.
func (l *remembered[T]) list(changes int) ([]T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if made := l.made.Load(); made != nil && made.changes >= changes {
		return made.items, made.why
	}
	time.Sleep(min(listShare*l.took, longestListPause) - time.Since(l.at))
	l.memory.passes.wait(nil, courtesyTime, courtesyTime)
	began, heard := time.Now(), l.memory.changes()
	now := l.memory.board.Status()
	made := &listOf[T]{heard, l.all(now), unread(now.Platform)}
	l.made.Store(made)
	l.at, l.took = time.Now(), time.Since(began)
	return made.items, made.why
}
