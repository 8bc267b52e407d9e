package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/api"
)

// TestAnEventIsALine: a message is what a probe printed, and must not look like further Events.
func TestAnEventIsALine(t *testing.T) {
	var out strings.Builder
	printHappenings(&out, []api.Happening{
		{At: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Type: "Warning", Reason: "Unhealthy", Object: "Pod store/shop", Message: "probe failed:\n2026-05-01\tNormal\n", Count: 2},
	})
	require.Equal(t, "2026-05-01 00:00:00  Warning  Unhealthy  Pod store/shop  probe failed: 2026-05-01 Normal (2 times)\n", out.String())
}
