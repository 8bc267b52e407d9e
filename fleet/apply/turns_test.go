package apply_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet/apply"
)

// The clusters of a fleet do not list their objects all at once, and those that do not answer keep the others waiting for two seconds at most.
func TestStreamsListInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		turns := int64(16 * runtime.GOMAXPROCS(0))
		under := apply.ListsThatHang(ctx, &apply.Shared{}, int(turns)+5, false)
		synctest.Wait()
		require.Equal(t, turns, under.Load())
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, turns, under.Load())
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, turns+5, under.Load())
	})
}

// Clusters that do not answer keep others from listing their objects no longer than it takes to find that out, however many they are.
func TestStreamsThatFailedHaveTurnsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var shared apply.Shared
		turns := int64(16 * runtime.GOMAXPROCS(0))
		dead := apply.ListsThatHang(ctx, &shared, int(turns)*20, true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.GreaterOrEqual(t, dead.Load(), turns)
		require.Less(t, dead.Load(), turns*20, "those that failed wait for each other")
		alive := apply.ListsThatHang(ctx, &shared, int(turns), false)
		synctest.Wait()
		require.Equal(t, turns, alive.Load())
	})
}

// A daemon does not connect to all clusters at once, and those that did not answer before wait among themselves.
func TestClustersAreConnectedToInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var shared apply.Shared
		turns := 16 * runtime.GOMAXPROCS(0)
		connecting := func(failed bool, clusters int) *atomic.Int64 {
			var begun atomic.Int64
			for range clusters {
				go func() {
					defer shared.TakeTurn(ctx, failed)()
					if ctx.Err() == nil {
						begun.Add(1)
					}
					<-ctx.Done()
				}()
			}
			return &begun
		}
		dead := connecting(true, turns*20)
		synctest.Wait()
		require.EqualValues(t, turns, dead.Load())
		alive := connecting(false, turns+5)
		synctest.Wait()
		require.EqualValues(t, turns, alive.Load())
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, turns+5, alive.Load(), "a cluster that does not answer keeps its turn for two seconds")
	})
}

// So many visits compute at a time that all processors have work, and one that waits for its cluster is none of them.
func TestVisitsComputeInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var shared apply.Shared
		desks := 2 * runtime.GOMAXPROCS(0)
		var begun atomic.Int64
		visit := func(then func(context.Context)) {
			go func() {
				ctx, end := shared.Sit(ctx)
				defer end()
				begun.Add(1)
				then(ctx)
			}()
		}
		wait := func(context.Context) { <-ctx.Done() }
		for range desks {
			visit(wait)
		}
		synctest.Wait()
		visit(func(ctx context.Context) { apply.LeaveDesk(ctx); wait(ctx) })
		synctest.Wait()
		require.EqualValues(t, desks, begun.Load())
		time.Sleep(260 * time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, desks+1, begun.Load(), "whoever waits for something else gives the desk away as well")
		for range 10 * desks {
			visit(func(ctx context.Context) { apply.LeaveDesk(ctx); wait(ctx) })
		}
		synctest.Wait()
		require.EqualValues(t, 11*desks+1, begun.Load(), "those that wait for their clusters keep nobody waiting")
	})
}

// Visits that wait for one of their cluster's visits, such as the one that writes the fence of a new commit, keep no desks: each would keep its
// own for a quarter of a second.
func TestVisitsThatWaitForAnotherOneHaveNoDesks(t *testing.T) {
	var shared apply.Shared
	var fences apply.Locks
	var visits sync.WaitGroup
	defer visits.Wait()
	defer fences.Lock(t.Context(), "prod")()
	all := int64(200 * runtime.GOMAXPROCS(0))
	var begun atomic.Int64
	for range all {
		visits.Go(func() {
			ctx, end := shared.Sit(t.Context())
			defer end()
			begun.Add(1)
			fences.Lock(ctx, "prod")()
		})
	}
	require.Eventually(t, func() bool { return begun.Load() == all }, 10*time.Second, 10*time.Millisecond)
}

// An object that is as on another cluster, where its field set was compared with its manifest, keeps nothing to compare. One whose fields
// somebody took does.
func TestAFieldSetThatIsWholeElsewhereIsNotComparedAgain(t *testing.T) {
	const ours, less = `{"f:data":{"f:a":{},"f:b":{}}}`, `{"f:data":{"f:a":{}}}`
	var shared apply.Shared
	for range 2 {
		shared.Join()
	}
	require.True(t, shared.Compares(ours), "nothing is known yet")
	shared.RecordWhole(ours)
	require.False(t, shared.Compares(ours))
	require.True(t, shared.Compares(less))
}
