package fleet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// A visit answers what happened before it began. So the time from which a result is outdated is read before the visit is queued,
// for an event and for a retry: whoever counts time would wait for a further visit, which may never come.
func TestAResultIsOutdatedBeforeTheNextVisitIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		var a *agent
		a = newAgent(&Fleet{Outdated: func(string, string, platform.RequestKey, time.Time) {
			told++
			a.queue.mu.Lock()
			defer a.queue.mu.Unlock()
			require.Empty(t, a.queue.waiting)
			for _, delays := range a.queue.delayed {
				require.Nil(t, delays[happened])
			}
		}}, "one", nil)
		shop := apply.Owner{Environment: "dev", Team: "payments", Request: "shop"}
		a.queue.retry(shop)
		got, ok := a.queue.work()
		require.True(t, ok)
		require.Equal(t, 1, told)
		require.Equal(t, shop, got)
		a.queue.done(got)
		a.event(shop)
		require.Equal(t, 2, told)
		got, ok = a.queue.look()
		require.True(t, ok)
		require.Equal(t, shop, got)
		a.queue.close()
	})
}
