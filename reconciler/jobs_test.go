package reconciler_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/fleet"
	"transom.dev/fleet/apply"
	"transom.dev/reconciler/check"
)

// jobRunner runs no Job: it says how the next one ends, and remembers what was asked.
type jobRunner struct {
	mu     sync.Mutex
	result apply.CheckResult
	err    error
	asked  []askedJob
	swept  []string
}

type askedJob struct {
	fleet.Placement
	revision string
	apply.CheckJob
}

func (j *jobRunner) RunCheck(_ context.Context, p fleet.Placement, revision string, of apply.CheckJob) (apply.CheckResult, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, askedJob{p, revision, of})
	return j.result, j.err
}

func (j *jobRunner) SweepChecks(_ context.Context, environment, cluster string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.swept = append(j.swept, environment+"/"+cluster)
	return nil
}

// say sets how Jobs end from now on.
func (j *jobRunner) say(passed bool, message string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.result, j.err = apply.CheckResult{Passed: passed, Message: message}, err
}

func (j *jobRunner) first() askedJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked[0]
}

// sweeps lists what was swept.
func (j *jobRunner) sweeps() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.swept...)
}

// TestAReleaseEntersOnceItsJobPasses beside the very revision that runs before, rendered from its version; and leftovers of a daemon before
// are looked for where such Jobs run.
func TestAReleaseEntersOnceItsJobPasses(t *testing.T) {
	s := newSystem(t)
	s.soaking("0s, checks: [{name: smoke, job: checks/smoke, every: 10s, timeout: 20s}]")
	s.write("offerings/note/1.0.0/checks/smoke/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [job.yaml]\n")
	s.write("offerings/note/1.0.0/checks/smoke/job.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: smoke}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'smoke:1'}]}}}\n")
	runner := &jobRunner{}
	runner.say(false, "Job.batch payments/smoke failed: BackoffLimitExceeded", nil)
	s.Jobs, s.Checks = runner, &check.Asker{Now: time.Now}
	s.fleet.says(s.Placed)
	s.commit("before")
	s.run()
	s.Trigger.Fire("test")
	reason := "check smoke does not pass: on dev: Job.batch payments/smoke failed: BackoffLimitExceeded"
	s.waits("prod", reason)

	asked := runner.first()
	require.Equal(t, fleet.Placement{Environment: "dev", Cluster: "dev", Team: "payments", Request: "r0000"}, asked.Placement)
	require.Equal(t, 20*time.Second, asked.Deadline)
	require.False(t, asked.Log)
	content, err := s.fleet.of("dev").Snapshot.ReadFile("releases/payments/r0000.yaml")
	require.NoError(t, err)
	require.Contains(t, string(content), "revision: "+asked.revision)
	require.Regexp(t, `(?s)kind: Job.*transom.dev/check: smoke.*name: r0000-[0-9a-f]{10}-smoke\n  namespace: payments\n.*image: smoke:1`, string(asked.Manifest))
	require.NotContains(t, string(asked.Manifest), "managed-by")

	runner.say(false, "", errors.New("create Job.batch payments/smoke: exceeded quota"))
	s.waits("prod", "check smoke has no answer: on dev: create Job.batch payments/smoke: exceeded quota")
	require.Eventually(t, func() bool { return len(runner.sweeps()) > 0 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, []string{"dev/dev"}, runner.sweeps())

	runner.say(true, "", nil)
	s.healthy("prod")
}

// waits waits until an instance in an environment waits for a reason.
func (s *system) waits(environment, reason string) {
	s.t.Helper()
	changed, end := s.Board.Subscribe()
	defer end()
	limit := time.After(time.Minute)
	for {
		var said []string
		for _, in := range s.Board.Status().Instances {
			for _, g := range in.Waiting {
				if in.Environment == environment {
					said = append(said, g.Reason)
				}
			}
		}
		if slices.Contains(said, reason) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.FailNow(s.t, "nothing waits for it", "%s: %q", reason, said)
		}
	}
}

// write writes a file of the platform.
func (s *system) write(name, content string) {
	s.t.Helper()
	file := filepath.Join(s.clone(), name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(s.t, os.WriteFile(file, []byte(content), 0o644))
}
