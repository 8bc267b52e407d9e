package web

import (
	"slices"
	"sync"
	"time"
)

const (
	// burst is the least time between two messages of one stream: a burst of changes becomes one message.
	burst = 100 * time.Millisecond
	// longestBurst is the same where telling all streams takes long. A change has to be in each stream within 200 ms, the telling included.
	longestBurst = 125 * time.Millisecond
	// tellingShare is the part of the time that may go into telling streams, until a burst is the longest: one in so many.
	tellingShare = 5
	// gathering is how long the first change after a quiet time waits for others: a change seldom comes alone.
	gathering = 20 * time.Millisecond
	// turn is how many streams write at once, patience how long those behind them wait for that, and mostLate after how many turns that took
	// longer they wait for none.
	turn     = 8
	patience = 5 * time.Millisecond
	mostLate = 4
)

// A broadcast tells all streams together that something changed. One goroutine hears of the Board for all of them, for as long as there
// are streams, so that a change costs each of thousands no more than its write. It gives the turn to a few streams after the other: woken at
// once, thousands of goroutines would stand before those of a pass whenever one of these waits for a processor. A client that does not
// read costs the others no more than a moment. It is safe for concurrent use.
type broadcast struct {
	board  Board
	passes courtesy

	mu        sync.Mutex
	listeners map[*listener]struct{}
	end       func() // ends the goroutine, and waits for its end
}

// A listener is a stream as the broadcast knows it.
type listener struct {
	news    chan struct{} // has a value once something changed that the stream was not told of
	written chan struct{} // has a value once it wrote that, or has ended
}

// tell tells a stream to write. It returns false where that has not even begun to write what it was told before.
func (l *listener) tell() bool {
	select {
	case <-l.written: // of a turn that was not waited for
	default:
	}
	select {
	case l.news <- struct{}{}:
		return true
	default:
		return false
	}
}

// done gives the turn to the next stream.
func (l *listener) done() {
	select {
	case l.written <- struct{}{}:
	default:
	}
}

func newBroadcast(board Board, passes courtesy) *broadcast {
	return &broadcast{board: board, passes: passes, listeners: map[*listener]struct{}{}}
}

// join adds a stream until leave is called. It hears of every change after the call.
func (b *broadcast) join() (l *listener, leave func()) {
	l = &listener{make(chan struct{}, 1), make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[l] = struct{}{}; len(b.listeners) == 1 {
		b.end = b.listen()
	}
	return l, func() {
		b.mu.Lock()
		end := func() {}
		if delete(b.listeners, l); len(b.listeners) == 0 {
			end = b.end
		}
		b.mu.Unlock()
		l.done()
		end()
	}
}

// listen starts the goroutine that tells of changes.
func (b *broadcast) listen() (end func()) {
	changed, unsubscribe := b.board.Subscribe()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var told time.Time
		var took time.Duration
		for {
			since := told // the earliest time of a change that came while streams were told
			select {
			case <-changed:
			default:
				select {
				case <-over:
					return
				case <-changed:
				}
				since = time.Now()
			}
			pause := min(max(burst, tellingShare*took), longestBurst) - time.Since(told)
			select {
			case <-over:
				return
			case <-time.After(max(gathering, pause)):
			}
			until := since.Add(longestBurst)
			b.passes.wait(over, longestBurst, time.Until(until))
			select {
			case <-changed: // meanwhile, which streams are told of now
			default:
			}
			told = time.Now()
			b.tell(over, until)
			took = time.Since(told)
		}
	}()
	return func() {
		close(over)
		<-ended
		unsubscribe()
	}
}

// tell gives each stream the turn. Between turns it gives way to passes until a time.
func (b *broadcast) tell(over <-chan struct{}, until time.Time) {
	b.mu.Lock()
	all := make([]*listener, 0, len(b.listeners))
	for l := range b.listeners {
		all = append(all, l)
	}
	b.mu.Unlock()
	waits := time.NewTimer(patience)
	defer waits.Stop()
	late := 0
	for some := range slices.Chunk(all, turn) {
		b.passes.wait(over, longestBurst, time.Until(until))
		var writing []*listener
		for _, l := range some {
			if l.tell() {
				writing = append(writing, l)
			}
		}
		if late < mostLate && !haveWritten(writing, waits) {
			late++
		}
	}
}

// haveWritten waits until all of some streams wrote what they were told, and returns false if that takes too long.
func haveWritten(all []*listener, waits *time.Timer) bool {
	waits.Reset(patience)
	for _, l := range all {
		select {
		case <-l.written:
		case <-waits.C:
			return false
		}
	}
	return true
}
