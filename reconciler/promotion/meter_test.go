package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/state"
)

// TestMeterCountsWhatWasWatched keeps R21, R22 and R23.
func TestMeterCountsWhatWasWatched(t *testing.T) {
	const s = time.Second
	type step struct {
		at     time.Duration
		health state.Health // empty: something happened
	}
	for name, c := range map[string]struct {
		steps          []step
		soaked, ailing time.Duration // at 100s
	}{
		"healthy time adds up":                   {[]step{{10 * s, state.Healthy}}, 90 * s, 0},
		"nobody watched":                         {[]step{{10 * s, state.Healthy}, {30 * s, state.Unknown}, {80 * s, state.Healthy}}, 40 * s, 0},
		"a moment within grace keeps what was":   {[]step{{10 * s, state.Healthy}, {30 * s, state.Progressing}, {50 * s, state.Healthy}}, 70 * s, 0},
		"longer than grace breaks it":            {[]step{{10 * s, state.Healthy}, {30 * s, state.Progressing}, {70 * s, state.Healthy}}, 30 * s, 0},
		"failed breaks it at once":               {[]step{{10 * s, state.Healthy}, {30 * s, state.Failed}, {31 * s, state.Healthy}}, 69 * s, 0},
		"still coming up":                        {[]step{{10 * s, state.Progressing}}, 0, 90 * s},
		"unknown does not end an ailment":        {[]step{{10 * s, state.Progressing}, {20 * s, state.Unknown}, {90 * s, state.Progressing}}, 0, 20 * s},
		"what nobody looked at is not counted":   {[]step{{10 * s, state.Progressing}, {20 * s, ""}, {80 * s, state.Progressing}}, 0, 30 * s},
		"until somebody does":                    {[]step{{10 * s, state.Progressing}, {20 * s, ""}}, 0, 10 * s},
		"nor is it soak":                         {[]step{{10 * s, state.Healthy}, {20 * s, ""}, {90 * s, state.Healthy}}, 20 * s, 0},
		"a look at once tells that it held":      {[]step{{10 * s, state.Progressing}, {20 * s, ""}, {21 * s, state.Progressing}}, 0, 90 * s},
		"or that it did not":                     {[]step{{10 * s, state.Healthy}, {20 * s, ""}, {21 * s, state.Progressing}}, 0, 79 * s},
		"what happens again changes nothing":     {[]step{{10 * s, state.Progressing}, {20 * s, ""}, {30 * s, ""}, {80 * s, state.Progressing}}, 0, 30 * s},
		"a clock that stands still counts never": {[]step{{100 * s, state.Healthy}, {90 * s, state.Healthy}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var m promotion.Meter
			for _, step := range c.steps {
				if step.health == "" {
					m.Outdate(step.at, 30*s)
					continue
				}
				m.Observe("r1", step.health, step.at, 30*s)
			}
			soaked, ailing := m.Read("r1", 100*s, 30*s)
			require.Equal(t, c.soaked, soaked)
			require.Equal(t, c.ailing, ailing)
			soaked, _ = m.Read("r2", 100*s, 30*s)
			require.Zero(t, soaked, "of another revision nothing is known")
		})
	}
}

// TestMeterGoesOnFromACheckpoint keeps R26.
func TestMeterGoesOnFromACheckpoint(t *testing.T) {
	var m promotion.Meter
	m.Restore("r1", time.Minute)
	m.Observe("r1", state.Healthy, time.Hour, time.Second)
	soaked, _ := m.Read("r1", time.Hour+time.Second, time.Second)
	require.Equal(t, 61*time.Second, soaked, "the time before anybody watched does not count")
	m.Restore("r1", time.Hour)
	soaked, _ = m.Read("r1", time.Hour+time.Second, time.Second)
	require.Equal(t, 61*time.Second, soaked, "what was seen here is newer than any checkpoint")
}
