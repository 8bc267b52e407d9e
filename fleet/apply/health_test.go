package apply_test

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

func TestHealthOfAnOlderRevisionDoesNotCount(t *testing.T) {
	r := newRig(t, &apiOnly)
	one := r.instance("web", deployment("web", "nginx:1"))
	r.visit(one)
	r.available("web")
	r.healthy(one)

	two := r.instance("web", deployment("web", "nginx:2"))
	require.Equal(t, state.Progressing, r.visit(two).Health)
	r.quiet()
	result := r.visit(two)
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "Deployment.apps "+r.team+"/web: its controller has not seen this revision yet", result.Message)
	require.Equal(t, state.Progressing, r.visit(one).Health, "nor does the health of two count for one")
	r.healthyAfter(one, func() { r.available("web") })
}

func TestHealthSeenBeforeAPatchDoesNotCount(t *testing.T) {
	r := newRig(t, &apiOnly)
	one := r.instance("web", deployment("web", "nginx:1"))
	r.visit(one)
	r.available("web")
	r.healthy(one)
	r.quiet()
	r.calls.gate.Lock()
	defer r.calls.gate.Unlock()
	result := r.visit(r.instance("web", deployment("web", "nginx:2")))
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "just applied", result.Objects[0].Message)
}

// The watch is delayed, the revision is applied, and its controller, which is no faster, goes on to report the health of
// the revision before. Of all that arrives late, nothing is the new revision's.
func TestHealthThatArrivesLateDoesNotCount(t *testing.T) {
	r := newRig(t, &apiOnly)
	one, two := r.instance("web", deployment("web", "nginx:1")), r.instance("web", deployment("web", "nginx:2"))
	r.visit(one)
	r.quiet()
	r.calls.gate.Lock()
	hear := sync.OnceFunc(r.calls.gate.Unlock)
	defer hear()
	r.availableAt("web", 1) // not heard of before the revision is applied
	require.Equal(t, state.Progressing, r.visit(two).Health)
	r.availableAt("web", 1)
	for range 3 {
		require.Equal(t, state.Progressing, r.visit(two).Health)
	}
	hear()
	result := r.until(two, func(result apply.Result) bool { return result.Objects[0].Message != "just applied" })
	require.Equal(t, state.Progressing, result.Health)
	r.quiet()
	result = r.visit(two)
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "its controller has not seen this revision yet", result.Objects[0].Message)
	r.availableAt("web", 2)
	r.healthy(two)
}

func TestAListFromBeforeAWriteTakesNothingBack(t *testing.T) {
	require.Equal(t, "12", apply.Relist("12", map[string]string{"web": "9"}, "10"))
	require.Equal(t, "12", apply.Relist("12", nil, "10"), "it was created since")
	require.Equal(t, "14", apply.Relist("12", map[string]string{"web": "14"}, "15"))
	require.Equal(t, "9", apply.Relist("9", map[string]string{"web": "9"}, "10"))
	require.Empty(t, apply.Relist("12", nil, "15"), "it was deleted since")
}

// healthyAfter is healthy once the instance was applied and something happened then.
func (r *rig) healthyAfter(in apply.Instance, do func()) apply.Result {
	r.Helper()
	r.visit(in)
	do()
	return r.healthy(in)
}

func TestDeploymentThatFailedSaysWhy(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 0, Conditions: []appsv1.DeploymentCondition{
		{Type: "Progressing", Status: "False", Reason: "ProgressDeadlineExceeded", Message: "too slow"},
		{Type: "ReplicaFailure", Status: "True", Reason: "FailedCreate", Message: "exceeded quota: team"},
	}})
	result := r.until(in, func(result apply.Result) bool { return result.Health == state.Failed })
	require.Equal(t, "Deployment.apps "+r.team+"/web: Progress deadline exceeded: FailedCreate: exceeded quota: team", result.Message)
}

