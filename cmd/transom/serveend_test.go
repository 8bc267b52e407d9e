package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTheDaemonEndsWhateverIsUnderWay: once it was told to, it has endTime to do so by itself. The clock is the bubble's,
// which goes on as soon as nothing runs: the sleeps take no time.
func TestTheDaemonEndsWhateverIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		exits := 0
		stop := endWithin(ctx, endTime, func() { exits++ })
		time.Sleep(time.Hour)
		require.Zero(t, exits, "nobody told it to end")
		cancel()
		time.Sleep(endTime - time.Second)
		require.Zero(t, exits)
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, exits)
		stop()
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := endWithin(ctx, endTime, func() { t.Error("it had ended by itself") })
		cancel()
		stop()
		stop()
		time.Sleep(time.Hour)
	})
}
