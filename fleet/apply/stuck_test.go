package apply_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

func waiting(reason string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}}},
	}}
}

func TestStuckIsWhatNoWaitGetsStarted(t *testing.T) {
	for reason, stuck := range map[string]bool{
		"CrashLoopBackOff": true, "ImagePullBackOff": true, "ErrImagePull": true, "InvalidImageName": true,
		"CreateContainerConfigError": true, "RunContainerError": true,
		"ContainerCreating": false, "PodInitializing": false,
	} {
		t.Run(reason, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			in := r.instance("web", documents(statefulSet("db"), deployment("web", "nginx:1")))
			r.visit(in)
			r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
			r.podOf("web", "web-1", waiting(reason))
			result := r.until(in, func(result apply.Result) bool {
				return result.Objects[1].Message == "Available: 0/1: pod web-1: "+reason+": because"
			})
			require.Equal(t, state.Progressing, result.Health)
			require.Equal(t, stuck, result.Stuck)
			if stuck {
				require.Equal(t, "Deployment.apps "+r.team+"/web", result.Object, "it is worse than one that is on its way")
				require.Equal(t, result.Object+": "+result.Objects[1].Message, result.Message)
			} else {
				require.Equal(t, "StatefulSet.apps "+r.team+"/db", result.Object)
			}
		})
	}
}

func TestAPodWithoutANodeIsNotStuck(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
	r.podOf("web", "web-1", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: "False", Reason: "Unschedulable", Message: "no node has room"},
	}})
	result := r.until(in, func(result apply.Result) bool {
		return result.Objects[0].Message == "Available: 0/1: pod web-1: Unschedulable: no node has room"
	})
	require.False(t, result.Stuck)
}

// A pod of the revision before may crash for as long as it is there: that is why there is a next one.
func TestAPodOfAnOlderRevisionMakesNothingStuck(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.visit(r.instance("web", deployment("web", "nginx:1")))
	r.podOf("web", "web-old", waiting("CrashLoopBackOff"))
	r.afterThisSecond()

	two := r.instance("web", deployment("web", "nginx:2"))
	r.visit(two)
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1})
	const old = "Available: 0/1: pod web-old: CrashLoopBackOff: because"
	result := r.until(two, func(result apply.Result) bool { return result.Objects[0].Message == old })
	require.False(t, result.Stuck)

	r.podOf("web", "web-new", waiting("ContainerCreating"))
	const young = "Available: 0/1: pod web-new: ContainerCreating: because"
	result = r.until(two, func(result apply.Result) bool { return result.Objects[0].Message == young })
	require.False(t, result.Stuck)
	r.podOf("web", "web-newer", waiting("ImagePullBackOff"))
	r.until(two, func(result apply.Result) bool { return result.Stuck })
}

// afterThisSecond waits until the API server's times differ from those that it has given so far.
func (r *rig) afterThisSecond() {
	<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
}
