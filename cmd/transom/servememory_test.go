package main

import (
	"testing"

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
		"room of a burst":      {heap{7, 600 * mib, 600 * mib, 500 * mib}, rest, true},
		"it works":             {heap{9, 600 * mib, 1000 * mib, 50 * mib}, rest, false},
		"little garbage":       {heap{7, 600 * mib, 700 * mib, 50 * mib}, rest, false},
		"a small process":      {heap{7, 10 * mib, 40 * mib, 10 * mib}, rest, false},
		"nothing is collected": {heap{7, 600 * mib, 500 * mib, 0}, rest, false},
	} {
		require.Equal(t, c.want, c.now.isWorthFreeing(c.before), name)
	}
}

func TestTheHeapIsRead(t *testing.T) {
	read := readHeap()
	require.Positive(t, read.used)
}
