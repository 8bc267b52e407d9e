package fleet_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// An API server has too many requests for a while, also for the one that asks who it is. Its connection stays, since a new one would have to
// list everything again, and whoever is not served is told. One that has too many requests for longer cannot be told from one that is away.
func TestABusyClusterKeepsItsConnection(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		a := h.clusters["a"]
		h.deploy(commit(place(dev("web"), "1", "a")), pinned("a"))
		h.after(time.Minute)
		dialed := a.dials
		a.set(func(c *fakeCluster) { c.away = apierrors.NewTooManyRequests("too many requests", 3600) })
		h.reported()
		h.deploy(commit(place(dev("web"), "2", "a")), pinned("a"))
		h.after(40 * time.Second)
		require.Equal(h, dialed, a.dials)
		require.True(h, h.statusOf("a").Reachable)
		told := h.reported()
		require.ErrorContains(h, told[len(told)-1].Err, "too many requests")
		require.Less(h, len(a.take()), 40)
		h.after(10 * time.Minute)
		require.False(h, h.statusOf("a").Reachable)
		require.Contains(h, h.statusOf("a").Err, "too many requests")
		a.set(func(c *fakeCluster) { c.away = nil })
		h.after(40 * time.Second)
		require.Equal(h, revision(dev("web"), "2"), a.holds()["payments/web"])
	})
}

// A webhook refuses every second request, whoever makes it. All come through, and it is asked a few times more than once for each.
func TestAWebhookThatRefusesEverySecondRequestKeepsNobodyForEver(t *testing.T) {
	simulate(t, []string{"a"}, func(h *harness) {
		p := refusing(h.clusters["a"], nil)
		var turns atomic.Int64
		refuses := func() bool { return turns.Add(1)%2 == 0 }
		p.set(func(c *fakeCluster) {
			c.on = func(_ context.Context, in apply.Instance) (apply.Result, error) {
				refused := &apply.Refusal{Cause: "webhook w", Message: "webhook w"}
				if in.Refused == nil && !refuses() {
					return apply.Result{Health: state.Healthy, Settled: true}, nil
				}
				return apply.Result{Health: state.Failed, Refusal: refused}, nil
			}
			c.try = func(apply.Instance, *apply.Refusal) bool { return refuses() }
		})
		_, files := crowd(map[string]int{"payments": 100})
		h.deploy(commit(files), pinned("a"))
		h.after(5 * time.Minute)
		require.Equal(h, 100, healthy(h, map[string]state.Health{}))
		require.Empty(h, h.statusOf("a").Refusing)
		require.Less(h, p.asked(), 300)
	})
}
