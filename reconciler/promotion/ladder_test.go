package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everywhere is a request in all environments of the ladder.
func everywhere(p int) *request { return &request{p: p, in: []string{"dev", "staging", "prod"}} }

// version is the version of a request that an environment runs.
func (w *world) version(environment, name string) string {
	r := w.stages[environment].releases[key(name)]
	if r == nil || r.Absent {
		return ""
	}
	return r.Version
}

// liveOn is the revision of a request that a cluster has live.
func (w *world) liveOn(environment, cluster, name string) string {
	if on := w.stages[environment].live[name+"@"+cluster]; on != nil {
		return on.revision
	}
	return ""
}

// TestReleaseEarnsItsWayThroughEnvironmentsAndWaves keeps R1, R2, R12 and R52.
func TestReleaseEarnsItsWayThroughEnvironmentsAndWaves(t *testing.T) {
	w := ladder()
	w.trace = []string{}
	w.requests[key("a")] = everywhere(1)
	w.merge("a")
	defer func() {
		if t.Failed() {
			for _, line := range w.trace {
				t.Log(line)
			}
		}
	}()

	w.passes()
	require.Equal(t, "1.0.0", w.version("dev", "a"), "a root environment takes the head's release at once")
	require.Empty(t, w.version("staging", "a"))
	w.settle(time.Minute)
	require.Empty(t, w.version("staging", "a"), "it has not soaked in dev for a minute")
	w.settle(40 * time.Second)
	require.Equal(t, "1.0.0", w.version("staging", "a"))
	require.Equal(t, []string{"dev"}, w.stages["staging"].releases[key("a")].Promotion.PromotedFrom)
	w.settle(150 * time.Second)
	require.Empty(t, w.version("prod", "a"), "it has not soaked in staging for three minutes")
	w.settle(70 * time.Second)
	require.NotEmpty(t, w.liveOn("prod", "prod-1", "a"), "the canary comes first")
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
	w.settle(100 * time.Second)
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"))
	w.settle(time.Minute)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout, "it is healthy in all waves")
}
