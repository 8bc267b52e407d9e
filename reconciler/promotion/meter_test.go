package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
)

// TestMeterCountsWhatWasWatched keeps R21, R22 and R23.
func TestMeterCountsWhatWasWatched(t *testing.T) {
	const s = time.Second
	type step struct {
		at     time.Duration
		health string // empty: something happened
	}
	for name, c := range map[string]struct {
		steps          []step
		soaked, ailing time.Duration // at 100s
	}{
		"healthy time adds up":                   {[]step{{10 * s, promotion.Healthy}}, 90 * s, 0},
		"nobody watched":                         {[]step{{10 * s, promotion.Healthy}, {30 * s, promotion.Unknown}, {80 * s, promotion.Healthy}}, 40 * s, 0},
		"a moment within grace keeps what was":   {[]step{{10 * s, promotion.Healthy}, {30 * s, promotion.Progressing}, {50 * s, promotion.Healthy}}, 70 * s, 0},
		"longer than grace breaks it":            {[]step{{10 * s, promotion.Healthy}, {30 * s, promotion.Progressing}, {70 * s, promotion.Healthy}}, 30 * s, 0},
		"failed breaks it at once":               {[]step{{10 * s, promotion.Healthy}, {30 * s, promotion.Failed}, {31 * s, promotion.Healthy}}, 69 * s, 0},
		"still coming up":                        {[]step{{10 * s, promotion.Progressing}}, 0, 90 * s},
		"unknown does not end an ailment":        {[]step{{10 * s, promotion.Progressing}, {20 * s, promotion.Unknown}, {90 * s, promotion.Progressing}}, 0, 20 * s},
		"what nobody looked at is not counted":   {[]step{{10 * s, promotion.Progressing}, {20 * s, ""}, {80 * s, promotion.Progressing}}, 0, 30 * s},
		"until somebody does":                    {[]step{{10 * s, promotion.Progressing}, {20 * s, ""}}, 0, 10 * s},
		"nor is it soak":                         {[]step{{10 * s, promotion.Healthy}, {20 * s, ""}, {90 * s, promotion.Healthy}}, 20 * s, 0},
		"a look at once tells that it held":      {[]step{{10 * s, promotion.Progressing}, {20 * s, ""}, {21 * s, promotion.Progressing}}, 0, 90 * s},
		"or that it did not":                     {[]step{{10 * s, promotion.Healthy}, {20 * s, ""}, {21 * s, promotion.Progressing}}, 0, 79 * s},
		"what happens again changes nothing":     {[]step{{10 * s, promotion.Progressing}, {20 * s, ""}, {30 * s, ""}, {80 * s, promotion.Progressing}}, 0, 30 * s},
		"a clock that stands still counts never": {[]step{{100 * s, promotion.Healthy}, {90 * s, promotion.Healthy}}, 0, 0},
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
	m.Observe("r1", promotion.Healthy, time.Hour, time.Second)
	soaked, _ := m.Read("r1", time.Hour+time.Second, time.Second)
	require.Equal(t, 61*time.Second, soaked, "the time before anybody watched does not count")
	m.Restore("r1", time.Hour)
	soaked, _ = m.Read("r1", time.Hour+time.Second, time.Second)
	require.Equal(t, 61*time.Second, soaked, "what was seen here is newer than any checkpoint")
}
