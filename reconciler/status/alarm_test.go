package status_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// alarms has a board note the level and text of every event that has a level.
func alarms(b *status.Board) *[]string {
	told := &[]string{}
	b.OnEvent = func(e status.Event) {
		if e.Level != "" {
			*told = append(*told, fmt.Sprintf("%s %s", e.Level, e.Message))
		}
	}
	return told
}

func TestFailuresAndRecoveriesAreToldOnce(t *testing.T) {
	wrong := platform.Problem{File: "requests/a/b.yaml", Message: "no such offering"}
	for name, c := range map[string]struct {
		happens func(*status.Board)
		told    []string
	}{
		"platform away and back": {func(b *status.Board) {
			for range 3 {
				b.PlatformFailed("url", errors.New("authentication required"))
			}
			b.PlatformReached()
			b.PlatformReached()
		}, []string{"error authentication required", "warning the platform repository can be read again"}},
		"platform frozen and followed again": {func(b *status.Board) {
			for range 3 {
				b.PlatformFrozen("the head is not signed")
			}
			b.PlatformFrozen("")
			b.PlatformFrozen("")
		}, []string{"error the head is not signed", "warning the platform's head is followed again"}},
		"pass fails and succeeds": {func(b *status.Board) {
			for range 3 {
				b.EnvironmentFailed("dev", errors.New("fetch: no answer"))
			}
			b.EnvironmentReached("dev")
			b.EnvironmentReached("dev")
		}, []string{"error fetch: no answer", "warning passes over the environment succeed again"}},
		"pass fails, and the next one has something to say": {func(b *status.Board) {
			b.EnvironmentFailed("dev", errors.New("fetch: no answer"))
			b.Reconciled(committed("r1"))
			b.EnvironmentReached("dev")
		}, []string{"error fetch: no answer", "warning passes over the environment succeed again"}},
		"cluster away and back": {func(b *status.Board) {
			b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
			for range 3 {
				b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
			}
			b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
		}, []string{"error not reachable: connection refused", "warning reachable"}},
		"another identity": {func(b *status.Board) {
			b.ClusterSeen(status.Cluster{Name: "one", Reachable: true, Problem: "answers with another identity"})
		}, []string{"error answers with another identity"}},
		"another installation": {func(b *status.Board) {
			b.Refused("dev", "one", "last written from elsewhere")
			b.Refused("dev", "one", "last written from elsewhere")
			b.Refused("dev", "one", "")
		}, []string{"error last written from elsewhere", "warning the environment is written to the cluster again"}},
		"another installation, with what it keeps from being written": {func(b *status.Board) {
			b.Reconciled(committed("r1"))
			b.Refused("dev", "one", "last written from elsewhere")
			held := status.Placement{Cluster: "one", Revision: "r1", Stage: status.Committed, Health: "Unknown", Message: "last written from elsewhere"}
			held.Problems = []status.ObjectProblem{{Object: "cluster one", Message: "last written from elsewhere"}}
			b.Placed("dev", shop, held)
			b.Refused("dev", "one", "")
			b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
		}, []string{"error last written from elsewhere", "warning the environment is written to the cluster again"}},
		"problems come and go": {func(b *status.Board) {
			b.Loaded("url", &platform.Platform{Commit: "c1"})
			b.Loaded("url", &platform.Platform{Commit: "c2", Problems: []platform.Problem{wrong, {File: "x", Message: "y", Warning: true}}})
			b.Loaded("url", &platform.Platform{Commit: "c3", Problems: []platform.Problem{wrong}})
			b.Loaded("url", &platform.Platform{Commit: "c4"})
		}, []string{"warning requests/a/b.yaml: no such offering", "warning mended: requests/a/b.yaml: no such offering"}},
		"refused by the API server": {func(b *status.Board) {
			b.Reconciled(committed("r1"))
			refused := status.Placement{Cluster: "one", Revision: "r1", Stage: status.Committed, Health: "Unknown", Message: "forbidden"}
			refused.Problems = []status.ObjectProblem{{Object: "ConfigMap a/b", Message: "forbidden"}}
			b.Placed("dev", shop, refused)
			b.Placed("dev", shop, refused)
			b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
		}, []string{"error Committed, Unknown: forbidden", "warning Healthy"}},
		"frozen": {func(b *status.Board) {
			frozen := status.Environment{Name: "dev", Frozen: "history was rewritten"}
			b.Reconciled(frozen, nil)
			b.Reconciled(frozen, nil)
		}, []string{"error history was rewritten"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBoard()
			told := alarms(b)
			c.happens(b)
			require.Equal(t, c.told, *told)
		})
	}
}

