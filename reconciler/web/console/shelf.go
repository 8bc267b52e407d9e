package console

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// mostShelved is how many bytes a shelf keeps.
const mostShelved = 8 << 20

// A shelf keeps what was made of one model, by key: of thousands who look at the fleet, the first has it made, and those who come
// meanwhile wait for that. It is safe for concurrent use.
type shelf[T shelved] struct {
	mu     sync.Mutex
	bytes  int
	made   map[string]T
	making map[string]*flight[T]
}

// A shelved thing knows how large it is, and whether it can be kept up to a time. Nobody changes it.
type shelved interface {
	size() int
	isGood(now time.Time) bool
}

// A flight is the making of one thing. Its fields may be read once it is done.
type flight[T shelved] struct {
	done chan struct{}
	one  T
	err  error
}

// unmade is the error of what nobody finished, for a defect of ours. It becomes status 500.
type unmade string

func (u unmade) Error() string { return string(u) }

// Code is the status of its answer.
func (unmade) Code() int { return http.StatusInternalServerError }

// find returns what is kept under a key, or has it made. All who ask for it meanwhile get the same, or the same error.
func (s *shelf[T]) find(ctx context.Context, key string, now time.Time, create func() (T, error)) (one T, err error) {
	s.mu.Lock()
	if one, known := s.made[key]; known && one.isGood(now) {
		s.mu.Unlock()
		return one, nil
	}
	f, known := s.making[key]
	if !known {
		f = &flight[T]{done: make(chan struct{}), err: unmade("It was not finished.")}
		if s.making == nil {
			s.making = map[string]*flight[T]{}
		}
		s.making[key] = f
	}
	s.mu.Unlock()
	if known {
		select {
		case <-ctx.Done():
			return one, ctx.Err()
		case <-f.done:
			return f.one, f.err
		}
	}
	defer s.land(key, f, now)
	f.one, f.err = create()
	return f.one, f.err
}

// land ends a flight, and keeps what it brought. Where there is no room, all else goes: things that people look at are soon there again.
func (s *shelf[T]) land(key string, f *flight[T], now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.making, key)
	close(f.done)
	if f.err != nil || !f.one.isGood(now) {
		return
	}
	size := f.one.size() + len(key)
	if size > mostShelved {
		return
	}
	if s.made == nil || s.bytes+size > mostShelved {
		s.made, s.bytes = map[string]T{}, 0
	}
	s.bytes += size
	s.made[key] = f.one
}
