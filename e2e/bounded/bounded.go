// Package bounded runs an execution of a fuzz target within limits of time and memory.
//
// In goes a function; nothing comes out. An execution that needs more than its limits panics, while it still runs: the fuzzer
// then keeps its input, as it would not where the target is stuck until the fuzzing ends. Tests alone import the package.
package bounded

import (
	"fmt"
	"runtime/metrics"
	"sync"
	"time"
)

// Limits are how long one execution may take and how many bytes it may allocate, those that were free again counted in.
type Limits struct {
	Time   time.Duration
	Memory uint64
}

// Usual are the limits of a target whose execution reads one file. They are far from the few milliseconds that it takes: a
// machine on which much else runs makes no target fail.
var Usual = Limits{Time: 20 * time.Second, Memory: 1 << 30}

// interval is how often an execution is looked at. Most of them have ended before the first look.
const interval = 50 * time.Millisecond

// Run runs an execution in the goroutine that calls it.
func (l Limits) Run(execution func()) {
	began, before := time.Now(), allocated()
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { l.watch(began, before, ended) })
	defer watching.Wait()
	defer close(ended)
	execution()
	l.check(began, before)
}

func (l Limits) watch(began time.Time, before uint64, ended <-chan struct{}) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.check(began, before)
		case <-ended:
			return
		}
	}
}

// check panics where an execution is over its limits.
func (l Limits) check(began time.Time, before uint64) {
	if took := time.Since(began); took > l.Time {
		panic(fmt.Sprintf("one execution takes %s; at most %s", took, l.Time))
	}
	if memory := allocated() - before; memory > l.Memory {
		panic(fmt.Sprintf("one execution allocates %d bytes; at most %d", memory, l.Memory))
	}
}

// allocated is how many bytes the process allocated since it began.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