func TestWhyNamesTheWorstPod(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", deployment("web", "nginx:1"))
	r.visit(in)
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
	r.podOf("web", "web-1", corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}},
	}})
	r.podOf("web", "web-2", corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no such image"}}},
	}})
	r.podOf("other", "other-1", corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
	}})
	const why = "Available: 0/1: pod web-2: ErrImagePull: no such image"
	result := r.until(in, func(result apply.Result) bool { return result.Objects[0].Message == why })
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "Deployment.apps "+r.team+"/web: "+why, result.Message)

	r.podOf("web", "web-3", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: "False", Reason: "Unschedulable", Message: "no node has room"},
	}})
	require.NoError(t, r.kube.CoreV1().Pods(r.team).Delete(t.Context(), "web-2", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	r.until(in, func(result apply.Result) bool {
		return result.Objects[0].Message == "Available: 0/1: pod web-3: Unschedulable: no node has room"
	})
}

// TestWhyNamesAPodWithoutLabels: the template of a workload with verbatim names gives its pods no labels of the instance.
func TestWhyNamesAPodWithoutLabels(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.bare = true
	in := r.instance("web", deployment("web", "nginx:1"))
	r.until(in, func(result apply.Result) bool {
		return result.Objects[0].Message == "its controller has not seen this revision yet"
	})
	list := "GET /api/v1/namespaces/" + r.team + "/pods"
	require.NotContains(t, r.calls.take(), list, "nobody has made a pod of it")
	r.deploymentStatus("web", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
	waiting := func(reason string) corev1.PodStatus {
		return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "no such image"}}},
		}}
	}
	live, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	set, err := r.kube.AppsV1().ReplicaSets(r.team).Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Labels: live.Spec.Selector.MatchLabels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(live, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: live.Spec.Selector, Template: live.Spec.Template},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	r.podOf("web", "web-1", waiting("ErrImagePull"))
	r.podOf("web", "web-0", waiting("CrashLoopBackOff")) // the selector selects it, and it is nobody's
	r.podOf("other", "other-1", waiting("CrashLoopBackOff"))
	_, err = r.kube.CoreV1().Pods(r.team).Patch(t.Context(), "web-1", "application/merge-patch+json", []byte(fmt.Sprintf(
		`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":%q,"controller":true}]}}`, set.UID)),
		metav1.PatchOptions{})
	require.NoError(t, err)
	r.calls.take()
	began := time.Now()
	r.until(in, func(result apply.Result) bool {
		return result.Objects[0].Message == "Available: 0/1: pod web-1: ErrImagePull: no such image"
	})
	for range 20 {
		require.Positive(t, r.visit(in).LookAfter)
	}
	lists := slices.DeleteFunc(r.calls.take(), func(call string) bool { return call != list })
	require.LessOrEqual(t, len(lists), 1+int(time.Since(began)/(10*time.Second)), "at most every 10 s")
	require.NoError(t, r.kube.CoreV1().Pods(r.team).Delete(t.Context(), "web-1", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	r.until(in, func(result apply.Result) bool { return result.Objects[0].Message == "Available: 0/1" })

	r.available("web")
	r.healthy(in)
	r.calls.take()
	r.visit(in)
	require.Empty(t, r.calls.take(), "nothing is listed while it is healthy")
}

// TestWholeClusterSeesWhatAilsAClusterScopedVersion, whose pods have no labels of the instance: it is seen to be stuck.
func TestWholeClusterSeesWhatAilsAClusterScopedVersion(t *testing.T) {
	r := newRig(t, &whole)
	r.bare = true
	in := r.instance("web", deployment("web", "nginx:broken"))
	in.Scope = platform.ClusterScoped
	in.Manifests = append(append(r.label(in.Owner, "", "{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+"}}"), []byte("---\n")...), in.Manifests...)
	in.NamespaceManifest = nil
	why := regexp.MustCompile(`^Deployment.apps ` + r.team + `/web: Available: 0/1: pod web-[a-z0-9-]+: ErrImagePull: rpc error`)
	result := r.until(in, func(result apply.Result) bool { return why.MatchString(result.Message) && result.Stuck })
	require.Equal(t, state.Progressing, result.Health)
}

// podOf makes a pod as the controllers of a workload would.
func (r *rig) podOf(app, name string, status corev1.PodStatus, label ...string) {
	r.Helper()
	if _, err := r.kube.CoreV1().ServiceAccounts(r.team).Get(background, "default", metav1.GetOptions{}); err != nil {
		_, err := r.kube.CoreV1().ServiceAccounts(r.team).Create(background,
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
		require.NoError(r, err)
	}
	labels := map[string]string{"app": app, "transom.dev/team": r.team, "transom.dev/request": "web"}
	if r.bare {
		labels = map[string]string{"app": app}
	}
	if len(label) == 2 {
		labels[label[0]] = label[1]
	}
	pod, err := r.kube.CoreV1().Pods(r.team).Create(background, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "nginx"}}},
	}, metav1.CreateOptions{})
	require.NoError(r, err)
	pod.Status = status
	_, err = r.kube.CoreV1().Pods(r.team).UpdateStatus(background, pod, metav1.UpdateOptions{})
	require.NoError(r, err)
}

