package apply_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// deadlock is a StatefulSet that went back from a revision whose second pod could not start. Its controller, which the test
// plays, waits for that pod for ever. All conditions for deleting it hold; a test breaks one.
type deadlock struct {
	*rig
	shape     string // of the StatefulSet's spec, beside the fields that it needs
	bad, good apply.Instance
	set       appsv1.StatefulSetStatus
	pod       corev1.Pod
	revision  appsv1.ControllerRevision
	write     func(context.Context, apply.Instance) (apply.Result, error)
}

func newDeadlock(t *testing.T) *deadlock {
	k := &deadlock{rig: newRig(t, &apiOnly)}
	k.Impatient(0)
	k.write = k.Apply
	k.set = appsv1.StatefulSetStatus{
		ObservedGeneration: 2, Replicas: 2, ReadyReplicas: 1, UpdatedReplicas: 1, CurrentRevision: "db-good", UpdateRevision: "db-good",
	}
	k.pod = corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "db-1", Labels: map[string]string{
			"app": "db", "transom.dev/team": k.team, "transom.dev/request": "web", "controller-revision-hash": "db-bad",
		}},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "nginx:broken"}}},
		Status: waiting("ErrImagePull"),
	}
	k.revision = appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Name: "db-bad"}, Revision: 2, Data: runtime.RawExtension{Raw: []byte("{}")},
	}
	return k
}

