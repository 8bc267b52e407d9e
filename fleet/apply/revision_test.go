package apply_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	corev1 "k8s.io/api/core/v1"

	"transom.dev/fleet/apply"
)

// A Deployment's old ReplicaSet makes a pod anew, for instance after an eviction: it is younger than the
// revision that was applied last, and not of it.
func TestAYoungPodOfAnOldReplicaSetMakesNothingStuck(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:2"))
	r.visit(in)
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
	web, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	owner := []metav1.OwnerReference{*metav1.NewControllerRef(web, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	for hash, revision := range map[string]string{"old": "9", "new": "10"} {
		labels := map[string]string{"app": "web", "pod-template-hash": hash}
		_, err := r.kube.AppsV1().ReplicaSets(r.team).Create(t.Context(), &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: "web-" + hash, Labels: labels, OwnerReferences: owner,
				Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
			},
			Spec: appsv1.ReplicaSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "b"}}},
				},
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	r.podOf("web", "web-old", waiting("ErrImagePull"), "pod-template-hash", "old")
	const old = "Available: 0/1: pod web-old still has the revision before: ErrImagePull: because"
	result := r.until(in, func(result apply.Result) bool { return result.Objects[0].Message == old })
	require.False(t, result.Stuck)
	require.False(t, result.Superseded, "a Deployment brings new pods beside the old ones: its deadline runs")

	r.podOf("web", "web-new", waiting("ErrImagePull"), "pod-template-hash", "new")
	result = r.until(in, func(result apply.Result) bool { return result.Stuck })
	require.Equal(t, "Available: 0/1: pod web-new: ErrImagePull: because", result.Objects[0].Message)
}

func TestAPodOfADaemonSetIsHeldAgainstItsOwnRevision(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {
  selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: b}]}}}}`)
	r.visit(in)
	web, err := r.kube.AppsV1().DaemonSets(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	owner := *metav1.NewControllerRef(web, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))
	for hash, revision := range map[string]int64{"old": 9, "new": 10} {
		_, err := r.kube.AppsV1().ControllerRevisions(r.team).Create(t.Context(), &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Name: "web-" + hash, Labels: map[string]string{"app": "web", "controller-revision-hash": hash},
				OwnerReferences: []metav1.OwnerReference{owner},
			},
			Revision: revision, Data: runtime.RawExtension{Raw: []byte("{}")},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	web.Status = appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 2, CurrentNumberScheduled: 2, NumberReady: 1}
	_, err = r.kube.AppsV1().DaemonSets(r.team).UpdateStatus(t.Context(), web, metav1.UpdateOptions{})
	require.NoError(t, err)
	r.podOf("web", "web-old", waiting("ErrImagePull"), "controller-revision-hash", "old")
	pod, err := r.kube.CoreV1().Pods(r.team).Get(t.Context(), "web-old", metav1.GetOptions{})
	require.NoError(t, err)
	pod.OwnerReferences = []metav1.OwnerReference{owner}
	_, err = r.kube.CoreV1().Pods(r.team).Update(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	result := r.until(in, func(result apply.Result) bool { return result.Superseded })
	require.False(t, result.Stuck)
	require.Contains(t, result.Message, "pod web-old still has the revision before: ErrImagePull")
	require.NotContains(t, result.Message, "kubectl", "its controller replaces the pod by itself")

	r.podOf("web", "web-new", waiting("ErrImagePull"), "controller-revision-hash", "new")
	result = r.until(in, func(result apply.Result) bool { return result.Stuck })
	require.False(t, result.Superseded)
}
