package web

import "time"

// courtesyTime is how long answers wait for passes under way, from the beginning of the first of them on: nobody notices so much, and most
// passes are over then. Passes that take longer, or follow each other without a pause, are not waited for any longer.
const courtesyTime = 50 * time.Millisecond

// A courtesy is that of answers towards passes: made at the same time, both take longer, and a pass is waited for by all who push.
type courtesy struct {
	passes func() (age time.Duration, over <-chan struct{}) // nil: there are none
}

// wait waits until no pass is under way, or they are older than oldest, but no longer than longest and not after done is closed.
func (c courtesy) wait(done <-chan struct{}, oldest, longest time.Duration) {
	if c.passes == nil {
		return
	}
	age, over := c.passes()
	most := min(oldest-age, longest)
	if over == nil || most <= 0 {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-done:
	}
}

// waits says whether wait would wait.
func (c courtesy) waits(oldest time.Duration) bool {
	if c.passes == nil {
		return false
	}
	age, over := c.passes()
	return over != nil && age < oldest
}
