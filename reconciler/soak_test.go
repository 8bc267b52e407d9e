package reconciler_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/check"
	"transom.dev/reconciler/promotion"
	"transom.dev/reconciler/status"
	"transom.dev/render/inquiry"
)

// TestSoakIsRememberedAsItGrows by the cluster that it is observed on, so that a daemon that starts anew goes on from there;
// and once it suffices, a release is promoted.
func TestSoakIsRememberedAsItGrows(t *testing.T) {
	s := newSystem(t)
	s.soaking("3s")
	s.fleet.says(s.Placed)
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.healthy("prod")

	var last time.Duration
	kept := s.fleet.soaked("dev")
	require.GreaterOrEqual(t, len(kept), 2, "each tenth of a soak, and at most every second")
	for _, soaked := range kept {
		require.Greater(t, soaked, last)
		last = soaked
	}
	require.GreaterOrEqual(t, last, 2*time.Second)
}

// TestSoakIsTakenOver from clusters that remember it, both of releases that run and of removals.
func TestSoakIsTakenOver(t *testing.T) {
	s := newSystem(t)
	s.soaking("1h")
	s.fleet.says(func(r fleet.Result) {
		r.Checkpoint = apply.Checkpoint{Revision: r.Revision, Soaked: 2 * time.Hour}
		if r.Absent {
			r.Checkpoint.Revision = apply.Removed
		}
		s.Placed(r)
	})
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	s.healthy("prod")
	require.NoError(t, os.Remove(filepath.Join(s.clone(), "requests/payments/r0000.yaml")))
	s.commit("no request")
	s.Trigger.Fire("test")
	s.deployed("prod", func(target fleet.Target) bool {
		placed, err := target.Snapshot.Blobs("clusters/prod/payments")
		return err != nil || placed["clusters/prod/payments/r0000.yaml"] == ""
	})
}

// soaking has prod take a request's releases from dev after some soak.
func (s *system) soaking(soak string) {
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "state-prod.git")
	files := consumers(1)
	files["environments/prod.yaml"] = []byte(document("Environment", "prod") + `spec:
  state: {url: ../state-prod.git, branch: main}
  clusters: {matchLabels: {environment: prod}}
  promotesFrom: [dev]
  gates: {soak: ` + soak + `}
`)
	files["clusters/prod.yaml"] = []byte(document("Cluster", "prod, labels: {environment: prod}") + "spec: {state: active}\n")
	files["requests/payments/r0000.yaml"] = []byte(document("Request", "r0000") +
		"spec:\n  offering: note\n  version: \"1\"\n  parameters: {text: hello}\n  environments: {dev: {}, prod: {}}\n")
	s.replace(files)
}

// healthy waits until something runs in an environment and all of it is well.
func (s *system) healthy(environment string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		well := 0
		for _, in := range s.Board.Status().Instances {
			for _, p := range in.Placements {
				if in.Environment == environment && in.Rollout == nil && p.Stage == status.Healthy {
					well++
				}
			}
		}
		if well > 0 {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "nothing is healthy", environment)
		}
	}
}

// TestAnswersToChecksAreTakenOver from the inventory of the environment before, so that a daemon that starts anew lets a release in whose
// check passed for long enough, and does not wait for all of that once more.
func TestAnswersToChecksAreTakenOver(t *testing.T) {
	live := func(report func(*system) func(fleet.Result)) *system {
		s := newSystem(t)
		s.soaking("0s")
		prod := filepath.Join(s.clone(), "environments/prod.yaml")
		content, err := os.ReadFile(prod)
		require.NoError(t, err)
		asks := strings.Replace(string(content), "gates: {soak: 0s}", "gates: {checks: [{name: budget, url: 'https://slo.example.com/', every: 1s, for: 1h}]}", 1)
		require.NotEqual(t, string(content), asks)
		require.NoError(t, os.WriteFile(prod, []byte(asks), 0o644))
		s.Checks = &check.Asker{Now: time.Now, Ask: func(context.Context, *inquiry.Check, inquiry.Text) check.Answer {
			return check.Answer{Verdict: promotion.Passes, Message: "the budget is whole"}
		}}
		s.fleet.says(report(s))
		s.commit("before")
		s.run()
		s.Trigger.Fire("test")
		return s
	}
	first := live(func(s *system) func(fleet.Result) { return s.Placed })
	first.healthy("dev")
	require.Eventually(t, func() bool { return strings.Contains(first.fleet.answered("dev"), `"verdict":"passes"`) }, time.Minute, 20*time.Millisecond)
	require.Empty(t, first.fleet.answered("prod"), "nothing of it is there that could remember it")

	text := strings.Replace(first.fleet.answered("dev"), `"verdict":"passes"`, `"verdict":"passes","held":7200000000000`, 1)
	second := live(func(s *system) func(fleet.Result) {
		return func(r fleet.Result) {
			r.Checkpoint = apply.Checkpoint{Revision: r.Revision, Checks: text}
			s.Placed(r)
		}
	})
	second.healthy("prod")
}
