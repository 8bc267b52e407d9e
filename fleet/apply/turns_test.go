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
		under := apply.ListsThatHang(ctx, int(turns)+5)
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
