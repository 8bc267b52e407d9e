package platform_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

func TestWindowKeepsToItsTimeZone(t *testing.T) {
	w, err := platform.NewWindow("0 9 * * 1-4", 7*time.Hour, "Europe/Berlin", false)
	require.NoError(t, err)
	monday := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) // nine in Berlin
	require.True(t, w.Contains(monday))
	require.False(t, w.Contains(monday.Add(-time.Second)))
	require.True(t, w.Contains(monday.Add(7*time.Hour-time.Second)))
	require.False(t, w.Contains(monday.Add(7*time.Hour)))
	require.True(t, w.Edge(monday.Add(-time.Hour)).Equal(monday))
	require.True(t, w.Edge(monday).Equal(monday.Add(7*time.Hour)))
	summer := time.Date(2026, 3, 30, 7, 0, 0, 0, time.UTC) // nine in Berlin, in summer time
	require.True(t, w.Contains(summer))
	require.False(t, w.Contains(time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC)), "a Friday")
}

func TestWindowOfNonsenseIsRefused(t *testing.T) {
	for _, expression := range []string{"0 25 * * *", "@daily x", "* * * *"} {
		_, err := platform.NewWindow(expression, time.Hour, "", false)
		require.ErrorContains(t, err, expression)
	}
}
