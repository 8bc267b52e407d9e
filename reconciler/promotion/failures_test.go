package promotion_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestFailureReturnsTheLastHealthyBytesAndRejectsTheNewOnes keeps R63, R65, R66 and R71.
func TestFailureReturnsTheLastHealthyBytesAndRejectsTheNewOnes(t *testing.T) {
	w := settled(t, "a")
	before, bytes := w.has("prod", "a"), w.liveOn("prod", "prod-1", "a")
	w.faults["p2/<nil>@prod"] = fails
	w.bump("a")
	w.settle(10 * time.Minute)
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, before, r.Digest)
	require.Equal(t, bytes, w.liveOn("prod", "prod-1", "a"))
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2", "it never reached the second wave")
	require.Len(t, r.Promotion.Rejected, 2, "what failed, and what was to come")
	require.Contains(t, r.Promotion.Rejected[0].Message, "Deployment/a")
	require.Equal(t, []string{"rejected"}, w.gates("prod", "a"))

	delete(w.faults, "p2/<nil>@prod")
	require.Equal(t, before, w.has("prod", "a"), "nothing is tried again by itself")
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: w.has("staging", "a")})
	w.settle(4 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestARejectionNamesWhatItIsMadeOn keeps R63 and R65.
func TestARejectionNamesWhatItIsMadeOn(t *testing.T) {
	w := settled(t, "a")
	w.faults["p2/<nil>@prod"] = hangs
	w.bump("a")
	rejected := func() []state.Failure { return w.stages["prod"].releases[key("a")].Promotion.Rejected }
	deadline := func() (at time.Time) {
		if s := w.stages["prod"].last.admission.Standings[key("a")]; s != nil {
			at = s.Deadline
		}
		return at
	}
	w.until(t, func() bool { return !deadline().IsZero() })
	ends := deadline()
	require.Greater(t, ends.Sub(w.wall()), 4*time.Minute, "the time that it has is told from the beginning")
	w.until(t, func() bool { return len(rejected()) > 0 })
	require.WithinDuration(t, ends, w.wall(), tick)
	require.Zero(t, deadline())
	require.Equal(t, "prod-1: Progressing Deployment/a: it is Progressing; not healthy within 5m0s (seen not to be healthy for 5m0s, "+
		"and unchanged since "+w.wall().Format(time.RFC3339)+")", rejected()[0].Message)
}

// A person approves two releases that render the same in prod, and the first of them fails there. It keeps R37.
func TestAnApprovalMergedBeforeTheFailureReadmitsNothing(t *testing.T) {
	w := judged(t, "a")
	k, before := key("a"), w.has("prod", "a")
	w.faults["p2/<nil>@prod"] = fails
	w.bump("a")
	second := *w.requests[k]
	second.at = map[string]string{"dev": "1.0.0"}
	digest := digestOf(k, second.spec(), "1.0.0")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: digest})
	w.until(t, func() bool { return len(w.stages["prod"].releases[k].Promotion.Rejected) > 0 })
	w.requests[k] = &second
	w.merge("a chooses its version in dev")
	w.settle(10 * time.Minute)
	require.Equal(t, digest, w.has("staging", "a"))
	require.Equal(t, before, w.has("prod", "a"))
	require.Equal(t, []string{"rejected"}, w.gates("prod", "a"))

	delete(w.faults, "p2/<nil>@prod")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: digest})
	w.settle(4 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestRollbackThatFailsTooStops keeps R69.
func TestRollbackThatFailsTooStops(t *testing.T) {
	w := settled(t, "a")
	w.faults["p2/<nil>@prod"] = fails
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.until(t, func() bool { return w.has("prod", "a") == before })
	w.faults["p1/<nil>@prod"] = fails
	w.settle(3 * time.Minute)
	require.Contains(t, w.stages["prod"].releases[key("a")].Promotion.Rollout.Stopped, "the rollback failed too")
	require.Equal(t, promotion.Stopped, w.stages["prod"].last.admission.Standings[key("a")].State)
	state := w.stages["prod"].commit
	w.settle(20 * time.Minute)
	require.Equal(t, state, w.stages["prod"].commit, "nothing flaps")
}

// A pod of a revision that failed keeps its StatefulSet from going back, for longer than any deadline. Neither the rollback
// nor the next release is blamed for it. It keeps R64.
func TestAPodOfARevisionBeforeRejectsNothing(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.faults["p2/<nil>@prod"] = hangs
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	state := fmt.Sprintf("prod-%d", w.stages["prod"].commit)
	w.until(t, func() bool { return len(w.stages["prod"].releases[key("a")].Promotion.Rejected) > 0 })
	for _, cluster := range []string{"prod-1", "prod-2"} {
		w.blocked["a@"+cluster] = w.clock + 40*time.Minute
	}
	w.settle(30 * time.Minute)
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, before, r.Digest)
	require.Equal(t, promotion.RollingBack, w.stages["prod"].last.admission.Standings[key("a")].State, "it neither ended nor failed")
	require.Empty(t, r.Promotion.Rollout.Stopped)
	for _, f := range r.Promotion.Rejected {
		require.Equal(t, f.Cluster == "prod-1", f.State != "", "the record says where the failed bytes are, where there were any")
	}
	require.GreaterOrEqual(t, r.Promotion.Rejected[0].State, state)
	require.NotNil(t, r.Promotion.Left)
	require.NotEmpty(t, r.Promotion.Left.State)

	w.bump("a")
	w.settle(9 * time.Minute)
	require.Equal(t, w.has("staging", "a"), w.has("prod", "a"), "what comes next may take its place")
	rejected := len(w.stages["prod"].releases[key("a")].Promotion.Rejected)
	w.settle(15 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Len(t, w.stages["prod"].releases[key("a")].Promotion.Rejected, rejected, "nothing was rejected for it")
}

// A person reverts a merge before anything could be said to have failed: the record says where the bytes are that were taken
// back, until something is healthy here. It keeps R105.
func TestARevertIsRecordedUntilItIsHealthy(t *testing.T) {
	w := settled(t, "a")
	before := w.has("dev", "a")
	w.faults["p2/<nil>@dev"] = hangs
	w.bump("a")
	w.until(t, func() bool { return w.has("dev", "a") != before })
	taken, state := w.has("dev", "a"), fmt.Sprintf("dev-%d", w.stages["dev"].commit)
	w.blocked["a@dev-1"] = w.clock + 10*time.Minute
	w.requests[key("a")].p--
	w.merge("a has what it had before")
	w.until(t, func() bool { return w.has("dev", "a") == before })
	p := w.stages["dev"].releases[key("a")].Promotion
	require.Empty(t, p.Rejected)
	require.Nil(t, p.Left, "a revert is a move forward")
	require.Len(t, p.TakenBack, 1)
	require.Equal(t, taken, p.TakenBack[0].Release)
	require.Equal(t, state, p.TakenBack[0].State)
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Empty(t, w.stages["dev"].releases[key("a")].Promotion.TakenBack)
}

// A release that waited for a pod of a revision before has its whole deadline once that is gone, and no more. It keeps R64.
func TestTheDeadlineRunsOnceTheOldPodIsGone(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.faults["p2/<nil>@prod"] = hangs
	w.blocked["a@prod-1"] = w.clock + time.Hour
	w.bump("a")
	w.settle(30 * time.Minute)
	require.NotEqual(t, before, w.has("prod", "a"), "it is not its failure yet")
	delete(w.blocked, "a@prod-1")
	w.settle(4 * time.Minute)
	require.NotEqual(t, before, w.has("prod", "a"), "it has five minutes of its own")
	w.settle(2 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
}

// A release that waits for a pod of a revision before for longer than the deadline protects itself no longer from a newer
// one. It keeps R29.
func TestWhatWaitsForAnOldPodGivesWay(t *testing.T) {
	w := settled(t, "a")
	w.blocked["a@staging-1"] = w.clock + 2*time.Hour
	w.bump("a")
	w.settle(10 * time.Minute)
	first := w.has("staging", "a")
	w.bump("a")
	w.settle(10 * time.Minute)
	require.NotEqual(t, first, w.has("staging", "a"))
	require.Empty(t, w.stages["staging"].releases[key("a")].Promotion.Rejected)
}

// TestIrreversibleVersionStops keeps R67.
func TestIrreversibleVersionStops(t *testing.T) {
	w := settled(t, "a")
	w.publish("1.1.0").Reversible = false
	w.faults["1.1.0@prod"] = fails
	w.merge("1.1.0")
	w.settle(10 * time.Minute)
	require.Equal(t, "1.1.0", w.version("prod", "a"))
	require.Contains(t, w.stages["prod"].releases[key("a")].Promotion.Rollout.Stopped, "not reversible")
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "1.1.0")
}

// TestBadVersionTouchesFewOfManyInstances keeps R58 and R59.
func TestBadVersionTouchesFewOfManyInstances(t *testing.T) {
	var names []string
	for i := range 20 {
		names = append(names, string(rune('a'+i)))
	}
	w := settled(t, names...)
	w.environmentOf("dev").Rollout.Instances = platform.Instances{First: 2, MaxConcurrent: "50%", MaxFailures: 3}
	w.publish("1.1.0")
	w.faults["1.1.0"] = fails
	w.merge("1.1.0")
	touched := map[string]bool{}
	for range 60 {
		w.settle(tick)
		for _, name := range names {
			if w.version("dev", name) == "1.1.0" {
				touched[name] = true
			}
		}
	}
	require.Len(t, touched, 3)
	require.Equal(t, []string{"rollout"}, w.gates("dev", "t"), "and the others say why they wait")
}

// TestIllHealthAfterTheRolloutIsNoFailure and is only shown. It keeps R63.
func TestIllHealthAfterTheRolloutIsNoFailure(t *testing.T) {
	w := settled(t, "a")
	before := w.stages["prod"].releases[key("a")]
	w.flapping["a@prod-1"] = w.clock + time.Hour
	w.settle(30 * time.Minute)
	require.Same(t, before, w.stages["prod"].releases[key("a")], "nothing was decided")
}
