package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
)

func TestMetricsCountWhatReleasesWentThrough(t *testing.T) {
	figures := web.NewFigures()
	b := status.NewBoard(clock())
	b.Milestones = figures.Milestone
	figures.Pass("prod", "render", 20*time.Millisecond)
	figures.Pass("prod", "", time.Second)
	figures.Corrected("prod", "east")
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	pass := func(in status.Instance) {
		in.Environment, in.Request = "prod", shop
		b.Reconciled(status.Environment{Name: "prod", StateCommit: "s-" + in.Release}, []status.Instance{in})
	}
	pass(status.Instance{Release: "one", Waiting: []status.Gate{{Name: "approval", Since: at}, {Name: "soak", Since: at}}})
	pass(status.Instance{
		Release: "two", PromotedFrom: []string{"staging"}, Waiting: []status.Gate{{Name: "soak", Since: at}},
		Rollout: &status.Rollout{Cause: "version", Entered: at},
	})
	pass(status.Instance{
		Release: "one", Rollout: &status.Rollout{Cause: "rollback", Entered: at.Add(time.Second)},
		Rejected: []status.Failure{{Release: "two", Message: "crashes", At: at}},
	})
	code, body := get(t, serve(t, web.Options{Board: b, Collectors: figures.Collectors()}), "/metrics")
	require.Equal(t, http.StatusOK, code)
	for _, line := range []string{
		`transom_pass_seconds_count{environment="prod",phase="render"} 1`,
		`transom_pass_seconds_sum{environment="prod",phase="pass"} 1`,
		`transom_releases_total{cause="version",environment="prod"} 1`,
		`transom_promotions_total{environment="prod",from="staging"} 1`,
		`transom_rollbacks_total{environment="prod"} 1`,
		`transom_failures_total{environment="prod"} 1`,
		`transom_gate_wait_seconds_count{environment="prod",gate="approval"} 1`,
		`transom_rollouts{environment="prod",state="moving"} 1`,
		`transom_gate_wait_seconds_count{environment="prod",gate="approval"} 1`,
		`transom_drift_corrected_total{cluster="east",environment="prod"} 1`,
	} {
		require.Contains(t, body, line+"\n")
	}
}

func TestMetricsSayWhatIsWaitedFor(t *testing.T) {
	b := status.NewBoard(clock())
	gates := []status.Gate{{Name: "approval", Reason: "nobody approved"}}
	b.Reconciled(status.Environment{Name: "prod"}, []status.Instance{
		{Environment: "prod", Request: shop, Waiting: gates}, {Environment: "prod", Request: cache, Waiting: gates},
	})
	_, body := get(t, serve(t, web.Options{Board: b}), "/metrics")
	require.Contains(t, body, `transom_waiting{environment="prod",gate="approval"} 2`+"\n")
}

func TestMetricsShowThePassUnderWayAndMemory(t *testing.T) {
	ages := web.Ages(func() map[string]time.Duration {
		return map[string]time.Duration{"prod": 90 * time.Second, "dev": 0}
	})
	_, body := get(t, serve(t, web.Options{Board: board(), Collectors: []prometheus.Collector{ages}}), "/metrics")
	require.Contains(t, body, `transom_pass_age_seconds{environment="prod"} 90`+"\n")
	require.Contains(t, body, `transom_pass_age_seconds{environment="dev"} 0`+"\n")
	require.Contains(t, body, "\nprocess_resident_memory_bytes ")
	require.Contains(t, body, "\ngo_gc_gomemlimit_bytes ")
}
