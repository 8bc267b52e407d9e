package tree_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestGateThatOpensByItselfSaysWhen(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.Local)
	var out strings.Builder
	p := tree.Printer{W: &out, Open: true, Now: now}
	p.Status(status.Status{Instances: []status.Instance{{Environment: "prod", Waiting: []status.Gate{
		{Name: "window", Reason: "closed", Since: now.Add(-time.Minute), At: now.Add(90 * time.Minute)},
	}}}}, true)
	require.Contains(t, out.String(), "window: closed, for 1m; opens by itself in 1h, at 2026-11-22 10:30:00\n")
}

func TestSinceWhenIsOfWhatIsHealthyNow(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := tree.Printer{W: &out, Open: true, Now: now}
	p.Status(status.Status{
		Environments: []status.Environment{{Name: "prod", Clusters: []status.Cluster{
			{Name: "one", State: "active", Reachable: true}, {Name: "two", State: "active", Message: "no answer", Since: now.Add(-6 * time.Second)},
		}}},
		Instances: []status.Instance{{Environment: "prod", Placements: []status.Placement{
			{Cluster: "one", Stage: status.Healthy, Health: state.Healthy, HealthyAt: now.Add(-time.Hour)},
			{Cluster: "two", Stage: status.Healthy, Health: state.Unknown, HealthyAt: now.Add(-time.Hour)},
		}}},
	}, true)
	require.Contains(t, out.String(), "one  ✓ Healthy  since 1h\n")
	require.Contains(t, out.String(), "two  ? Unknown: its cluster is not reachable\n")
	require.Contains(t, out.String(), "two is not reachable for 6s")
}

func TestWhatWaitsSaysWhatItChangesAndWhyItFailedOnce(t *testing.T) {
	var out strings.Builder
	p := tree.Printer{W: &out, Open: true, Now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	p.Status(status.Status{Instances: []status.Instance{{
		Environment: "prod", Version: "1.1.0", Release: "sha256:aaaaaaaaa",
		Candidate: &status.Candidate{Release: "sha256:bbbbbbbbb", Version: "1.1.0", Changes: []platform.Difference{
			{Field: "parameters.image", Before: "shop:1", After: "shop:2"},
		}},
		Waiting: []status.Gate{{Name: "rejected", Reason: "failed on east: CrashLoopBackOff"}},
		Rejected: []status.Failure{
			{Release: "sha256:ccccccccc", Version: "1.0.9", Cluster: "west", Message: "ErrImagePull"},
			{Release: "sha256:bbbbbbbbb", Version: "1.1.0", Cluster: "east", Message: "CrashLoopBackOff"},
		},
	}}}, true)
	require.Contains(t, out.String(), "✗ 1.1.0 (bbbbbbb) is rejected\n")
	require.Contains(t, out.String(), "  parameters.image: shop:1 → shop:2\n")
	require.Equal(t, 1, strings.Count(out.String(), "CrashLoopBackOff"), out.String())
	require.Contains(t, out.String(), "✗ rejected 1.0.9 (ccccccc): west: ErrImagePull")
}

func TestOfManyRequestsThoseAtRestAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var s status.Status
	for i := range 41 {
		for _, environment := range []string{"dev", "prod"} {
			s.Instances = append(s.Instances, status.Instance{
				Environment: environment, Request: platform.RequestKey{Team: "payments", Name: fmt.Sprintf("r%02d", i)}, Offering: "web",
				Placements: []status.Placement{{Cluster: "one", Stage: status.Healthy, Health: "Healthy"}},
			})
		}
	}
	s.Platform.Commit = "9f2c1ab"
	s.Instances[6].Placements[0].Health = "Failed"
	s.Instances[11].Waiting = []status.Gate{{Name: "window", Reason: "closed"}}
	print := func(s status.Status, open bool) []string {
		var out strings.Builder
		p := tree.Printer{W: &out, Open: open, Now: now}
		p.Status(s, true)
		return regexp.MustCompile(`(?m)^(payments/\S+|[0-9]+ requests:.*)`).FindAllString(out.String(), -1)
	}
	require.Equal(t, []string{
		"payments/r03", "payments/r05", "39 requests: healthy, and nothing waits (TEAM or TEAM/REQUEST narrows, --verbose lists all)",
	}, print(s, false))
	require.Len(t, print(s, true), 41)
	s.Instances = s.Instances[2:]
	require.Len(t, print(s, false), 40, "a few are all listed")
}

