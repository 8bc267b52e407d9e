package apply_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// healthyDeployment is one that its controller reports as available.
func healthyDeployment(name string) *appsv1.Deployment {
	two, now := int32(2), metav1.NewTime(time.Now())
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Generation: 3},
		Spec:       appsv1.DeploymentSpec{Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2,
			Conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentAvailable, Status: v1.ConditionTrue, LastUpdateTime: now, LastTransitionTime: now},
				{
					Type: appsv1.DeploymentProgressing, Status: v1.ConditionTrue, Reason: "NewReplicaSetAvailable",
					Message: "ReplicaSet " + name + " has successfully progressed.", LastUpdateTime: now, LastTransitionTime: now,
				},
			},
		},
	}
}

// The health of workloads that clusters have alike is computed once, and is the one that computing it for each would find: each of these
// differs from a healthy one in one field.
func TestHealthOfAWorkloadIsThatOfItsOwnStatus(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*appsv1.Deployment)
		want   state.Health
	}{
		"as before":            {func(*appsv1.Deployment) {}, state.Healthy},
		"later":                {func(d *appsv1.Deployment) { d.Status.Conditions[0].LastUpdateTime = metav1.NewTime(time.Unix(9, 0)) }, state.Healthy},
		"not seen":             {func(d *appsv1.Deployment) { d.Generation = 4 }, state.Progressing},
		"being deleted":        {func(d *appsv1.Deployment) { d.DeletionTimestamp = &metav1.Time{Time: time.Unix(9, 0)} }, state.Progressing},
		"more are wanted":      {func(d *appsv1.Deployment) { *d.Spec.Replicas = 3 }, state.Progressing},
		"one is not available": {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, state.Progressing},
		"one is not updated":   {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, state.Progressing},
		"late": {func(d *appsv1.Deployment) {
			d.Status.Conditions[1].Reason, d.Status.Conditions[1].Status = "ProgressDeadlineExceeded", v1.ConditionFalse
		}, state.Failed},
		"paused": {func(d *appsv1.Deployment) { d.Spec.Paused, d.Status.UpdatedReplicas = true, 0 }, state.Suspended},
	} {
		t.Run(name, func(t *testing.T) {
			var shared apply.Shared
			for range 2 {
				health, _ := apply.WorkloadHealth(&shared, "Deployment", healthyDeployment("web"))
				require.Equal(t, state.Healthy, health)
			}
			changed := func() *appsv1.Deployment {
				d := healthyDeployment("web")
				test.change(d)
				return d
			}
			alone, message := apply.WorkloadHealth(nil, "Deployment", changed())
			require.Equal(t, test.want, alone, message)
			for range 2 {
				health, said := apply.WorkloadHealth(&shared, "Deployment", changed())
				require.Equal(t, alone, health)
				require.Equal(t, message, said)
			}
		})
	}
}

// Names and times say nothing of health, so that all clusters and all instances of a version have it once.
func TestHealthyWorkloadsAreAlike(t *testing.T) {
	var shared apply.Shared
	for _, name := range []string{"web", "orders", "stock"} {
		health, _ := apply.WorkloadHealth(&shared, "Deployment", healthyDeployment(name))
		require.Equal(t, state.Healthy, health)
	}
	require.Equal(t, 1, shared.HealthyWorkloads())
}

// Each kind of workload has facts of its own: a DaemonSet is no StatefulSet that has the same numbers.
func TestHealthOfOtherWorkloads(t *testing.T) {
	var shared apply.Shared
	one, zero := int32(1), int32(0)
	set := func(ready int32) *appsv1.StatefulSet {
		return &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: "db", Generation: 1}, Spec: appsv1.StatefulSetSpec{Replicas: &one},
			Status: appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: 1, ReadyReplicas: ready, CurrentReplicas: 1, UpdatedReplicas: 1, CollisionCount: &zero},
		}
	}
	daemons := func(ready int32) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "logs", Generation: 1}, Status: appsv1.DaemonSetStatus{
			ObservedGeneration: 1, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberAvailable: ready, NumberReady: ready,
		}}
	}
	for range 2 {
		for _, ready := range []int32{1, 0} {
			want := map[int32]state.Health{0: state.Progressing, 1: state.Healthy}[ready]
			health, message := apply.WorkloadHealth(&shared, "StatefulSet", set(ready))
			require.Equal(t, want, health, message)
			health, message = apply.WorkloadHealth(&shared, "DaemonSet", daemons(ready))
			require.Equal(t, want, health, message)
		}
	}
	require.Equal(t, 2, shared.HealthyWorkloads())
}
