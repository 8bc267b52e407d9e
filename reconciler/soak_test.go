package reconciler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// TestSoakIsRememberedAsItGrows by the cluster that it is observed on, so that a daemon that starts anew goes on from there;
// and once it suffices, a release is promoted.
func TestSoakIsRememberedAsItGrows(t *testing.T) {
	s := newSystem(t)
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "state-prod.git")
	files := consumers(1)
	files["environments/prod.yaml"] = []byte(document("Environment", "prod") + `spec:
  state: {url: ../state-prod.git, branch: main}
  clusters: {matchLabels: {environment: prod}}
  promotesFrom: [dev]
  gates: {soak: 3s}
`)
	files["clusters/prod.yaml"] = []byte(document("Cluster", "prod, labels: {environment: prod}") + "spec: {state: active}\n")
	files["requests/payments/r0000.yaml"] = []byte(document("Request", "r0000") +
		"spec:\n  offering: note\n  version: \"1\"\n  parameters: {text: hello}\n  environments: {dev: {}, prod: {}}\n")
	s.replace(files)
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
