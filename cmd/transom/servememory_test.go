package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Memory is given back by a process that rests and has much more than it uses: collecting garbage costs one that works enough already.
func TestMemoryIsGivenBackAtRest(t *testing.T) {
	const mib = 1 << 20
	rest := heap{cycles: 7, live: 600 * mib, used: 1000 * mib, free: 50 * mib}
	for name, c := range map[string]struct {
		now, before heap
		want        bool
	}{
		"garbage of a burst":   {rest, rest, true},
		"room of a burst":      {heap{cycles: 7, live: 600 * mib, used: 600 * mib, free: 500 * mib}, rest, true},
		"it works":             {heap{cycles: 9, live: 600 * mib, used: 1000 * mib, free: 50 * mib}, rest, false},
		"little garbage":       {heap{cycles: 7, live: 600 * mib, used: 700 * mib, free: 50 * mib}, rest, false},
		"a small process":      {heap{cycles: 7, live: 10 * mib, used: 40 * mib, free: 10 * mib}, rest, false},
		"nothing is collected": {heap{cycles: 7, live: 600 * mib, used: 500 * mib, free: 0}, rest, false},
	} {
		require.Equal(t, c.want, c.now.isWorthFreeing(c.before), name)
	}
}

// Garbage may be as much as what is in use until both are the calm, and half as much beyond; never more than a control group has.
func TestGarbageIsBounded(t *testing.T) {
	const mib, none = 1 << 20, math.MaxInt64
	for name, c := range map[string]struct {
		live, beside uint64
		ceiling      int64
		want         int64
	}{
		"a small process":      {40 * mib, 10 * mib, none, calm},
		"at the calm":          {416 * mib, 0, none, calm},
		"a large process":      {1024 * mib, 0, none, 1536 * mib},
		"in steps":             {1025 * mib, 0, none, 1600 * mib},
		"many stacks":          {600 * mib, 300 * mib, none, 1216 * mib},
		"within a small group": {1024 * mib, 300 * mib, 900 * mib, 900 * mib},
	} {
		require.Equal(t, c.want, heap{live: c.live, beside: c.beside}.mayHave(c.ceiling), name)
	}
}

// A small heap doubles before its garbage is collected, a large one grows by less.
func TestGarbageIsAShareOfTheHeap(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 100, 20 * mib: 100, 64 * mib: 100, 70 * mib: 90, 80 * mib: 80, 96 * mib: 60, 120 * mib: 50, 128 * mib: 50, 700 * mib: 50} {
		require.Equal(t, want, heap{live: live}.mayWaste(), "%d MiB", live/mib)
	}
}

// TestTheShareEndsWithTheProcessesWork leaves the share as it was found. With GOGC it stays that all the while.
func TestTheShareEndsWithTheProcessesWork(t *testing.T) {
	share := func() int {
		read := []metrics.Sample{{Name: "/gc/gogc:percent"}} // to set it and set it back would undo what is set in between
		metrics.Read(read)
		return int(read[0].Value.Uint64())
	}
	inUse := make([]byte, 200<<20)
	runtime.GC()
	t.Setenv("GOGC", "")
	end := freeMemory(t.Context())
	require.Eventually(t, func() bool { return share() == leastShare }, 10*time.Second, time.Millisecond)
	end()
	require.Equal(t, mostShare, share())
	t.Setenv("GOGC", "80")
	defer debug.SetGCPercent(debug.SetGCPercent(80))
	freeMemory(t.Context())()
	require.Equal(t, 80, share())
	runtime.KeepAlive(inUse)
}

// TestTheBoundEndsWithTheProcessesWork leaves the limit as it was found.
func TestTheBoundEndsWithTheProcessesWork(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	end := freeMemory(t.Context())
	require.Eventually(t, func() bool { return debug.SetMemoryLimit(-1) == calm }, 10*time.Second, time.Millisecond)
	end()
	require.Equal(t, before, debug.SetMemoryLimit(-1))
}

func TestTheHeapIsRead(t *testing.T) {
	read := readHeap()
	require.Positive(t, read.used)
	require.Positive(t, read.beside, "there are stacks")
}

func TestMemoryIsSampledForProfilesAlone(t *testing.T) {
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1 << 20
	sampleMemory(true)
	require.Equal(t, 1<<20, runtime.MemProfileRate)
	sampleMemory(false)
	require.Zero(t, runtime.MemProfileRate)
}
