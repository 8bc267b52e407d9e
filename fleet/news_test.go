package fleet_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// told are news of an instance, for one cluster or all.
func told(o apply.Owner, cluster, reason string) fleet.News {
	return fleet.News{
		Placement: fleet.Placement{Environment: o.Environment, Cluster: cluster, Team: o.Team, Request: o.Request}, News: apply.News{Reason: reason},
	}
}

// recorder runs a Recorder until the test ends.
func (h *harness) recorder(told func(cluster string, err error)) *fleet.Recorder {
	r := fleet.NewRecorder(h.fleet, told)
	go func() { _ = r.Run(h.Context()) }()
	return r
}

func TestNewsAreRecordedWhereTheInstanceIs(t *testing.T) {
	simulate(t, []string{"a", "b", "c"}, func(h *harness) {
		web, r := dev("web"), h.recorder(func(string, error) {})
		clusters := pinned("a", "b", "c")
		clusters[2].State = platform.ClusterPaused
		h.deploy(commit(place(web, "1", "a", "b", "c")), clusters)
		r.Record(told(web, "", "Promoted"))
		r.Record(told(web, "b", "Failed"))
		r.Record(told(web, "nobody", "Failed"))
		for range 100 {
			r.Record(told(web, "b", "Failed"))
		}
		synctest.Wait()
		require.Equal(h, []string{"web Promoted"}, h.clusters["a"].recorded)
		require.Equal(h, []string{"web Promoted", "web Failed"}, h.clusters["b"].recorded, "each once")
		require.Empty(h, h.clusters["c"].recorded, "nothing is written to a paused cluster")
		h.after(time.Hour)
		r.Record(told(web, "b", "Failed"))
		synctest.Wait()
		require.Len(h, h.clusters["b"].recorded, 3, "it is news again")
	})
}

// TestNewsWaitForTheInventory of an instance that is new to a cluster, and not for ever.
func TestNewsWaitForTheInventory(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, web, late, r := h.clusters["a"], dev("web"), dev("late"), h.recorder(func(string, error) {})
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		r.Record(told(late, "a", "Promoted"))
		r.Record(told(dev("never"), "a", "Promoted"))
		h.after(10 * time.Second)
		require.Empty(h, a.recorded)
		h.deploy(commit(place(web, "1", "a"), place(late, "1", "a")), pinned("a"))
		h.after(10 * time.Second)
		require.Equal(h, []string{"late Promoted"}, a.recorded)
		h.after(time.Hour)
		h.deploy(commit(place(web, "1", "a"), place(dev("never"), "1", "a")), pinned("a"))
		h.after(time.Hour)
		require.Len(h, a.recorded, 1)
	})
}

func TestNewsHoldUpNobodyAndAreBounded(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a, web := h.clusters["a"], dev("web")
		outcomes := map[string]int{}
		r := h.recorder(func(_ string, err error) {
			switch {
			case errors.Is(err, fleet.ErrDropped):
				outcomes["dropped"]++
			case err != nil:
				outcomes[err.Error()]++
			default:
				outcomes["created"]++
			}
		})
		h.deploy(commit(place(web, "1", "a")), pinned("a"))
		a.set(func(c *fakeCluster) { c.refuses = errors.New("events is forbidden") })
		r.Record(told(web, "a", "Failed"))
		synctest.Wait()
		a.set(func(c *fakeCluster) { c.refuses = nil })
		a.take()
		began := time.Now()
		for n := range 10_000 {
			r.Record(told(web, "a", fmt.Sprint(n)))
		}
		require.Equal(h, began, time.Now())
		h.deploy(commit(place(web, "2", "a")), pinned("a"))
		require.Len(h, a.take(), 1, "passes go on")
		h.after(24 * time.Hour)
		require.Equal(h, 1, outcomes["events is forbidden"])
		require.Equal(h, 10_000, outcomes["created"]+outcomes["dropped"], "%v", outcomes)
		require.NotZero(h, outcomes["dropped"])
		require.NotZero(h, outcomes["created"])
	})
}