// TestOneCauseIsPrintedOnceAndTheWorstFirst: of a fault of a version that many requests run, the text stands once.
func TestOneCauseIsPrintedOnceAndTheWorstFirst(t *testing.T) {
	wrong := platform.Problem{File: "offerings/web/1.0.0/version.yaml", Line: 4, Message: "no such field"}
	s := status.Status{Environments: []status.Environment{
		{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active", Message: "connection refused"}, {Name: "two", State: "active", Reachable: true}}},
	}}
	for i, health := range []state.Health{state.Healthy, state.Unknown, state.Failed} {
		in := status.Instance{Environment: "dev", Request: platform.RequestKey{Team: "payments", Name: fmt.Sprintf("r%d", i)}, Offering: "web", Placements: []status.Placement{{
			Cluster: "two", Stage: status.Healthy, Health: health, Images: []string{"registry.example.com/a/shop:1.2", "redis@sha256:0123456789abcdef"},
		}}}
		if health == state.Failed {
			in.Problems = []platform.Problem{wrong}
		}
		s.Instances = append(s.Instances, in)
	}
	other := s.Instances[2]
	other.Request.Name = "r3"
	away := status.Placement{Cluster: "one", Stage: status.Committed, Health: "Unknown", Message: "connection refused"}
	away.Objects = []status.Object{{Kind: "Service", Name: "web", Health: "Healthy"}}
	other.Placements = []status.Placement{away}
	other.Display = []platform.Shown{{Name: "size", Value: "large"}}
	s.Instances = append(s.Instances, other)
	var out strings.Builder
	p := tree.Printer{W: &out, Open: true, Now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	p.Status(s, false)
	require.Equal(t, []string{"payments/r2", "payments/r3", "payments/r1", "payments/r0"}, regexp.MustCompile(`(?m)^payments/r\d`).FindAllString(out.String(), -1))
	require.Equal(t, 1, strings.Count(out.String(), "no such field"))
	require.Contains(t, out.String(), "! the same Problem as payments/r2\n")
	require.Equal(t, 1, strings.Count(out.String(), "connection refused"))
	require.NotContains(t, out.String(), "Service web  ✓ Healthy", "nobody knows that now")
	require.Contains(t, out.String(), "dev  redis@0123456 shop:1.2\n")
	require.Contains(t, out.String(), "dev  size=large\n")
}

// TestAProblemOfAClusterIsPrintedOnce: it is that of each instance there, and about no object of one.
func TestAProblemOfAClusterIsPrintedOnce(t *testing.T) {
	var s status.Status
	for _, name := range []string{"r0", "r1"} {
		s.Instances = append(s.Instances, status.Instance{
			Environment: "prod", Request: platform.RequestKey{Team: "payments", Name: name}, Offering: "web", Version: "1.0.0",
			Placements: []status.Placement{{Cluster: "one", Stage: status.Committed, Health: state.Unknown, Problems: []status.ObjectProblem{
				{Message: "cluster one was last written from elsewhere"}, {Object: "Service web", Message: "forbidden"},
			}}},
		})
	}
	var out strings.Builder
	(&tree.Printer{W: &out}).Status(s, false)
	require.Equal(t, 1, strings.Count(out.String(), "! Problem cluster one was last written from elsewhere\n"))
	require.Equal(t, 1, strings.Count(out.String(), "! the same Problem as payments/r0\n"))
	require.Equal(t, 2, strings.Count(out.String(), "! Problem Service web: forbidden\n"))
}

// TestWhatIsOnNoClusterSaysSo: a line without a cluster or a word of health looks as if all were well.
func TestWhatIsOnNoClusterSaysSo(t *testing.T) {
	var out strings.Builder
	of := platform.RequestKey{Team: "payments", Name: "shop"}
	(&tree.Printer{W: &out}).Status(status.Status{Instances: []status.Instance{
		{Environment: "dev", Request: of, Offering: "web", Version: "1.0.0", Absent: true},
		{Environment: "prod", Request: of, Offering: "web", Version: "1.0.0"},
		{Environment: "qa", Request: of, Offering: "web"},
	}}, false)
	require.Contains(t, out.String(), "prod  1.0.0  on no cluster\n")
	require.Equal(t, 1, strings.Count(out.String(), "on no cluster"))
}

func TestManyObjectsThatSayTheSameTakeOneLine(t *testing.T) {
	printed := func(all bool) string {
		var out strings.Builder
		p := tree.Printer{W: &out, Open: true, All: all, Now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
		placement := status.Placement{Cluster: "one", Stage: status.Committed, Health: state.Unknown, Objects: []status.Object{
			{Kind: "Job", Name: "first", Health: state.Failed, Message: "BackoffLimitExceeded"},
		}}
		for i := range 20 {
			placement.Added = append(placement.Added, status.Added{
				Object: fmt.Sprint("ConfigMap payments/c", i), Field: "metadata.labels.name", Manager: "kustomize-controller", Agent: true,
			})
			placement.Objects = append(placement.Objects, status.Object{
				Kind: "ConfigMap", Name: fmt.Sprint("c", i), Health: state.Unknown, Message: "the agent has not applied it yet",
			})
		}
		p.Status(status.Status{Instances: []status.Instance{{Environment: "prod", Placements: []status.Placement{placement}}}}, true)
		return out.String()
	}
	require.Contains(t, printed(false), "ConfigMap c0 and 19 more  ? Unknown: the agent has not applied it yet\n")
	require.Contains(t, printed(false), "Job first  ✗ Failed: BackoffLimitExceeded\n")
	require.Contains(t, printed(false), "ConfigMap payments/c0 and 19 more: kustomize-controller set metadata.labels.name as well: ")
	require.Equal(t, 20, strings.Count(printed(true), "the agent has not applied it yet"))
}
