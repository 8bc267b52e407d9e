package promotion_test

import (
	"flag"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("schedules", 20000, "how many random schedules TestSchedules runs")
	firstSeed = flag.Uint64("seed", 1, "the first of them")
)

// TestSchedules checks the state machine against the rules of promotion in random histories. A schedule that breaks one is
// shrunk to the events that it takes, and told.
func TestSchedules(t *testing.T) {
	began := time.Now()
	var next, events atomic.Uint64
	var broken sync.Map
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= uint64(*schedules) {
					return
				}
				s := plan(*firstSeed + n)
				events.Add(uint64(len(s.events)))
				if rules, _ := s.run(false, s.finishes()); len(rules) > 0 {
					broken.Store(s.seed, s)
					next.Store(uint64(*schedules))
					return
				}
			}
		})
	}
	running.Wait()
	broken.Range(func(_, found any) bool {
		report(t, found.(schedule))
		return false
	})
	t.Logf("%d schedules of %d events ran in %s", *schedules, events.Load(), time.Since(began).Round(time.Millisecond))
}

// finishes reports whether a schedule is played until all has arrived, which takes as long as several others.
func (s schedule) finishes() bool { return s.seed%10 == 0 }

// report shrinks a schedule that breaks a rule, and tells it.
func report(t *testing.T, s schedule) {
	s = shrink(s)
	rules, trace := s.run(true, s.finishes())
	t.Errorf("seed %d breaks: %q with %d events:", s.seed, rules, len(s.events))
	for _, e := range s.events {
		t.Logf("{%q, %d, %d, %d},", e.kind, e.a, e.b, e.c)
	}
	for _, line := range trace {
		t.Log(line)
	}
}

// shrink drops events for as long as the schedule still breaks a rule.
func shrink(s schedule) schedule {
	breaks := func(s schedule) bool {
		rules, _ := s.run(false, s.finishes())
		return len(rules) > 0
	}
	for size := len(s.events) / 2; size >= 1; size /= 2 {
		for i := 0; i+size <= len(s.events); {
			shorter := schedule{s.seed, slices.Delete(slices.Clone(s.events), i, i+size)}
			if breaks(shorter) {
				s = shorter
			} else {
				i += size
			}
		}
	}
	return s
}

// TestSameHistorySameDecisions keeps R100.
func TestSameHistorySameDecisions(t *testing.T) {
	for seed := uint64(1); seed <= 150; seed++ {
		_, once := plan(seed).run(true, false)
		_, again := plan(seed).run(true, false)
		require.Equal(t, once, again, "seed %d", seed)
	}
}