func TestClaimPendingForItsFirstConsumerPasses(t *testing.T) {
	r := newRig(t, &apiOnly)
	wait, now := storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	for name, mode := range map[string]*storagev1.VolumeBindingMode{"-wait": &wait, "-now": &now} {
		_, err := r.kube.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: r.team + name}, Provisioner: "example.com/none", VolumeBindingMode: mode,
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	of := func(class string) string {
		return "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {storageClassName: " + r.team + class +
			", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"
	}
	result := r.healthy(r.instance("waits", of("-wait")))
	require.Equal(t, "waits for its first consumer", result.Objects[0].Message)

	pending := r.instance("binds", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: more}, spec: {storageClassName: "+
		r.team+"-now, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}")
	result = r.until(pending, func(result apply.Result) bool { return result.Objects[0].Message == "PVC is not Bound. phase: Pending" })
	require.Equal(t, state.Progressing, result.Health)
}

func TestKindsWithoutStatusAreHealthyOnceApplied(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(configMap("web", "1"), service("web"),
		"{apiVersion: v1, kind: ServiceAccount, metadata: {name: web}}",
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {}}}",
		"{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {maxUnavailable: 1, selector: {matchLabels: {a: b}}}}",
		"{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}",
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: web}, spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}}}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: web}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
		"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: web, annotations: {transom.dev/generate: password}}}",
		"{apiVersion: v1, kind: ResourceQuota, metadata: {name: web}, spec: {hard: {pods: 10}}}",
	))
	result := r.healthy(in)
	require.Empty(t, result.Problems)
	require.Len(t, result.Objects, 11)

	r.connect() // and none of them is applied anew after a restart
	require.Empty(t, r.healthy(in).Changes)
	require.Empty(t, writes(r.calls.take()))
}

func TestJobThatWouldRunAgainAndAgainIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	result := r.visit(r.instance("web", "{apiVersion: batch/v1, kind: Job, metadata: {name: web}, spec: {ttlSecondsAfterFinished: 9, "+
		"template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}"))
	require.Len(t, result.Problems, 1)
	require.Contains(t, result.Problems[0].Message, "spec.ttlSecondsAfterFinished")
}

func TestWholeClusterBecomesHealthy(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", documents(deployment("web", "nginx:1"), service("web"), statefulSet("db"),
		"{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}"))
	r.healthy(in)
	r.quiet()
	r.calls.take()
	r.visit(in)
	require.Empty(t, r.calls.take())
	result := r.healthy(absent(in))
	require.Len(t, result.Changes, 4)
}

func TestWholeClusterSaysWhatAilsABrokenImage(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", deployment("web", "nginx:broken"))
	why := regexp.MustCompile(`^Deployment.apps ` + r.team + `/web: Available: 0/1: pod web-[a-z0-9-]+: ErrImagePull: rpc error`)
	result := r.until(in, func(result apply.Result) bool { return why.MatchString(result.Message) })
	require.Equal(t, state.Progressing, result.Health)

	r.healthy(r.instance("web", deployment("web", "nginx:2")))
}

func TestWholeClusterSaysWhatAilsACrash(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", deployment("web", "nginx:crash"))
	why := regexp.MustCompile(`pod web-[a-z0-9-]+: CrashLoopBackOff: back-off`)
	result := r.until(in, func(result apply.Result) bool { return why.MatchString(result.Message) })
	require.Equal(t, state.Progressing, result.Health)
}

func statefulSet(name string) string {
	return `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: ` + name + `}, spec: {replicas: 2, serviceName: ` + name + `,
  selector: {matchLabels: {app: ` + name + `}}, template: {metadata: {labels: {app: ` + name + `}}, spec: {containers: [{name: a, image: b}]}},
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}}`
}
