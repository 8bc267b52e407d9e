package web

import (
	"sync"
	"time"
)

const (
	// burst is the least time between two messages of one stream: a burst of changes becomes one message.
	burst = 100 * time.Millisecond
	// gathering is how long the first change after a quiet time waits for others: a change seldom comes alone.
	gathering = 20 * time.Millisecond
)

// A broadcast tells all streams together that something changed. One goroutine hears of the Board for all of them, for as long as there
// are streams, so that a change costs each of thousands no more than its write. It is safe for concurrent use.
type broadcast struct {
	board Board

	mu      sync.Mutex
	streams int
	end     func()        // ends the goroutine, and waits for its end
	news    chan struct{} // is closed once streams are told again
}

func newBroadcast(board Board) *broadcast { return &broadcast{board: board, news: make(chan struct{})} }

// join counts a stream until leave is called.
func (b *broadcast) join() (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams++; b.streams == 1 {
		b.end = b.listen()
	}
	return func() {
		b.mu.Lock()
		end := func() {}
		if b.streams--; b.streams == 0 {
			end = b.end
		}
		b.mu.Unlock()
		end()
	}
}

// next is closed once something has changed after the call. A stream calls it before it reads what it sends.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.news
}

// listen starts the goroutine that tells of changes.
func (b *broadcast) listen() (end func()) {
	changed, unsubscribe := b.board.Subscribe()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var told time.Time
		for {
			select {
			case <-over:
				return
			case <-changed:
			}
			select {
			case <-over:
				return
			case <-time.After(max(gathering, burst-time.Since(told))):
			}
			told = time.Now()
			b.tell()
		}
	}()
	return func() {
		close(over)
		<-ended
		unsubscribe()
	}
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.news)
	b.news = make(chan struct{})
}
