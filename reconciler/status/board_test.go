package status_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var shop = platform.RequestKey{Team: "payments", Name: "shop"}

// clock is a time that stands still until a test moves it.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newBoard() (*status.Board, *clock) {
	c := &clock{time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	return status.NewBoard(c.now), c
}

func committed(revision string) (status.Environment, []status.Instance) {
	return status.Environment{Name: "dev", StateCommit: "s-" + revision, Clusters: []status.Cluster{{Name: "one", State: "active"}}},
		[]status.Instance{{
			Environment: "dev", Request: shop, Offering: "web",
			Placements: []status.Placement{{Cluster: "one", Revision: revision, Stage: status.Committed, Health: "Unknown"}},
		}}
}

func placement(b *status.Board) status.Placement { return b.Status().Instances[0].Placements[0] }

func TestHealthOfAnotherRevisionIsOldNews(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r2"))
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	require.Equal(t, status.Committed, placement(b).Stage)
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r2", Stage: status.Healthy, Health: "Healthy"})
	require.Equal(t, status.Healthy, placement(b).Stage)
}

func TestHealthStaysWhileTheRevisionStays(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	b.Reconciled(committed("r1"))
	require.Equal(t, status.Healthy, placement(b).Stage)
	b.Reconciled(committed("r2"))
	require.Equal(t, status.Committed, placement(b).Stage, "a new revision has proved nothing")
}

func TestStagesAreStampedOnce(t *testing.T) {
	b, c := newBoard()
	e, instances := committed("r1")
	b.Reconciled(e, nil)
	b.Reconciled(e, instances)
	start := c.at
	c.at = start.Add(time.Second)
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Applied, Health: "Progressing"})
	c.at = start.Add(2 * time.Second)
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	c.at = start.Add(time.Hour)
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	p := placement(b)
	require.Equal(t, start, p.CommittedAt)
	require.Equal(t, start.Add(time.Second), p.AppliedAt)
	require.Equal(t, start.Add(2*time.Second), p.HealthyAt)
}

// TestTimesOfBeforeTheStartAreNotTheStarts: a daemon that finds a release running does not say that it came just now.
func TestTimesOfBeforeTheStartAreNotTheStarts(t *testing.T) {
	b, c := newBoard()
	b.Reconciled(committed("r1"))
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	p := placement(b)
	require.Equal(t, []time.Time{{}, {}, {}}, []time.Time{p.CommittedAt, p.AppliedAt, p.HealthyAt})
	soaked := c.at.Add(-time.Hour)
	for _, at := range []time.Time{soaked, c.at} {
		b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy", HealthyAt: at})
		require.Equal(t, soaked, placement(b).HealthyAt, "the cluster remembers for how long it soaked")
	}
	b.Reconciled(committed("r2"))
	require.Equal(t, c.at, placement(b).CommittedAt, "from now on the daemon sees it")
}

// TestAClusterThatIsLetGoIsGone from status with its messages, also where the last one is that it is away.
func TestAClusterThatIsLetGoIsGone(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	b.Refused("dev", "one", "another installation")
	e, instances := committed("r1")
	e.Clusters, instances[0].Placements = []status.Cluster{{Name: "renamed", State: "active"}}, []status.Placement{{Cluster: "renamed", Revision: "r1"}}
	b.Updated(e, instances)
	s := b.Status()
	require.Len(t, s.Environments[0].Clusters, 1)
	require.Empty(t, s.Environments[0].Clusters[0].Problem)
	require.Len(t, s.Instances[0].Placements, 1)
	require.Equal(t, "renamed", s.Instances[0].Placements[0].Cluster)
	e.Clusters = nil
	b.Updated(e, nil)
	require.Empty(t, b.Status().Instances[0].Placements, "although nothing else of the instance is news")
}

func TestAMendedProblemIsGoneAlthoughTheStateCannotBeWritten(t *testing.T) {
	b, _ := newBoard()
	wrong := platform.Problem{File: "requests/payments/shop.yaml", Message: "no such offering", Request: &shop}
	other := platform.Problem{File: "offerings/web/1.0.0/version.yaml", Message: "odd", Request: &shop}
	e, instances := committed("r1")
	e.Problems, instances[0].Problems = []platform.Problem{wrong, other}, []platform.Problem{wrong, other}
	b.Reconciled(e, instances)
	b.Problems("dev", []platform.Problem{other}, []platform.Problem{other})
	b.EnvironmentFailed("dev", errors.New("refused by a hook"))
	s := b.Status()
	require.Equal(t, []platform.Problem{other}, s.Instances[0].Problems)
	require.Equal(t, []platform.Problem{other}, s.Environments[0].Problems)
}

func TestRemovedInstanceStaysUntilItsClustersAreClean(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	e, _ := committed("r2")
	b.Reconciled(e, []status.Instance{{Environment: "dev", Request: shop, Absent: true}})
	require.Equal(t, "being removed", placement(b).Message)
	b.Removed("dev", shop, "one")
	require.Empty(t, b.Status().Instances)
}

