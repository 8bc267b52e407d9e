package status_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A story tells a Board facts at random.
type story struct {
	*rand.Rand
	b  *status.Board
	at time.Time
}

func (s *story) one(of ...string) string { return of[s.IntN(len(of))] }
func (s *story) environment() string     { return s.one("dev", "staging", "prod") }
func (s *story) cluster() string         { return s.one("one", "two", "three") }
func (s *story) revision() string        { return s.one("r1", "r2") }

func (s *story) request() platform.RequestKey {
	return platform.RequestKey{Team: s.one("payments", "search"), Name: s.one("shop", "api")}
}

// pass is the result of a pass, with instances and clusters at random.
func (s *story) pass() (e status.Environment, instances []status.Instance) {
	e = status.Environment{Name: s.environment(), StateCommit: s.one("s1", "s2"), PromotesFrom: []string{s.environment()}}
	for _, name := range []string{"one", "two", "three"} {
		if s.IntN(4) > 0 {
			e.Clusters = append(e.Clusters, status.Cluster{Name: name, State: "active"})
		}
	}
	for _, team := range []string{"payments", "search"} {
		if s.IntN(3) == 0 {
			continue
		}
		in := status.Instance{
			Environment: e.Name, Request: platform.RequestKey{Team: team, Name: s.one("shop", "api")}, Release: s.one("", "x", "y"), Absent: s.IntN(4) == 0,
		}
		if s.IntN(4) == 0 {
			in.Problems = []platform.Problem{{File: "requests/a.yaml", Message: s.one("wrong", "too large")}}
		}
		for _, c := range e.Clusters {
			if !in.Absent {
				in.Placements = append(in.Placements, status.Placement{Cluster: c.Name, Revision: s.revision(), Stage: status.Committed, Health: state.Unknown})
			}
		}
		instances = append(instances, in)
	}
	return e, instances
}

// tell tells one fact.
func (s *story) tell() {
	s.at = s.at.Add(time.Second)
	switch s.IntN(11) {
	case 0:
		s.b.Reconciled(s.pass())
	case 1:
		s.b.Updated(s.pass())
	case 2, 3, 4:
		health := []state.Health{state.Healthy, state.Failed, state.Progressing}[s.IntN(3)]
		s.b.Placed(s.environment(), s.request(), status.Placement{Cluster: s.cluster(), Revision: s.revision(), Stage: status.Applied, Health: health, Message: s.one("", "m")})
	case 5:
		s.b.Lost(s.environment(), s.request(), s.cluster(), s.one("no answer", "forbidden"))
	case 6:
		s.b.Removed(s.environment(), s.request(), s.cluster(), []string{"ConfigMap a/b"}[:s.IntN(2)]...)
	case 7, 8:
		s.b.ClusterSeen(status.Cluster{Name: s.cluster(), Reachable: s.IntN(2) == 0, Message: s.one("", "timeout", "refused")})
	case 9:
		s.b.Problems(s.environment(), nil, nil)
		s.b.EnvironmentFailed(s.environment(), errors.New("no Git"))
	default:
		if s.IntN(5) == 0 {
			s.b.Forget(s.environment())
		}
		s.b.Refused(s.environment(), s.cluster(), s.one("", "another daemon writes there"))
	}
}

// TestAStatusIsAsIfNobodyHadReadBefore: copies that readers share are of now, whatever happened, and stay as they were for those who have
// them.
func TestAStatusIsAsIfNobodyHadReadBefore(t *testing.T) {
	for seed := range uint64(40) {
		s := &story{Rand: rand.New(rand.NewPCG(seed, 0)), at: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
		s.b = status.NewBoard(func() time.Time { return s.at })
		var given status.Status
		text := []byte(nil)
		for step := range 200 {
			s.tell()
			if step%3 == 0 {
				continue // some changes come together
			}
			if text != nil {
				again, err := json.Marshal(given)
				require.NoError(t, err)
				require.Equal(t, string(text), string(again), "seed %d, step %d", seed, step)
			}
			given = s.b.Status()
			require.Equal(t, s.b.Anew(), given, "seed %d, step %d", seed, step)
			var err error
			text, err = json.Marshal(given)
			require.NoError(t, err)
		}
	}
}

// TestALostClusterKeepsNothingOfOthers: the placements on clusters that do not answer stay as they were for long, and those that readers had beside
// them do not.
func TestALostClusterKeepsNothingOfOthers(t *testing.T) {
	b, _ := newBoard()
	e, instances := committed("r1")
	e.Clusters = append(e.Clusters, status.Cluster{Name: "two", State: "active"})
	instances[0].Placements = append(instances[0].Placements, status.Placement{Cluster: "two", Revision: "r1", Stage: status.Committed, Health: "Unknown"})
	b.Reconciled(e, instances)
	before := weak.Make(&b.Status().Instances[0].Placements[0])
	b.ClusterSeen(status.Cluster{Name: "two", Message: "connection refused"})
	require.Equal(t, state.Unknown, b.Status().Instances[0].Placements[1].Health)
	runtime.GC()
	require.Nil(t, before.Value())
	runtime.KeepAlive(b)
}

// BenchmarkStatus is the processor time of a reader after one placement changed, among 30,000 instances.
func BenchmarkStatus(b *testing.B) {
	const many = 10_000
	board := status.NewBoard(time.Now)
	for _, environment := range []string{"dev", "staging", "prod"} {
		all := make([]status.Instance, many)
		for i := range all {
			all[i] = status.Instance{
				Environment: environment, Request: platform.RequestKey{Team: fmt.Sprint("team-", i%50), Name: fmt.Sprint("r", i)}, Release: "a",
				Placements: []status.Placement{{Cluster: environment, Revision: "r", Stage: status.Healthy, Health: "Healthy"}},
			}
		}
		board.Reconciled(status.Environment{Name: environment, StateCommit: "s", Clusters: []status.Cluster{{Name: environment}}}, all)
	}
	board.Status()
	for i := 0; b.Loop(); i++ {
		board.Placed("dev", platform.RequestKey{Team: "team-1", Name: "r1"}, status.Placement{Cluster: "dev", Revision: "r", Stage: status.Healthy, Health: "Healthy", Message: fmt.Sprint(i)})
		board.Status()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "status-30000:us")
	b.ReportMetric(0, "ns/op")
}