// statefulSetOf is the instance with an image.
func (k *deadlock) statefulSetOf(image string) apply.Instance {
	in := k.instance("web", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {replicas: 2, serviceName: db, `+k.shape+`
  selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: app, image: "`+image+`"}]}}}}`)
	in.State = apply.State{Sequence: 5, Commit: "c5"}
	return in
}

// begin has the bad revision applied, and the good one after it.
func (k *deadlock) begin() {
	k.Helper()
	k.bad, k.good = k.statefulSetOf("nginx:broken"), k.statefulSetOf("nginx:1")
	k.good.Reversible = true
	k.good.Superseded = func(context.Context) ([][]byte, error) { return [][]byte{k.bad.Manifests}, nil }
	k.visit(k.bad)
}

// happens has the StatefulSet come to where it stays.
func (k *deadlock) happens() {
	k.Helper()
	ctx := k.Context()
	set, err := k.kube.AppsV1().StatefulSets(k.team).Get(ctx, "db", metav1.GetOptions{})
	require.NoError(k, err)
	owned := []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
	if k.revision.OwnerReferences == nil {
		k.revision.OwnerReferences = owned
	}
	if k.revision.Annotations == nil {
		k.revision.Annotations = maps.Clone(set.Annotations) // as its controller does
	}
	if k.pod.OwnerReferences == nil {
		k.pod.OwnerReferences = owned
	}
	_, err = k.kube.AppsV1().ControllerRevisions(k.team).Create(ctx, &k.revision, metav1.CreateOptions{})
	require.NoError(k, err)
	k.visit(k.good)
	set, err = k.kube.AppsV1().StatefulSets(k.team).Get(ctx, "db", metav1.GetOptions{})
	require.NoError(k, err)
	set.Status = k.set
	_, err = k.kube.AppsV1().StatefulSets(k.team).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	require.NoError(k, err)
	k.calls.take()
	k.podOf("other", "warmup", corev1.PodStatus{Phase: corev1.PodRunning})
	k.makes(k.pod)
}

// makes creates a pod with its status.
func (k *deadlock) makes(p corev1.Pod) {
	k.Helper()
	made, err := k.kube.CoreV1().Pods(k.team).Create(k.Context(), &p, metav1.CreateOptions{})
	require.NoError(k, err)
	made.Status = p.Status
	_, err = k.kube.CoreV1().Pods(k.team).UpdateStatus(k.Context(), made, metav1.UpdateOptions{})
	require.NoError(k, err)
}

// comes makes visits until one has the wanted result.
func (k *deadlock) comes(in apply.Instance, wanted func(apply.Result) bool) (result apply.Result) {
	k.Helper()
	require.Eventually(k, func() bool {
		var err error
		result, err = k.write(k.Context(), in)
		require.NoError(k, err)
		return wanted(result)
	}, patience, 20*time.Millisecond)
	return result
}

func says(text string) func(apply.Result) bool {
	return func(result apply.Result) bool { return strings.Contains(result.Message, text) }
}

func deletions(calls []string) []string {
	return slices.DeleteFunc(calls, func(call string) bool { return !strings.HasPrefix(call, "DELETE ") })
}

func TestAPodOfAFailedRevisionThatNeverStartedIsDeleted(t *testing.T) {
	k := newDeadlock(t)
	k.begin()
	k.happens()
	result := k.comes(k.good, func(result apply.Result) bool { return len(result.Changes) > 0 })
	require.Equal(t, []apply.Change{{
		Object: apply.Object{Kind: "Pod", Namespace: k.team, Name: "db-1"}, Action: apply.Deleted,
		Reason: "StatefulSet.apps " + k.team + "/db cannot come to its present revision before: ErrImagePull: because",
	}}, result.Changes)
	require.Equal(t, state.Progressing, result.Health)
	require.True(t, result.Superseded)
	require.False(t, result.Stuck)
	require.Equal(t, "StatefulSet.apps "+k.team+"/db: Ready: 1/2: pod db-1 still has the revision before: ErrImagePull: because; "+
		"it was deleted, because none of its containers ever started and its revision failed here or was taken back", result.Message)
	require.Equal(t, []string{"DELETE /api/v1/namespaces/" + k.team + "/pods/db-1"}, deletions(k.calls.take()))
	_, err := k.kube.CoreV1().Pods(k.team).Get(t.Context(), "db-1", metav1.GetOptions{})
	require.Error(t, err)
	require.Contains(t, k.inventory().Annotations["transom.dev/deleted-pods"], k.team+"/db", "so that the limit outlives the daemon")
}

func (k *deadlock) inventory() *corev1.ConfigMap {
	k.Helper()
	m, err := k.kube.CoreV1().ConfigMaps("transom-system").Get(k.Context(), "test."+k.team+".web", metav1.GetOptions{})
	require.NoError(k, err)
	return m
}

func (k *deadlock) annotateInventory(name, value string) {
	k.Helper()
	m := k.inventory()
	metav1.SetMetaDataAnnotation(&m.ObjectMeta, name, value)
	_, err := k.kube.CoreV1().ConfigMaps(m.Namespace).Update(k.Context(), m, metav1.UpdateOptions{})
	require.NoError(k, err)
}

// Each case breaks one condition: the pod stays, and status says why and how a person may delete it.
func TestAnyOtherPodIsNamedAndLeft(t *testing.T) {
	const remaining = "delete it: kubectl delete pod --namespace "
	started := waiting("ErrImagePull")
	started.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
	restarted := waiting("ErrImagePull")
	restarted.ContainerStatuses[0].RestartCount = 1
	initialised := waiting("ErrImagePull")
	initialised.InitContainerStatuses = []corev1.ContainerStatus{{
		Name: "init", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
	}}
	beside := waiting("ErrImagePull")
	beside.ContainerStatuses = append(beside.ContainerStatuses, corev1.ContainerStatus{
		Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	})
	for name, c := range map[string]struct {
		shape  func(*deadlock) // before anything is applied
		broken func(*deadlock) // before it happens
		after  func(*deadlock) // before the visits that count
		says   string
	}{
		"its pods start in parallel": {
			shape: func(k *deadlock) { k.shape = "podManagementPolicy: Parallel," }, says: "does not start its pods in order",
		},
		"partition": {
			shape: func(k *deadlock) {
				k.shape = "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}},"
			}, says: "does not replace all of its pods",
		},
		"on delete": {
			shape: func(k *deadlock) { k.shape = "updateStrategy: {type: OnDelete}," }, says: "",
		},
		"its controller has not seen the revision": {
			broken: func(k *deadlock) { k.set.ObservedGeneration = 1 },
			says:   "its controller has not seen this revision yet: pod db-1: ErrImagePull",
		},
		"the pod has the present revision": {
			broken: func(k *deadlock) { k.pod.Labels["controller-revision-hash"] = "db-good" }, says: "pod db-1: ErrImagePull",
		},
		"the pod is not the StatefulSet's": {
			broken: func(k *deadlock) {
				k.pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "db", UID: "other"}}
			}, says: "pod db-1 still has the revision before",
		},
		"nothing failed here": {
			broken: func(k *deadlock) { k.good.Superseded = nil }, says: "not known to have failed here",
		},
		"another revision failed here": {
			broken: func(k *deadlock) {
				other := k.statefulSetOf("nginx:other")
				k.good.Superseded = func(context.Context) ([][]byte, error) { return [][]byte{other.Manifests}, nil }
			}, says: "not known to have failed here",
		},
		"what failed is wanted again": {
			broken: func(k *deadlock) {
				k.good.Superseded = func(context.Context) ([][]byte, error) { return [][]byte{k.good.Manifests}, nil }
			}, says: "not known to have failed here",
		},
		"the past cannot be read": {
			broken: func(k *deadlock) {
				k.good.Superseded = func(context.Context) ([][]byte, error) { return nil, context.DeadlineExceeded }
			}, says: "deadline exceeded",
		},
		"the revision has another controller": {
			broken: func(k *deadlock) {
				yes := true
				k.revision.OwnerReferences = []metav1.OwnerReference{{
					APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: types.UID("other"), Controller: &yes,
				}}
			}, says: "not known to have failed here",
		},
		"the revision does not say what it is of": {
			broken: func(k *deadlock) { k.revision.Annotations = map[string]string{"a": "b"} }, says: "not known to have failed here",
		},
		"the revision is gone": {
			broken: func(k *deadlock) { k.revision.Name = "db-other" }, says: "not found",
		},
		"a container has started":            {broken: func(k *deadlock) { k.pod.Status = started }, says: "a container of it has started"},
		"a container has restarted":          {broken: func(k *deadlock) { k.pod.Status = restarted }, says: "a container of it has started"},
		"an init container has started":      {broken: func(k *deadlock) { k.pod.Status = initialised }, says: "a container of it has started"},
		"another container runs":             {broken: func(k *deadlock) { k.pod.Status = beside }, says: "a container of it has started"},
		"it crashes":                         {broken: func(k *deadlock) { k.pod.Status = waiting("CrashLoopBackOff") }, says: "a container of it has started"},
		"it is being created":                {broken: func(k *deadlock) { k.pod.Status = waiting("ContainerCreating") }, says: "a container of it has started"},
		"it has not been so for a minute":    {broken: func(k *deadlock) { k.Impatient(time.Minute) }, says: "it is deleted when none of its containers has started for 1m0s"},
		"its version is not reversible":      {broken: func(k *deadlock) { k.good.Reversible = false }, says: "not known to be reversible"},
		"drift is reported":                  {broken: func(k *deadlock) { k.good.ReportDrift = true }, says: "only reports drift"},
		"another agent applies":              {after: func(k *deadlock) { k.good.External = true }, says: remaining},
		"the cluster is paused":              {after: func(k *deadlock) { k.write = k.Observe }, says: remaining},
		"somebody works on a later state":    {after: func(k *deadlock) { k.annotateInventory("transom.dev/state", "6 c6") }, says: "state commit c6"},
		"nobody knows how many were deleted": {after: func(k *deadlock) { k.annotateInventory("transom.dev/deleted-pods", "many") }, says: "within the hour"},
		"three were deleted within the hour": {
			after: func(k *deadlock) {
				now := time.Now().UTC().Format(time.RFC3339)
				k.annotateInventory("transom.dev/deleted-pods", `{"`+k.team+`/db":["`+now+`","`+now+`","`+now+`"]}`)
			}, says: "within the hour",
		},
		"another pod is being deleted": {
			after: func(k *deadlock) {
				going := *k.pod.DeepCopy()
				going.Name, going.Finalizers = "db-0", []string{"example.com/held"}
				going.Status = corev1.PodStatus{Phase: corev1.PodRunning}
				k.makes(going)
				require.NoError(k, k.kube.CoreV1().Pods(k.team).Delete(k.Context(), "db-0", metav1.DeleteOptions{}))
				k.Cleanup(func() {
					_, _ = k.kube.CoreV1().Pods(k.team).Patch(background, "db-0", types.MergePatchType,
						[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
				})
			}, says: "another pod of the StatefulSet is being deleted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDeadlock(t)
			if c.shape != nil {
				c.shape(k)
			}
			k.begin()
			if c.broken != nil {
				c.broken(k)
			}
			if c.after != nil {
				k.pod.Labels["controller-revision-hash"] = "db-good" // until then it is not in the way
			}
			k.happens()
			if c.after != nil {
				k.comes(k.good, says("pod db-1: ErrImagePull"))
				c.after(k)
				_, err := k.kube.CoreV1().Pods(k.team).Patch(t.Context(), "db-1", types.MergePatchType,
					[]byte(`{"metadata":{"labels":{"controller-revision-hash":"db-bad"}}}`), metav1.PatchOptions{})
				require.NoError(t, err)
			}
			k.calls.take()
			result := k.comes(k.good, says(c.says))
			for range 3 {
				_, err := k.write(t.Context(), k.good)
				require.NoError(t, err)
			}
			require.Empty(t, deletions(k.calls.take()))
			require.Empty(t, result.Changes)
			require.Equal(t, c.says == "pod db-1: ErrImagePull", result.Stuck, "only a pod of the present revision is its failure")
			_, err := k.kube.CoreV1().Pods(k.team).Get(t.Context(), "db-1", metav1.GetOptions{})
			require.NoError(t, err)
		})
	}
}

func TestAPodThatChangedSinceItWasSeenStays(t *testing.T) {
	k := newDeadlock(t)
	k.begin()
	k.happens()
	k.Impatient(time.Hour)
	k.comes(k.good, says("still has the revision before: ErrImagePull"))
	k.calls.gate.Lock()
	defer k.calls.gate.Unlock()
	pod, err := k.kube.CoreV1().Pods(k.team).Get(t.Context(), "db-1", metav1.GetOptions{})
	require.NoError(t, err)
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	_, err = k.kube.CoreV1().Pods(k.team).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	k.Impatient(0)
	k.calls.take()
	result := k.visit(k.good)
	require.Contains(t, result.Message, "it changed meanwhile")
	require.False(t, result.Settled)
	require.Empty(t, writes(k.calls.take()))
}

// A deletion that the API server refuses is told with its word however often it is tried, and counts for none.
func TestARefusedDeletionOfAPodDoesNotCount(t *testing.T) {
	k := newDeadlock(t)
	k.begin()
	k.happens()
	const denied = `pods "db-1" is forbidden: the account may not delete pods`
	k.calls.failing(func(r *http.Request) error {
		if r.Method != http.MethodDelete {
			return nil
		}
		return apierrors.NewForbidden(corev1.Resource("pods"), "db-1", errors.New("the account may not delete pods"))
	})
	result := k.comes(k.good, says(denied))
	require.Contains(t, result.Message, "delete it: kubectl delete pod --namespace "+k.team+" db-1")
	for range 4 {
		require.Contains(t, k.visit(k.good).Message, denied)
	}
	require.Empty(t, k.inventory().Annotations["transom.dev/deleted-pods"])
	k.calls.failing(nil)
	k.comes(k.good, func(result apply.Result) bool { return len(result.Changes) > 0 })
	require.Contains(t, k.inventory().Annotations["transom.dev/deleted-pods"], k.team+"/db")
}

func TestDeletedPodsAreCountedForAnHour(t *testing.T) {
	db := apply.Object{Group: "apps", Kind: "StatefulSet", Namespace: "shop", Name: "db"}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var text string
	var ok bool
	for i := range 3 {
		text, ok = apply.NoteDeletion(text, db, now.Add(time.Duration(i)*10*time.Minute))
		require.True(t, ok)
	}
	_, ok = apply.NoteDeletion(text, db, now.Add(59*time.Minute))
	require.False(t, ok)
	other, ok := apply.NoteDeletion(text, apply.Object{Namespace: "shop", Name: "cache"}, now.Add(59*time.Minute))
	require.True(t, ok, "each StatefulSet has its own count")
	require.Contains(t, other, "shop/db")
	text, ok = apply.NoteDeletion(text, db, now.Add(61*time.Minute))
	require.True(t, ok)
	require.JSONEq(t, `{"shop/db":["2026-11-28T12:10:00Z","2026-11-28T12:20:00Z","2026-11-28T13:01:00Z"]}`, text)
}
