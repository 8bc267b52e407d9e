package apply

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// pace bounds the requests that are under way to one cluster, by how its API server takes them. It begins with a floor. While
// the time of a write is mostly that of the network, more are let go side by side, up to a ceiling: twice as many after each round at first, and
// one more after each once writes have queued. They queue where they take much longer than the quickest one did: more of them would
// only wait there. Where the server says that there are too many, their number is halved, below the floor if need be, and nothing begins
// before the server wants it; any answers bring it back to the floor.
type pace struct {
	floor float64

	mu      sync.Mutex
	limit   float64
	queued  bool            // writes queued once, or the server failed or had too many requests: the limit is not doubled any more
	under   int             // requests under way
	waiting []chan struct{} // first in, first out; closed when the request may begin
	until   time.Time       // when the server wants to be asked again
	resumes *time.Timer     // nil: nobody waits for that

	quickest time.Duration // of the writes of late; 0: there was none
	alone    alone
	crowded  time.Time // when more than one request was last under way
	round    round
	slowedAt time.Time
	unsaid   time.Duration // the last rest after an answer that did not say for how long; 0: the server has done some request since
}

// alone are the latest writes that had the server for themselves. The time of others says how much they queue, and not what
// the quickest write takes.
type alone struct {
	writes   int
	quickest time.Duration
}

// round is what happened since the limit was last looked at.
type round struct {
	answers int // of any requests, below the floor
	writes  int // from the floor on
	took    time.Duration
	peak    int // of requests under way
	earlier int // requests that began before the limit was doubled: how long they take says nothing of the limit
}

const (
	paceCeiling = 8                // times the floor
	longestRest = 10 * time.Second // for how long a server may have all requests wait
	slowedOnce  = time.Second      // how long refusals of one moment halve the limit once, and the first rest where the server names none
	quickestOf  = 16               // writes alone, after which those before them count for nothing
)

func newPace(floor int) *pace { return &pace{floor: float64(floor), limit: float64(floor)} }

// width is how many requests may be under way now.
func (p *pace) width() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.limit)
}

// begin waits until a request may be made, or until done is closed; then it says false. Call end after the request.
func (p *pace) begin(done <-chan struct{}) bool {
	turn := make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, turn)
	p.admit()
	p.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-done:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn: // it was let go at the same time
		p.under--
		p.admit()
	default:
		for i, w := range p.waiting {
			if w == turn {
				p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
				break
			}
		}
	}
	return false
}

// end takes that a request has ended.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowd()
	p.under--
	p.admit()
}

// crowd takes how many requests are under way. The caller holds the lock.
func (p *pace) crowd() {
	p.round.peak = max(p.round.peak, p.under)
	if p.under > 1 {
		p.crowded = time.Now()
	}
}

// admit lets go of those whose turn it is. The caller holds the lock.
func (p *pace) admit() {
	if rest := time.Until(p.until); rest > 0 && len(p.waiting) > 0 {
		if p.resumes == nil {
			p.resumes = time.AfterFunc(rest, p.resume)
		}
		return
	}
	for len(p.waiting) > 0 && p.under < int(p.limit) {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.under++
	}
	p.crowd()
}

func (p *pace) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resumes = nil
	p.admit()
}

// wrote takes how long a write took that the server did. A round is as many writes as may be under way: after each, the limit
// grows where it was used and writes are quick, and goes back towards the floor where they are slow.
func (p *pace) wrote(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learn(took)
	if p.limit < p.floor {
		return
	}
	if p.round.earlier > 0 {
		p.round.earlier--
		return
	}
	p.round.writes++
	p.round.took += took
	if p.round.writes < int(p.limit) {
		return
	}
	mean, earlier := p.round.took/time.Duration(p.round.writes), 0
	switch {
	case p.used() && !p.queued && mean < 2*p.quickest:
		p.limit, earlier = min(2*p.limit, paceCeiling*p.floor), p.under
	case p.used() && !p.queued: // those of twice as many take up to twice as long
		p.limit, p.queued = max(p.limit/2, p.floor), true
	case p.used() && mean < 3*p.quickest:
		p.limit = min(p.limit+1, paceCeiling*p.floor)
	case mean > 6*p.quickest && p.limit > p.floor:
		p.limit = max(p.limit-1, p.floor)
	}
	p.round = round{peak: p.under, earlier: earlier}
	p.admit()
}

// learn takes how long a write took, to know the quickest: a server may be slower for ever than it once was for a moment. The
// caller holds the lock.
func (p *pace) learn(took time.Duration) {
	quickest := func(known time.Duration) time.Duration {
		if known == 0 {
			return took
		}
		return min(known, took)
	}
	p.quickest = quickest(p.quickest)
	if p.under > 1 || time.Since(p.crowded) < took {
		return
	}
	p.alone.quickest = quickest(p.alone.quickest)
	if p.alone.writes++; p.alone.writes == quickestOf {
		p.quickest, p.alone = p.alone.quickest, alone{}
	}
}

// used says whether about as many requests were under way in the round as may be. The caller holds the lock.
func (p *pace) used() bool { return p.round.peak >= int(p.limit)/2 }

// answered takes an answer to any request: below the floor, the limit grows by one after as many as may be under way.
func (p *pace) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsaid = 0
	if p.limit >= p.floor {
		return
	}
	if p.round.answers++; p.round.answers < int(p.limit) {
		return
	}
	if p.used() {
		p.limit = min(p.limit+1, p.floor)
	}
	p.round = round{peak: p.under}
	p.admit()
}

// slow takes that the server has too many requests, and for how long it wants none. One that does not say it gets ever longer rests.
func (p *pace) slow(rest time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.slowedAt) >= slowedOnce {
		p.limit, p.slowedAt, p.queued = max(1, p.limit/2), now, true
		p.round = round{peak: p.under}
		if rest == 0 {
			p.unsaid = min(max(slowedOnce, 2*p.unsaid), longestRest)
		}
	}
	rest = cmp.Or(rest, p.unsaid)
	if until := now.Add(min(rest, longestRest)); until.After(p.until) {
		p.until = until
	}
}

// heed slows down after an answer that says that the server has too many requests, and takes others for a sign that it is well.
func (p *pace) heed(res *http.Response) {
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		p.slow(restOf(res.Header.Get("Retry-After"), time.Now()))
	case res.StatusCode >= http.StatusInternalServerError:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.queued = true // it may break under as many
	default:
		p.answered()
	}
}

// restOf reads for how long a server wants no requests: seconds, or the time of the next one. It is 0 where the text is neither.
func restOf(after string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
