package apply_test

import (
	"context"
	"runtime"
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
