package reconciler

import (
	"time"

	"transom.dev/reconciler/promotion"
)

// News of health comes in bursts. A loop waits that long for more of it, and longer after it has committed: a thousand
// instances that become healthy one after the other are a few commits.
const (
	burst    = 50 * time.Millisecond
	shortest = time.Second     // from a commit to the next
	longest  = 8 * time.Second // from one commit of health to the next, while all of them find news
	leisure  = 19              // times as long as a pass took health waits for the next one, up to shortest
)

// urgency is how long news may wait for a pass.
type urgency int

const (
	standing  urgency = iota // a value of an observed output is not recorded before it has stood for a while
	health                   // records of health and proof wait while there is ever more of them
	progress                 // somebody may go on
	urgent                   // a failure waits for nothing but more of the same burst
	immediate                // a merge waits for nothing
)

// A pace says when a pass may be after a commit. It slows down from one commit of nothing but health to the next as long as news
// comes in between, and is as fast as at first once there was none, or something else was committed. While very many instances are on
// their way, most passes for health find nothing to commit: each rests for a multiple of the time that the one before took.
type pace struct {
	last     time.Time     // commit
	interval time.Duration // from it to the next one of health
	rests    time.Time     // until when news of health waits since a pass
}

// next is the time of the next pass for news that came at a time.
func (p pace) next(why urgency, came time.Time) time.Time {
	wait, soon := shortest, came.Add(burst)
	switch why {
	case immediate:
		return came
	case urgent:
		return soon
	case standing:
		return came.Add(promotion.StandTime)
	case health:
		wait = max(p.interval, shortest)
		if p.rests.After(soon) {
			soon = p.rests
		}
	}
	at := p.last.Add(wait)
	if at.After(soon) {
		return at
	}
	return soon
}

// passed takes that a pass ended, and how long it took.
func (p *pace) passed(took time.Duration, now time.Time) {
	p.rests = now.Add(min(leisure*took, shortest))
}

// committed takes that there was a commit for such news, the first of which came at a time.
func (p *pace) committed(of urgency, came, now time.Time) {
	quiet := came.After(p.last.Add(p.interval))
	p.last = now
	if of != health || quiet {
		p.interval = shortest
		return
	}
	p.interval = min(2*p.interval, longest)
}
