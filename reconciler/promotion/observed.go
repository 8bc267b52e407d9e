package promotion

import (
	"time"

	"transom.dev/render/state"
)

// A value of an observed output is recorded once it has stood for a while. Another value replaces it after its pace at the
// earliest, which doubles while the value keeps changing, and only at a full minute, so that the values of an environment that
// change make one commit a minute at most.
const (
	StandTime = 30 * time.Second // for which a value stands before it is recorded
	leastPace = time.Minute
	mostPace  = time.Hour
	lookEvery = 5 * time.Second // how exactly first values are looked at again, so that many make few passes
)

// recordTold records the values that the objects of the instance have for its outputs, where a cluster is healthy at exactly the
// recorded revision. A value that is missing, or that its output does not take, replaces none.
func (s follower) recordTold() (o outcome) {
	if len(s.base.Observes) == 0 {
		return o
	}
	for _, cluster := range sortedKeys(s.base.Clusters) {
		placed := s.base.Clusters[cluster]
		if outdated(placed) || !s.counts(s.Environment, cluster) {
			continue
		}
		said := s.observe(s.Environment, s.key, cluster, placed)
		if said.Health != state.Healthy {
			continue
		}
		for _, output := range s.base.Observes {
			told, known := said.Told[output.Name]
			if known && told.Fault == "" && output.Accepts(told.Value) {
				o.wake(s.recordValue(cluster, output.Name, told))
			}
		}
	}
	return o
}

// recordValue records a value that an object has, if that is not recorded already, or returns the time at which it may be.
func (s follower) recordValue(cluster, output string, told Told) (at time.Time) {
	before, recorded := s.base.Observed[cluster][output]
	if recorded && before.Is(told.Value) {
		return at
	}
	now, pace := s.Now.Wall, ""
	at = roundUp(now.Add(StandTime-told.Stood), lookEvery)
	if recorded {
		at = now.Add(StandTime - told.Stood)
		kept := paceOf(before)
		past := before.At.Before(now) // else the machine's clock was wrong when it was recorded
		if past && before.At.Add(kept).After(at) {
			at = before.At.Add(kept)
		}
		at = roundUp(at, time.Minute)
		if past && now.Sub(before.At) <= 2*kept {
			pace = min(2*kept, mostPace).String()
		}
	}
	stood := told.Stood >= StandTime
	if early := at.After(now) && recorded; early || !stood {
		return at
	}
	s.edit().Observe(cluster, output, state.Observed{Value: told.Value, At: s.Now.stamp(), Pace: pace})
	return time.Time{}
}

// paceOf is for how long a recorded value is not replaced.
func paceOf(o state.Observed) time.Duration {
	pace, err := time.ParseDuration(o.Pace)
	if err != nil {
		return leastPace
	}
	return min(max(pace, leastPace), mostPace)
}

// roundUp is the first full time at or after another.
func roundUp(t time.Time, to time.Duration) time.Time {
	if full := t.Truncate(to); full.Before(t) {
		return full.Add(to)
	}
	return t
}
