package web

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// burst is the least time between two messages of one stream: a burst of changes becomes one message.
	burst = 100 * time.Millisecond
	// longestBurst is the same where telling all streams takes long. A change has to be in each stream within 200 ms, the telling included.
	longestBurst = 125 * time.Millisecond
	// tellingShare is the part of the time that may go into telling streams, until a burst is the longest: one in so many.
	tellingShare = 5
	// gathering is how long the first change after a quiet time waits for others: a change seldom comes alone. Each stream makes it
	// longer, as telling thousands twice costs much.
	gathering        = 20 * time.Millisecond
	gatheringEach    = 45 * time.Microsecond
	longestGathering = 90 * time.Millisecond
	// writersAtOnce is how many goroutines write to streams: where other processes work, too, one has too small a part of the time.
	writersAtOnce = 2
	// patience is how long a client may take that others wait for, and moreWriters how many times as many write once one took longer.
	patience    = 5 * time.Millisecond
	moreWriters = 16
	// mostInARow is how many streams are written to before other work that waits for a processor has its turn.
	mostInARow = 8
)

// A broadcast tells all streams together that something changed. One goroutine hears of the Board for all of them, for as long as there
// are streams, and two write to all of them, so that a change costs each of thousands no more than its write: woken at once, their own
// goroutines would stand before those of a pass whenever one of these waits for a processor. A client that does not read costs the others
// no more than a moment. It is safe for concurrent use.
type broadcast struct {
	board  Board
	passes courtesy

	mu        sync.Mutex
	listeners map[listener]struct{}
	end       func() // ends the goroutines, and waits for their end
}

// A listener is a stream as the broadcast knows it. It writes that something changed, and returns once it did; where it still writes what it
// was told before, it returns at once, and writes once more after that.
type listener interface{ tell() }

func newBroadcast(board Board, passes courtesy) *broadcast {
	return &broadcast{board: board, passes: passes, listeners: map[listener]struct{}{}}
}

// join adds a stream until leave is called. It hears of every change after the call.
func (b *broadcast) join(l listener) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[l] = struct{}{}; len(b.listeners) == 1 {
		b.end = b.listen()
	}
	return func() {
		b.mu.Lock()
		end := func() {}
		if delete(b.listeners, l); len(b.listeners) == 0 {
			end = b.end
		}
		b.mu.Unlock()
		end()
	}
}

// listen starts the goroutine that tells of changes.
func (b *broadcast) listen() (end func()) {
	changed, unsubscribe := b.board.Subscribe()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var writers sync.WaitGroup
		defer writers.Wait()
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
			case <-time.After(max(b.gathers(), pause)):
			}
			until := since.Add(longestBurst)
			b.passes.wait(over, longestBurst, time.Until(until))
			select {
			case <-changed: // meanwhile, which streams are told of now
			default:
			}
			told = time.Now()
			b.tell(over, until, &writers)
			took = time.Since(told)
		}
	}()
	return func() {
		close(over)
		<-ended
		unsubscribe()
	}
}

// gathers is how long a change waits for others.
func (b *broadcast) gathers() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(gathering, min(time.Duration(len(b.listeners))*gatheringEach, longestGathering))
}

// tell tells all streams, two at a time. Between them it gives way to passes until a time. Where a client does not read, others write
// to the rest of the streams.
func (b *broadcast) tell(over <-chan struct{}, until time.Time, writers *sync.WaitGroup) {
	b.mu.Lock()
	all := slices.Collect(maps.Keys(b.listeners))
	b.mu.Unlock()
	var next atomic.Int64
	toldAll := make(chan struct{}, 1)
	write := func() {
		for n := 1; ; n++ {
			b.passes.wait(over, longestBurst, time.Until(until))
			i := int(next.Add(1)) - 1
			if i >= len(all) {
				break
			}
			all[i].tell()
			if n%mostInARow == 0 {
				runtime.Gosched()
			}
		}
		select {
		case toldAll <- struct{}{}:
		default:
		}
	}
	for range writersAtOnce {
		writers.Go(write)
	}
	watch := time.NewTicker(patience)
	defer watch.Stop()
	for more, before := writersAtOnce, int64(0); ; {
		select {
		case <-toldAll:
			return
		case <-watch.C:
		}
		now := next.Load()
		if now == before && (time.Now().After(until) || !b.passes.waits(longestBurst)) { // else they may give way
			for range (moreWriters - 1) * more {
				writers.Go(write)
			}
			more *= moreWriters
		}
		before = now
	}
}
