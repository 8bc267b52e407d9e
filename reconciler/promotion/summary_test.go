package promotion_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/state"
)

// TestACommitIsSummarizedByItsRecords in the words that the log of a state repository has had since its first commit.
func TestACommitIsSummarizedByItsRecords(t *testing.T) {
	record := func(digest, revision string, p state.Promotion) *state.Release {
		return &state.Release{
			Key: key("shop"), Digest: digest, Offering: "web", Version: "1.2.0", Promotion: p,
			Clusters: map[string]state.Placement{"east": {Revision: revision}},
		}
	}
	removal := func(p state.Promotion) *state.Release {
		r := record("removal", "", p)
		r.Absent, r.Clusters = true, nil
		return r
	}
	moving := state.Promotion{Rollout: &state.Rollout{Cause: state.CauseRelease, Moved: []string{"east"}, Pending: []string{"west"}}}
	everywhere := state.Promotion{Rollout: &state.Rollout{Cause: state.CauseRelease, Moved: []string{"east", "west"}}}
	stopped := state.Promotion{Rollout: &state.Rollout{Cause: state.CauseRelease, Stopped: "failed"}}
	back := state.Promotion{Rollout: &state.Rollout{Cause: state.CauseRollback, Moved: []string{"east"}}}
	removing := state.Promotion{Rollout: &state.Rollout{Cause: state.CauseRemoval, Pending: []string{"east"}}}
	proven := state.Promotion{Proven: []state.Proof{{Digest: "one", Version: "1.2.0", Soaked: "30m"}}}
	name := key("shop").String()

	for want, change := range map[string][2]*state.Release{
		name + " to web 1.2.0":                {nil, record("one", "r1", everywhere)},
		name + " to web 1.2.0 on east":        {record("one", "r1", state.Promotion{}), record("two", "r2", moving)},
		"roll " + name + " back to web 1.2.0": {record("two", "r2", everywhere), record("one", "r1", back)},
		"remove " + name:                      {record("one", "r1", state.Promotion{}), removal(removing)},
		"stop " + name + " at web 1.2.0":      {record("one", "r1", everywhere), record("one", "r1", stopped)},
		name + " proved web 1.2.0 for 30m":    {record("one", "r1", state.Promotion{}), record("one", "r1", proven)},
		name + " is healthy with web 1.2.0":   {record("one", "r1", everywhere), record("one", "r1", state.Promotion{})},
		"record of " + name:                   {record("one", "r1", moving), record("one", "r1", everywhere)},
	} {
		require.Equal(t, want, promotion.Summary(change[0], change[1]))
	}
	require.Equal(t, name+" is healthy with web 1.2.0", promotion.Summary(removal(removing), removal(state.Promotion{})), "its removal is confirmed")
}