func TestRejectionAndRollbackAreAlarms(t *testing.T) {
	b, c := newBoard()
	told := alarms(b)
	b.Reconciled(pass("two", nil))
	b.Reconciled(pass("one", func(in *status.Instance) {
		in.Rollout = &status.Rollout{Cause: "rollback", Entered: c.at}
		in.Rejected = []status.Failure{{Release: "two", Cluster: "one", Object: "Deployment shop", Message: "ErrImagePull", At: c.at}}
	}))
	require.Equal(t, []string{"warning took release one back", "error rejected: one: Deployment shop: ErrImagePull"}, *told)
}

func TestManyProblemsAreCounted(t *testing.T) {
	b, _ := newBoard()
	told := alarms(b)
	var many []platform.Problem
	for i := range 1000 {
		many = append(many, platform.Problem{File: fmt.Sprintf("requests/a/b%03d.yaml", i), Message: "wrong"})
	}
	b.Loaded("url", &platform.Platform{Commit: "c1", Problems: many})
	require.Len(t, *told, 11)
	require.Equal(t, "warning and 990 more Problems", (*told)[10])
}

// TestEveryGateSaysSinceWhen it is waited for: since the candidate began to, also where the one who decided did not say.
func TestEveryGateSaysSinceWhen(t *testing.T) {
	b, c, told := milestones()
	merged := c.at.Add(-time.Hour)
	waits := func(release string, gates ...gate.Name) func(*status.Instance) {
		return func(in *status.Instance) {
			in.Candidate = &status.Candidate{Release: release, MergedAt: merged}
			for _, g := range gates {
				in.Waiting = append(in.Waiting, status.Gate{Name: g})
			}
		}
	}
	since := func(gate int) time.Time { return b.Status().Instances[0].Waiting[gate].Since }
	b.Reconciled(pass("one", waits("two", "approval")))
	require.Equal(t, merged, since(0), "it waited before the daemon was there to see it")
	start := c.at
	c.at = start.Add(time.Minute)
	b.Reconciled(pass("one", waits("two", "approval", "hold")))
	require.Equal(t, merged, since(0))
	require.Equal(t, c.at, since(1))
	c.at = start.Add(2 * time.Minute)
	b.Reconciled(pass("one", waits("three", "approval")))
	require.Equal(t, c.at, since(0), "another candidate waits for itself")
	require.Equal(t, []status.Milestone{{Kind: status.Opened, Environment: "prod", Detail: "hold", Took: time.Minute}}, *told)
}

// TestARolloutSaysSinceWhenItWaits, although the release that it takes to the clusters has entered and is no candidate any
// longer.
func TestARolloutSaysSinceWhenItWaits(t *testing.T) {
	b, c, _ := milestones()
	waits := func(in *status.Instance) { in.Waiting = []status.Gate{{Name: "rollout"}} }
	since := func() time.Time { return b.Status().Instances[0].Waiting[0].Since }
	start := c.at
	b.Reconciled(pass("one", waits))
	c.at = start.Add(time.Minute)
	b.Reconciled(pass("one", waits))
	require.Equal(t, start, since())
	b.Reconciled(pass("two", waits))
	require.Equal(t, c.at, since(), "another release waits for itself")
}

// TestNextIsTheSameTimeInEveryPass, so that a status that did not change is the same.
func TestNextIsTheSameTimeInEveryPass(t *testing.T) {
	b, c := newBoard()
	e, instances := committed("r1")
	for _, jitter := range []time.Duration{0, 150, -40} {
		e.Next = c.at.Add(time.Minute + jitter)
		b.Reconciled(e, instances)
		require.Equal(t, c.at.Add(time.Minute), b.Status().Environments[0].Next)
	}
	e.Next = c.at.Add(2 * time.Minute)
	b.Reconciled(e, instances)
	require.Equal(t, e.Next, b.Status().Environments[0].Next)
}

// TestAPinTellsNothingOfLeadTime: a release that it brings back was merged long ago.
func TestAPinTellsNothingOfLeadTime(t *testing.T) {
	b, c, told := milestones()
	b.Reconciled(pass("one", nil))
	b.Reconciled(pass("two", func(in *status.Instance) {
		in.MergedAt, in.Rollout = c.at.Add(-240*time.Hour), &status.Rollout{Cause: "pin", Entered: c.at}
	}))
	healthy(b, "two")
	require.Len(t, *told, 1, "it entered; it is no lead time")
}
