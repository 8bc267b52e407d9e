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
// comes in between, and is as fast as at first once there was none, or something else was committed.
type pace struct {
	last     time.Time     // commit
	interval time.Duration // from it to the next one of health
}

// next is the time of the next pass for news that came at a time.
func (p pace) next(why urgency, came time.Time) time.Time {
	wait := shortest
	switch why {
	case immediate:
		return came
	case urgent:
		return came.Add(burst)
	case standing:
		return came.Add(promotion.StandTime)
	case health:
		wait = max(p.interval, shortest)
	}
	soon, at := came.Add(burst), p.last.Add(wait)
	if at.After(soon) {
		return at
	}
	return soon
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