// An adopted object is let go with its request: it is shown for as long as the state records the removal.
func TestWhatWasLetGoIsShownWhileTheRemovalIsThere(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	e, _ := committed("r2")
	tombstone := []status.Instance{{Environment: "dev", Request: shop, Release: "sha256:gone", Absent: true}}
	b.Reconciled(e, tombstone)
	for range 2 {
		b.Removed("dev", shop, "one", "ConfigMap payments/shop")
		b.Updated(e, tombstone)
		require.Equal(t, []string{"ConfigMap payments/shop"}, placement(b).LetGo)
		require.Equal(t, "removed; what it had adopted is let go and stays: ConfigMap payments/shop", placement(b).Message)
	}
	history := b.History()
	require.Equal(t, placement(b).Message, history[len(history)-1].Message)
	b.Updated(e, []status.Instance{{Environment: "dev", Request: shop, Absent: true}})
	require.Empty(t, b.Status().Instances)
}

// The history has the latest 2,000 events, oldest first, however many there were.
func TestHistoryIsBounded(t *testing.T) {
	b, _ := newBoard()
	for i := range 5_500 {
		b.Loaded("platform.git", &platform.Platform{Commit: fmt.Sprintf("%07d", i)})
		history := b.History()
		require.Len(t, history, min(i+1, 2_000))
		require.Equal(t, fmt.Sprintf("loaded platform commit %07d", max(0, i-1_999)), history[0].Message)
		require.Equal(t, fmt.Sprintf("loaded platform commit %07d", i), history[len(history)-1].Message)
	}
}

func TestLostClusterIsUnknownAndKeepsItsStage(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	b.Lost("dev", shop, "one", "connection refused")
	require.Equal(t, state.Unknown, placement(b).Health)
	require.Equal(t, status.Healthy, placement(b).Stage)
}

func TestHistoryRecordsChangesOnly(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	healthy := status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"}
	b.Placed("dev", shop, healthy)
	before := len(b.History())
	b.Placed("dev", shop, healthy)
	b.Reconciled(committed("r1"))
	require.Len(t, b.History(), before)
}

func TestSubscriberGetsOneSignalForManyChanges(t *testing.T) {
	b, _ := newBoard()
	changed, end := b.Subscribe()
	for range 10 {
		b.PlatformFailed("url", errors.New("away"))
		b.Loaded("url", &platform.Platform{Commit: "c1"})
	}
	<-changed
	require.Empty(t, changed)
	end()
	b.Loaded("url", &platform.Platform{Commit: "c2"})
	require.Empty(t, changed)
}

func TestWhereStateIsIsKnownOnceThePlatformIsLoaded(t *testing.T) {
	b, _ := newBoard()
	b.Branch = "trunk"
	state := platform.StateRepository{URL: "../state.git", Branch: "records"}
	b.Loaded("url", &platform.Platform{Commit: "c1", Environments: map[string]*platform.Environment{"dev": {State: state}}})
	s := b.Status()
	require.Equal(t, []string{"url", "trunk"}, []string{s.Platform.URL, s.Platform.Branch})
	require.Equal(t, []status.Environment{{Name: "dev", StateURL: "../state.git", StateBranch: "records"}}, s.Environments)
}

func TestClusterFactsReachEveryEnvironmentOfTheCluster(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.ClusterSeen(status.Cluster{Name: "one", UID: "u1", Reachable: true})
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	c := b.Status().Environments[0].Clusters[0]
	require.Equal(t, "u1", c.UID)
	require.Equal(t, "active", c.State)
	require.False(t, c.Reachable)
}

func TestForgottenEnvironmentIsGone(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.Forget("dev")
	require.Empty(t, b.Status().Environments)
	require.Empty(t, b.Status().Instances)
}

func TestAClusterThatIsAwaySaysWhenItLastAnswered(t *testing.T) {
	b, c := newBoard()
	b.Reconciled(committed("r1"))
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	answered := c.at.Add(time.Hour)
	c.at = answered.Add(30 * time.Second)
	b.ClusterSeen(status.Cluster{Name: "one", Message: "no answer within 10s", Since: answered})
	require.Equal(t, answered, b.Status().Environments[0].Clusters[0].Since)
	c.at = c.at.Add(time.Minute)
	b.ClusterSeen(status.Cluster{Name: "one", Message: "no answer within 30s", Since: answered})
	require.Equal(t, answered, b.Status().Environments[0].Clusters[0].Since)
}

func TestNothingIsKnownOfAClusterThatIsAway(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	require.Equal(t, state.Unknown, placement(b).Health)
	require.Equal(t, "cluster one is not reachable: connection refused", placement(b).Message)
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	require.Equal(t, state.Healthy, placement(b).Health, "it is back, and nobody has heard otherwise")
}

// A thousand clusters report the same objects of an instance as a rule: the Board has them once.
func TestClustersShareTheObjectsThatTheyReport(t *testing.T) {
	b, _ := newBoard()
	e, instances := committed("r1")
	for _, cluster := range []string{"three", "two"} {
		e.Clusters = append(e.Clusters, status.Cluster{Name: cluster})
		instances[0].Placements = append(instances[0].Placements, status.Placement{Cluster: cluster, Revision: "r1", Stage: status.Committed})
	}
	b.Reconciled(e, instances)
	report := func(cluster string, health state.Health) {
		b.Placed("dev", shop, status.Placement{
			Cluster: cluster, Revision: "r1", Stage: status.Healthy, Health: health, Objects: []status.Object{{Kind: "ConfigMap", Name: "web", Health: health}},
		})
	}
	report("one", state.Healthy)
	report("two", state.Healthy)
	report("three", state.Failed)
	placements := b.Status().Instances[0].Placements
	require.Same(t, &placements[0].Objects[0], &placements[2].Objects[0])
	require.Equal(t, state.Failed, placements[1].Objects[0].Health)
}
