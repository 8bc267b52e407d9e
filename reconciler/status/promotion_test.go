package status_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// pass is the result of a pass over prod, in which shop runs a release on one cluster.
func pass(release string, change func(*status.Instance)) (status.Environment, []status.Instance) {
	in := status.Instance{
		Environment: "prod", Request: shop, Offering: "web", Release: release,
		Placements: []status.Placement{{Cluster: "one", Revision: "r-" + release, Stage: status.Committed, Health: "Unknown"}},
	}
	if change != nil {
		change(&in)
	}
	return status.Environment{
		Name: "prod", StateCommit: "s-" + release, PromotesFrom: []string{"dev"}, Clusters: []status.Cluster{{Name: "one", State: "active"}},
	}, []status.Instance{in}
}

// milestones is a board whose milestones are gathered in a list.
func milestones() (*status.Board, *clock, *[]status.Milestone) {
	b, c := newBoard()
	told := &[]status.Milestone{}
	b.Milestones = func(m status.Milestone) { *told = append(*told, m) }
	return b, c, told
}

func healthy(b *status.Board, release string) {
	b.Placed("prod", shop, status.Placement{Cluster: "one", Revision: "r-" + release, Stage: status.Healthy, Health: "Healthy"})
}

func TestEnvironmentsComeInPromotionOrder(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(status.Environment{Name: "a-prod", PromotesFrom: []string{"m-staging"}}, nil)
	b.Reconciled(status.Environment{Name: "m-staging", PromotesFrom: []string{"z-dev"}}, nil)
	b.Reconciled(status.Environment{Name: "z-dev"}, nil)
	var names []string
	for _, e := range b.Status().Environments {
		names = append(names, e.Name)
		require.Equal(t, len(names)-1, e.Order)
	}
	require.Equal(t, []string{"z-dev", "m-staging", "a-prod"}, names)
}

func TestInstancesOfARequestComeInPromotionOrder(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(status.Environment{Name: "a-prod", PromotesFrom: []string{"z-dev"}}, []status.Instance{{Environment: "a-prod", Request: shop}})
	b.Reconciled(status.Environment{Name: "z-dev"}, []status.Instance{{Environment: "z-dev", Request: shop}})
	s := b.Status()
	require.Equal(t, "z-dev", s.Instances[0].Environment)
	require.Equal(t, "a-prod", s.Instances[1].Environment)
}

func TestUpdatedLeavesWhatItDoesNotName(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(pass("one", nil))
	e, _ := pass("one", nil)
	e.StateCommit = "later"
	b.Updated(e, nil)
	require.Len(t, b.Status().Instances, 1)
	require.Equal(t, "later", b.Status().Environments[0].StateCommit)
	b.Updated(e, []status.Instance{{Environment: "prod", Request: shop, Absent: true}})
	require.Equal(t, "being removed", placement(b).Message)
	b.Removed("prod", shop, "one")
	require.Empty(t, b.Status().Instances)
}

func TestGateThatOpenedTellsHowLongItWasWaitedFor(t *testing.T) {
	b, c, told := milestones()
	waiting := func(in *status.Instance) {
		in.Waiting = []status.Gate{{Name: "soak", Reason: "10s of 30s in dev", Since: c.at}}
	}
	b.Reconciled(pass("one", waiting))
	require.Empty(t, *told)
	c.at = c.at.Add(20 * time.Second)
	b.Reconciled(pass("one", nil))
	require.Equal(t, []status.Milestone{{Kind: status.Opened, Environment: "prod", Detail: "soak", Took: 20 * time.Second}}, *told)
}

func TestPromotedReleaseIsLiveOnceItIsHealthyEverywhere(t *testing.T) {
	b, c, told := milestones()
	b.Reconciled(pass("one", nil))
	merged := c.at
	promoted := func(in *status.Instance) {
		in.PromotedFrom, in.MergedAt, in.Rollout = []string{"dev"}, merged, &status.Rollout{Cause: "release", Entered: merged}
	}
	b.Reconciled(pass("two", promoted))
	c.at = merged.Add(time.Minute)
	healthy(b, "two")
	healthy(b, "two")
	require.Equal(t, []status.Milestone{
		{Kind: status.Entered, Environment: "prod", Detail: "release"},
		{Kind: status.Promoted, Environment: "prod", Detail: "dev"},
		{Kind: status.Live, Environment: "prod", Took: time.Minute},
	}, *told)
}

func TestReleaseIsNotLiveWhileAClusterWaitsForIt(t *testing.T) {
	b, c, told := milestones()
	b.Reconciled(pass("one", nil))
	b.Reconciled(pass("two", func(in *status.Instance) {
		in.MergedAt, in.Rollout = c.at, &status.Rollout{Cause: "release", Entered: c.at, Pending: []string{"west"}}
	}))
	healthy(b, "two")
	require.Len(t, *told, 1)
	b.Reconciled(pass("two", func(in *status.Instance) { in.MergedAt = c.at }))
	require.Equal(t, status.Live, (*told)[1].Kind)
}

