package apply

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// pace bounds the requests that are under way to one cluster, by how its API server takes them. It begins with a floor. While
// the time of a write is mostly that of the network, more are let go side by side, up to a ceiling; once writes take much
// longer than the quickest one did, they queue in the server, and more of them would only wait there. Where the server says
// that there are too many, their number is halved, below the floor if need be, and nothing begins before the server wants it.
type pace struct {
	floor float64

	mu      sync.Mutex
	limit   float64
	under   int             // requests under way
	waiting []chan struct{} // first in, first out; closed when the request may begin
	until   time.Time       // when the server wants to be asked again
	resumes *time.Timer     // nil: nobody waits for that

	quickest time.Duration // of all writes that were done
	round    round
	slowedAt time.Time
}

// round are the writes since the limit was last looked at.
type round struct {
	writes int
	took   time.Duration
	peak   int // of requests under way
}

const (
	paceCeiling = 8                // times the floor
	longestRest = 10 * time.Second // for how long a server may have all requests wait
	slowedOnce  = time.Second      // how long refusals of one moment halve the limit once
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
	p.under--
	p.admit()
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
	p.round.peak = max(p.round.peak, p.under)
}

func (p *pace) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resumes = nil
	p.admit()
}

// wrote takes how long a write took that the server did. A round is as many writes as may be under way: after each, the limit
// grows by one where it was used and writes are quick, and goes back towards the floor where they are slow.
func (p *pace) wrote(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quickest == 0 || took < p.quickest {
		p.quickest = took
	}
	p.round.writes++
	p.round.took += took
	if p.round.writes < int(p.limit) {
		return
	}
	mean := p.round.took / time.Duration(p.round.writes)
	used := p.round.peak >= int(p.limit)/2
	switch {
	case used && (p.limit < p.floor || mean < 3*p.quickest):
		p.limit = min(p.limit+1, paceCeiling*p.floor)
	case mean > 6*p.quickest && p.limit > p.floor:
		p.limit--
	}
	p.round = round{peak: p.under}
	p.admit()
}

// slow takes that the server has too many requests, and for how long it wants none.
func (p *pace) slow(rest time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.slowedAt) >= slowedOnce {
		p.limit, p.slowedAt = max(1, p.limit/2), now
		p.round = round{peak: p.under}
	}
	if until := now.Add(min(rest, longestRest)); until.After(p.until) {
		p.until = until
	}
}

// heed slows down after an answer that says that the server has too many requests.
func (p *pace) heed(res *http.Response) {
	if res.StatusCode != http.StatusTooManyRequests {
		return
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	p.slow(time.Duration(max(0, seconds)) * time.Second)
}
