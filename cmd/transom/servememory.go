package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// restEvery is how often the daemon looks whether it rests.
const restEvery = 15 * time.Second

// leastWorthFreeing is how much memory without use is worth a garbage collection, which costs about a second of processor for a gigabyte.
const leastWorthFreeing = 64 << 20

// freeMemory gives memory back that a burst needed, such as a start with a thousand clusters: a process that rests collects its garbage
// every two minutes only, and keeps most of the room. The function that it returns ends that.
func freeMemory(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { freeMemoryAtRest(ctx) })
	if ceiling := debug.SetMemoryLimit(-1); ceiling > calm && os.Getenv("GOMEMLIMIT") == "" {
		working.Go(func() { boundGarbage(ctx, ceiling) })
	}
	if os.Getenv("GOGC") == "" {
		working.Go(func() { shareGarbage(ctx) })
	}
	return func() {
		cancel()
		working.Wait()
	}
}

// sampleMemory has memory sampled for profiles only where somebody may ask for them: the samples of a large heap are some megabytes.
func sampleMemory(profiles bool) {
	if !profiles {
		runtime.MemProfileRate = 0
	}
}

// freeMemoryAtRest is freeMemory until ctx is done.
func freeMemoryAtRest(ctx context.Context) {
	ticker := time.NewTicker(restEvery)
	defer ticker.Stop()
	last := readHeap()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := readHeap()
		if now.isWorthFreeing(last) {
			debug.FreeOSMemory()
			now = readHeap()
		}
		last = now
	}
}

// How much memory the process may have at least before a limit has garbage collected more often, whatever its share is: a merge of very many
// requests makes much garbage within the second in which the share is still that of a small heap.
const (
	calm       = 832 << 20
	boundEvery = time.Second
	boundStep  = 64 << 20 // so that a limit is seldom set
)

// boundGarbage keeps the limit of the process's memory at what mayHave says until ctx is done.
func boundGarbage(ctx context.Context, ceiling int64) {
	ticker := time.NewTicker(boundEvery)
	defer ticker.Stop()
	defer debug.SetMemoryLimit(ceiling)
	for last := int64(0); ; {
		if limit := readHeap().mayHave(ceiling); limit != last {
			debug.SetMemoryLimit(limit)
			last = limit
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// A heap of up to evenHeap may have as much garbage as objects, and a larger one that much until it is leastShare of them: to let a heap double
// takes much memory while very many requests come for the first time, and to collect it more often takes much time.
const (
	evenHeap   = 64 << 20
	mostShare  = 100 // percent of the objects in use
	leastShare = 50
	shareStep  = 10 // so that a share is seldom set: that stops all goroutines
)

// shareGarbage keeps the share of garbage as mayWaste says until ctx is done.
func shareGarbage(ctx context.Context) {
	ticker := time.NewTicker(boundEvery)
	defer ticker.Stop()
	last := mostShare
	defer func() { debug.SetGCPercent(mostShare) }()
	for {
		if share := readHeap().mayWaste(); share != last {
			debug.SetGCPercent(share)
			last = share
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// mayWaste is how many percent of the objects in use there may be of garbage before it is collected.
func (h heap) mayWaste() int {
	share := mostShare
	if h.live > evenHeap {
		share = int(mostShare * evenHeap / h.live)
	}
	return max(share/shareStep*shareStep, leastShare)
}

// mayHave is the limit of the process's memory: garbage may be half as much as is in use where that is over the calm, and the limit of a
// control group stays the ceiling. The runtime counts what is beside the objects within the limit, and would collect without end where that
// left no room for garbage.
func (h heap) mayHave(ceiling int64) int64 {
	half := (int64(h.live*3/2+h.beside) + boundStep - 1) / boundStep * boundStep
	return min(max(calm, half), ceiling)
}

// heap is the memory of the process as its runtime tells it.
type heap struct {
	cycles uint64 // of garbage collection
	live   uint64 // bytes that the last one found in use
	used   uint64 // bytes of objects, garbage included
	free   uint64 // bytes without objects that were not given back
	beside uint64 // bytes of neither: stacks, the runtime's own, and the gaps between objects
}

func readHeap() heap {
	read := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(read)
	h := heap{cycles: read[0].Value.Uint64(), live: read[1].Value.Uint64(), used: read[2].Value.Uint64(), free: read[3].Value.Uint64()}
	if all, others := read[5].Value.Uint64(), h.used+h.free+read[4].Value.Uint64(); all > others {
		h.beside = all - others
	}
	return h
}

// isWorthFreeing says whether the process did so little since it was last looked at that nothing was collected, and has much more than it
// uses.
func (h heap) isWorthFreeing(before heap) bool {
	unused := h.free
	if h.used > h.live {
		unused += h.used - h.live
	}
	return h.cycles == before.cycles && unused > leastWorthFreeing+h.live/2
}
