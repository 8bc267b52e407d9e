package promotion

import "time"

// maxSkew is how far the two clocks may be apart before neither is believed alone.
const maxSkew = 2 * time.Second

// Clock is the time of a pass, twice: as the machine says it is, and as the time at which the process started plus the time
// that its monotonic clock has counted since. Where somebody set the machine's clock they differ, and a gate that depends on
// the time of day is open only if it is open by both.
type Clock struct {
	Wall   time.Time
	Steady time.Time // zero: the same as Wall
}

// Jumped returns how far the machine's clock was set forward since the process started, or zero where it was not.
func (c Clock) Jumped() time.Duration {
	if c.Steady.IsZero() {
		return 0
	}
	if skew := c.Wall.Sub(c.Steady); skew.Abs() > maxSkew {
		return skew
	}
	return 0
}

// both reports whether open is true now, whichever clock is right.
func (c Clock) both(open func(time.Time) bool) bool {
	return open(c.Wall) && (c.Jumped() == 0 || open(c.Steady))
}

// either reports whether open is true by one of the clocks.
func (c Clock) either(open func(time.Time) bool) bool {
	return open(c.Wall) || c.Jumped() != 0 && open(c.Steady)
}

// past is when, on the machine's clock, a time is over by both; zero stays zero.
func (c Clock) past(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(max(c.Jumped(), 0))
}

// in is the time that d from now will be on the machine's clock.
func (c Clock) in(d time.Duration) time.Time { return c.Wall.Add(d) }

// stamp is the time as records have it.
func (c Clock) stamp() time.Time { return c.Wall.UTC().Truncate(time.Second) }
