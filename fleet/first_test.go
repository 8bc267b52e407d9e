package fleet_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

// A sweep visits one instance, for whose objects watches begin, and looks at all others, as nearly all are as they shall be.
func TestASweepVisitsOneInstanceAndLooksAtTheOthers(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		state := commit()
		for _, o := range many(20) {
			state = state.with(place(o, "1", "a"))
		}
		h.deploy(state, pinned("a"))
		require.Len(h, a.holds(), 20)
		a.take()
		a.set(func(c *fakeCluster) { c.looks = 0 })
		h.after(15 * time.Minute)
		require.Len(h, a.take(), 20)
		require.Equal(h, 19, a.looks)
	})
}

// Nothing is looked at on a new connection while the first visit lasts, but for no longer than two seconds.
func TestLooksWaitForTheFirstVisitOnAConnection(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, next := h.clusters["a"], make(chan struct{})
		defer close(next)
		a.on = func(context.Context, apply.Instance) (apply.Result, error) {
			<-next
			return apply.Result{}, nil
		}
		h.deploy(commit(place(dev("db"), "1", "a"), place(dev("web"), "1", "a")), pinned("a"))
		require.Len(h, a.take(), 1)
		h.after(2100 * time.Millisecond)
		require.Len(h, a.take(), 1, "another one is visited beside it")
	})
}

// A look in vain is no visit: one that was about to begin when the connection was lost does not have the others begin at once on the next.
func TestALookInVainIsNotTheFirstVisitOnAConnection(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, next := h.clusters["a"], make(chan struct{})
		defer close(next)
		state := commit()
		for _, o := range many(20) {
			state = state.with(place(o, "1", "a"))
		}
		h.deploy(state, pinned("a"))
		h.after(time.Minute)
		require.Len(h, a.holds(), 20)
		a.take()
		a.set(func(c *fakeCluster) {
			c.on = func(context.Context, apply.Instance) (apply.Result, error) {
				<-next
				return apply.Result{}, nil
			}
			c.vain = 0
		})
		h.fleet.Reconnect("a")
		synctest.Wait()
		require.Len(h, a.take(), 1)
		require.Equal(h, 1, a.vain)
	})
}

// A cluster has its turn until its first instance was visited, so that a daemon which starts comes to know one cluster after the other.
func TestAClusterHasItsTurnUntilItsFirstVisitHasEnded(t *testing.T) {
	turns := 16 * runtime.GOMAXPROCS(0)
	names := make([]string, turns+5)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	simulate(t, names, func(h *harness) {
		next := make(chan struct{})
		dialled := func() (clusters int) {
			for _, c := range h.clusters {
				c.set(func(c *fakeCluster) { clusters += c.dials })
			}
			return clusters
		}
		for _, c := range h.clusters {
			c.on = func(context.Context, apply.Instance) (apply.Result, error) {
				<-next
				return apply.Result{}, nil
			}
		}
		h.deploy(commit(place(dev("web"), "1", names...)), pinned(names...))
		require.Equal(h, turns, dialled())
		close(next)
		synctest.Wait()
		require.Equal(h, len(names), dialled())
		for name, c := range h.clusters {
			require.Len(h, c.holds(), 1, name)
		}
	})
}
