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

// TestManyWindowsThatAreRarelyOnAreLookedAtOnce, and not at each minute at which another one begins anew.
func TestManyWindowsThatAreRarelyOnAreLookedAtOnce(t *testing.T) {
	window := func(expression string, duration time.Duration, deny bool) platform.Window {
		w, err := platform.NewWindow(expression, duration, "", deny)
		require.NoError(t, err)
		return w
	}
	e := &platform.Environment{Windows: []platform.Window{window("* * * * *", 2*time.Minute, true)}}
	for range 999 {
		e.Windows = append(e.Windows, window("0 0 29 2 *", time.Hour, false), window("0 9 30 2 *", time.Hour, false))
	}
	from := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	began := time.Now()
	require.Equal(t, from.Add(400*time.Minute), e.Turn(from), "it is always shut, and nobody looks farther")
	require.Less(t, time.Since(began), 3*time.Second)

	e.Windows = []platform.Window{window("0 9 * * *", 2*time.Hour, false), window("0 10 * * 1", 30*time.Minute, true), window("30 8 * * *", 45*time.Minute, false)}
	var turns []string
	for at := from; len(turns) < 5; {
		at = e.Turn(at)
		turns = append(turns, at.Format("Mon 15:04"))
	}
	require.Equal(t, []string{"Mon 08:30", "Mon 10:00", "Mon 10:30", "Mon 11:00", "Tue 08:30"}, turns)
}
