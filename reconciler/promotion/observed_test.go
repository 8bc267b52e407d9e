package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A claim is a world with one request that settled long ago, and that has an observed output from now on.
type claim struct {
	*world
	memory promotion.Memory
	health state.Health
}

var endpoint = platform.ObservedOutput{Name: "endpoint", Type: "string", Group: "example.com", Kind: "Claim", Path: "status.endpoint"}

func newClaim(t *testing.T) *claim {
	c := &claim{world: settled(t, "db"), health: state.Healthy}
	r := c.record().Clone()
	r.Observes = []platform.ObservedOutput{endpoint}
	c.stages["dev"].releases[key("db")] = r
	return c
}

func (c *claim) record() *state.Release { return c.stages["dev"].releases[key("db")] }

// tell makes a pass at a time, in which the cluster of the claim has told a value that it has had for a while; it returns the value
// that is recorded then, and when the next pass is to be.
func (c *claim) tell(at time.Time, told promotion.Told) (recorded any, next time.Time) {
	v := c.view("dev")
	v.Now, v.Memory, v.Told = promotion.Clock{Wall: at}, &c.memory, map[platform.RequestKey]bool{key("db"): true}
	v.Observe = func(environment string, k platform.RequestKey, cluster string) promotion.Observation {
		said := c.observe(environment, k, cluster)
		said.Health, said.Told = c.health, map[string]promotion.Told{"endpoint": told}
		return said
	}
	choice := v.Choose()
	if r := choice.Records[key("db")]; r != nil {
		c.stages["dev"].releases[key("db")] = r
	}
	return c.record().Observed["dev-1"]["endpoint"].Value, choice.Admit(nil).Next
}

func has(value string, stood time.Duration) promotion.Told {
	return promotion.Told{Value: value, Stood: stood}
}

// TestAValueIsRecordedOnceItHasStood keeps R112.
func TestAValueIsRecordedOnceItHasStood(t *testing.T) {
	c, now := newClaim(t), began.Add(time.Hour)
	recorded, next := c.tell(now, has("a", 29*time.Second))
	require.Nil(t, recorded)
	require.Equal(t, now.Add(5*time.Second), next, "it has stood then")
	recorded, _ = c.tell(now.Add(time.Second), has("a", 30*time.Second))
	require.Equal(t, "a", recorded)
	require.Equal(t, state.Observed{Value: "a", At: now.Add(time.Second)}, c.record().Observed["dev-1"]["endpoint"])

	before := c.record()
	c.tell(now.Add(time.Hour), has("a", time.Hour))
	require.Same(t, before, c.record(), "the same value is no news")
}

// TestOnlyAHealthyPlacementHasAValueRecorded keeps R112.
func TestOnlyAHealthyPlacementHasAValueRecorded(t *testing.T) {
	for _, health := range []state.Health{state.Progressing, state.Failed, state.Unknown, state.Suspended, ""} {
		c := newClaim(t)
		c.health = health
		recorded, _ := c.tell(began.Add(time.Hour), has("a", time.Minute))
		require.Nil(t, recorded, health)
	}
}

// TestNoValueReplacesARecordedOneThatItsOutputDoesNotTake keeps R113.
func TestNoValueReplacesARecordedOneThatItsOutputDoesNotTake(t *testing.T) {
	c, now := newClaim(t), began.Add(time.Hour)
	c.tell(now, has("a", time.Minute))
	for _, told := range []promotion.Told{
		{Fault: "status.endpoint is missing", Stood: time.Hour},
		{Value: int64(5), Stood: time.Hour},
		{Value: "", Stood: time.Hour},
		{Value: nil, Stood: time.Hour},
	} {
		recorded, next := c.tell(now.Add(time.Hour), told)
		require.Equal(t, "a", recorded)
		require.Zero(t, next, "there is nothing to wait for")
	}
}

// TestAChangingValueIsRecordedEverMoreSeldom keeps R114.
func TestAChangingValueIsRecordedEverMoreSeldom(t *testing.T) {
	c, now := newClaim(t), began.Add(time.Hour+10*time.Second)
	c.tell(now, has("v0", time.Minute))
	recorded := "v0"
	var paces []time.Duration
	last := now
	for n := 1; n <= 6*3600; n++ { // a second each, and another value every 40 seconds
		at := now.Add(time.Duration(n) * time.Second)
		value, _ := c.tell(at, has("v"+string(rune('a'+n/40%26)), time.Duration(n%40)*time.Second))
		if value == recorded {
			continue
		}
		require.Zero(t, at.Second(), "changes are recorded at full minutes")
		paces, recorded, last = append(paces, at.Sub(last).Round(time.Minute)), value.(string), at
	}
	require.Equal(t, []time.Duration{2 * time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour, time.Hour, time.Hour}, paces)

	value, _ := c.tell(last.Add(3*time.Hour), has("calm", time.Minute))
	require.Equal(t, "calm", value)
	require.Empty(t, c.record().Observed["dev-1"]["endpoint"].Pace, "it kept its value for long, and is as quick as at first")
}
