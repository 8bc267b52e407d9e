package fleet

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

// Where something happened, time may not count until somebody looked: such an instance does not wait for the end of a sweep, which comes to its
// end all the same.
func TestAnEventOvertakesTheSweep(t *testing.T) {
	q := newQueue(func(apply.Owner) {})
	named := func(kind string, n int) apply.Owner {
		return apply.Owner{Environment: "dev", Team: kind, Request: fmt.Sprint(n)}
	}
	for n := range 20 {
		q.add(named("swept", n), swept)
	}
	q.add(named("swept", 19), happened)
	for n := range 20 {
		q.add(named("happened", n), happened)
	}
	var order []apply.Owner
	for range 40 {
		o, ok := q.look()
		require.True(t, ok)
		q.done(o)
		order = append(order, o)
	}
	require.Empty(t, q.waiting)
	require.Equal(t, named("swept", 19), order[0], "something happened to it, too")
	require.Less(t, slices.Index(order, named("happened", 19)), 25)
	require.Equal(t, 7, slices.Index(order, named("swept", 0)), "an eighth are the sweep's")
	q.add(named("swept", 0), swept|due)
	o, ok := q.work()
	require.True(t, ok)
	require.Equal(t, named("swept", 0), o, "a retry is worked on")
}
