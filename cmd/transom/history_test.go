package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/state"
)

// TestHistoryCountsFromAMergeThatBroughtTheRelease: what comes back by a Pin or a rollback was merged long before.
func TestHistoryCountsFromAMergeThatBroughtTheRelease(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for cause, counts := range map[state.Cause]bool{
		state.CauseRelease: true, state.CauseVersion: true, state.CausePin: false, state.CauseRollback: false,
	} {
		var text strings.Builder
		historyText(&text, terminal.Paint{}, []*audit.Entry{{
			When: at.Add(time.Hour), Events: []string{"took web 1.0.0"}, Cause: cause, Merged: at, Healthy: at.Add(time.Hour),
		}})
		require.Equal(t, counts, strings.Contains(text.String(), "healthy 1h0m0s after its merge"), cause)
	}
}
