package web

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// An eventStream writes to the client of a stream. Whoever tells it of a change writes, so that its own goroutine sleeps meanwhile. It is safe
// for concurrent use.
type eventStream struct {
	part func(at cursor) (text string, end cursor, more bool) // that comes next
	more chan struct{}                                        // has a value where there is more to tell: another call of tell goes on
	over chan struct{}                                        // is closed once the client takes no more

	missed atomic.Bool // something changed that the client was not told of

	mu    sync.Mutex // of the one who writes
	w     http.ResponseWriter
	flush *http.ResponseController
	at    cursor
	ended bool
	fault any // of the one who wrote
}

func newEventStream(w http.ResponseWriter, at cursor, part func(cursor) (string, cursor, bool)) *eventStream {
	return &eventStream{
		part: part, more: make(chan struct{}, 1), over: make(chan struct{}), w: w, flush: http.NewResponseController(w), at: at,
	}
}

// tell writes what the client was not told of. Where somebody writes to it just now, it returns at once, and the stream's own goroutine does
// so after that, which knows whether the client may still have it.
func (s *eventStream) tell() {
	s.missed.Store(true)
	s.exclusively(func() {
		if s.missed.Swap(false) {
			s.writeNext()
		}
	})
}

// keepAlive writes a comment, unless somebody writes just now.
func (s *eventStream) keepAlive() {
	s.exclusively(func() { s.write(aliveMessage) })
}

// exclusively writes, unless somebody else does.
func (s *eventStream) exclusively(write func()) {
	if !s.mu.TryLock() {
		return
	}
	defer func() { // also where the write panics: nobody would write, or end the stream, any more
		s.mu.Unlock()
		if s.missed.Load() { // by somebody who found it locked
			s.goOn()
		}
	}()
	write()
}

// goOn has the stream's own goroutine write.
func (s *eventStream) goOn() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// writeNext writes the next part. Its fault is one of the stream alone, whoever told it. The caller holds the lock.
func (s *eventStream) writeNext() {
	defer func() {
		if fault := recover(); fault != nil {
			s.fault = fault
			s.stop()
		}
	}()
	text, end, more := s.part(s.at)
	if !s.write(text) {
		return
	}
	if s.at = end; more {
		s.goOn()
	}
}

// write writes a text, and says whether the client takes it. The caller holds the lock.
func (s *eventStream) write(text string) bool {
	if s.ended {
		return false
	}
	if !send(s.w, s.flush, text) {
		s.stop()
		return false
	}
	return true
}

// stop says that the client takes no more; the caller holds the lock.
func (s *eventStream) stop() {
	if !s.ended {
		s.ended = true
		close(s.over)
	}
}

// end ends the stream: nobody writes to it afterwards. The fault of whoever wrote becomes that of the caller, whose request it is.
func (s *eventStream) end() {
	s.mu.Lock()
	s.stop()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		panic(fault)
	}
}