func TestRollbackIsToldWithTheFailureBehindIt(t *testing.T) {
	b, c, told := milestones()
	b.Reconciled(pass("two", nil))
	b.Reconciled(pass("one", func(in *status.Instance) {
		in.Rollout = &status.Rollout{Cause: "rollback", Entered: c.at}
		in.Rejected = []status.Failure{{Release: "two", Cluster: "one", Object: "Deployment shop", Message: "ErrImagePull", At: c.at}}
	}))
	require.Equal(t, []status.Milestone{
		{Kind: status.Entered, Environment: "prod", Detail: "rollback"}, {Kind: status.Stopped, Environment: "prod"},
	}, *told)
	var said []string
	for _, e := range b.History() {
		said = append(said, e.Message)
	}
	require.Contains(t, said, "rejected: one: Deployment shop: ErrImagePull")
}

func TestWhatABoardIsFilledWithIsNoNews(t *testing.T) {
	b, c, told := milestones()
	b.Reconciled(pass("two", func(in *status.Instance) {
		in.MergedAt, in.PromotedFrom = c.at, []string{"dev"}
		in.Rollout = &status.Rollout{Cause: "release", Entered: c.at, Stopped: "failed"}
	}))
	healthy(b, "two")
	require.Empty(t, *told)
}

func TestReleaseFileIsRemembered(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var in status.Instance
	in.Remember(state.Promotion{
		PromotedFrom: []string{"dev"}, Rollout: &state.Rollout{Cause: "version", Entered: at, Pending: []string{"west"}},
		Proven:   []state.Proof{{Digest: "sha256:1", Version: "1.0.0", Soaked: "30s", At: at}},
		Rejected: []state.Failure{{Release: "sha256:2", Version: "1.1.0", Cluster: "east", Message: "crashes", At: at}},
	})
	require.Equal(t, &status.Rollout{Cause: "version", Entered: at, Pending: []string{"west"}}, in.Rollout)
	require.Equal(t, []status.Proof{{Release: "sha256:1", Version: "1.0.0", Soaked: "30s", At: at}}, in.Proven)
	require.Equal(t, "east: crashes", in.Rejected[0].String())
	elsewhere := status.Failure{Cluster: "west", Object: "Deployment shop", Message: "east: Failed Deployment shop: crashes"}
	require.Equal(t, "east: Failed Deployment shop: crashes", elsewhere.String(), "it failed there, and is rejected here")
	apart := status.Failure{Cluster: "east", Object: "Deployment shop", Message: "east: ErrImagePull"}
	require.Equal(t, "east: Deployment shop: ErrImagePull", apart.String())
	in.Remember(state.Promotion{})
	require.Empty(t, in.Rollout)
	require.Empty(t, in.Rejected)
}

// TestCauseOfARejectionIsToldOnce: the release is rejected on all clusters, for what showed on one.
func TestCauseOfARejectionIsToldOnce(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	failure := func(cluster, message string, at time.Time) status.Failure {
		return status.Failure{Release: "sha256:2", Cluster: cluster, Object: "Deployment shop", Message: message, At: at}
	}
	causes := status.Causes([]status.Failure{
		failure("blue", "east: ErrImagePull", at), failure("east", "east: ErrImagePull", at), failure("west", "east: ErrImagePull", at),
		failure("west", "west: CrashLoopBackOff", at.Add(time.Hour)), failure("blue", "Deployment shop is gone", at.Add(2*time.Hour)),
	})
	var told []string
	for _, f := range causes {
		told = append(told, f.String())
	}
	require.Equal(t, []string{"east: Deployment shop: ErrImagePull", "west: Deployment shop: CrashLoopBackOff", "Deployment shop is gone"}, told)
}

func TestInstanceThatHasNotComeYetIsKnownByWhatItWaitsFor(t *testing.T) {
	b, _ := newBoard()
	e := status.Environment{Name: "prod", StateCommit: "s1"}
	b.Reconciled(e, nil)
	waits := status.Instance{
		Environment: "prod", Request: shop, Absent: true,
		Candidate: &status.Candidate{Release: "sha256:1", Version: "1.0.0"}, Waiting: []status.Gate{{Name: "approval"}},
	}
	b.Updated(e, []status.Instance{waits})
	require.Equal(t, gate.Approval, b.Status().Instances[0].Waiting[0].Name)
	require.False(t, b.Status().Instances[0].Absent)
	b.Updated(e, []status.Instance{{Environment: "prod", Request: shop, Absent: true}})
	require.Empty(t, b.Status().Instances, "it was taken back before it came")
}
