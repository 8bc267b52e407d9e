package apply_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// timedOut is the status of a Deployment whose controller saw no progress, at a generation and since a time.
func timedOut(generation int64, since metav1.Time) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{
		ObservedGeneration: generation, Replicas: 2, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: "True"},
			{
				Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded",
				LastUpdateTime: since, LastTransitionTime: since,
			},
		},
	}
}

// A Deployment goes back to a ReplicaSet that is there and has nothing to do: its controller has seen the generation, sees no progress,
// and leaves the condition as it was. That is no failure of what came back, but a later one is, whether the
// status or the version's health entry tells it.
func TestAFailureFromBeforeAPatchDoesNotCount(t *testing.T) {
	entry := platform.Health{
		Group: "apps", Kind: "Deployment", Healthy: "status.availableReplicas == 2",
		Failed: `status.conditions.exists(c, c.type == "Progressing" && c.status == "False")`,
	}
	for by, entries := range map[string][]platform.Health{"status": nil, "entry": {entry}} {
		t.Run(by, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			one, two := r.instance("web", deployment("web", "nginx:1")), r.instance("web", deployment("web", "nginx:2"))
			one.Health, two.Health = entries, entries
			failed := func(result apply.Result) bool { return result.Health == state.Failed }
			r.visit(one)
			r.visit(two)
			r.afterThisSecond()
			before := metav1.Now()
			r.deploymentStatus("web", timedOut(2, before))
			r.until(two, failed)

			r.visit(one)
			r.deploymentStatus("web", timedOut(3, before))
			result := r.until(one, func(result apply.Result) bool {
				message := result.Objects[0].Message
				return message != "just applied" && !strings.HasPrefix(message, "its controller has not seen")
			})
			require.Equal(t, state.Progressing, result.Health, result.Message)
			if by == "status" {
				require.Equal(t, "from before this revision was applied: Progress deadline exceeded", result.Objects[0].Message)
			}
			r.afterThisSecond()
			r.deploymentStatus("web", timedOut(3, metav1.Now()))
			r.until(one, failed)
		})
	}
}

// A CRD does not say which generation its names are of, and its names may be refused within the second of the PATCH.
func TestNamesThatWereRefusedBeforeAPatchAreNoFailure(t *testing.T) {
	const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example}
status:
  conditions:
  - {type: NamesAccepted, status: "False", reason: ShortNamesConflict, message: it is taken, lastTransitionTime: "2026-01-02T03:04:05Z"}
  - {type: Established, status: "True", lastTransitionTime: "2026-01-02T03:00:00Z"}
`
	refused := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for applied, expected := range map[time.Time]state.Health{
		{}: state.Failed, refused.Add(-time.Second): state.Failed, refused: state.Failed, refused.Add(time.Second): state.Progressing,
	} {
		health, message, err := apply.HealthByStatus(crd, applied)
		require.NoError(t, err)
		require.Equal(t, expected, health, applied)
		require.Contains(t, message, "it is taken")
	}
}

// The controllers of a whole cluster leave the condition as it was for as long as a pod of the bad revision is there.
func TestWholeClusterGoesBackWithoutAFailure(t *testing.T) {
	r := newRig(t, &whole)
	revision := func(image string) apply.Instance {
		return r.instance("web", strings.Replace(deployment("web", image), "spec:", "spec:\n  progressDeadlineSeconds: 2", 1))
	}
	good, bad := revision("nginx:1"), revision("nginx:broken")
	r.healthy(good)
	for range 3 {
		r.until(bad, func(result apply.Result) bool { return result.Health == state.Failed })
		r.until(good, func(result apply.Result) bool {
			require.NotEqual(t, state.Failed, result.Health, result.Message)
			return result.Health == state.Healthy && result.Settled
		})
	}
}
