package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// TestACluster tries all abilities of a whole control plane, on one that its subtests share.
func TestACluster(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=dev")
	client := r.client(t, "dev")

	t.Run("RunsDeployments", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, client, "deployments")
		deploy(t, client, namespace, "web", "registry.example:5000/web", "registry.example:5000/init:1")
		eventually(t, func() error {
			d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
			if err == nil && d.Status.AvailableReplicas != 2 {
				err = fmt.Errorf("%d of 2 available", d.Status.AvailableReplicas)
			}
			return err
		})
	})
	t.Run("FailsPodsByImageTag", func(t *testing.T) {
		t.Parallel()
		failsByTag(t, client)
	})
	t.Run("HasLogs", func(t *testing.T) {
		t.Parallel()
		hasLogs(t, client)
	})
	t.Run("RunsJobsToTheirEnd", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, client, "jobs")
		for name, policy := range map[string]corev1.RestartPolicy{"never": corev1.RestartPolicyNever, "on-failure": corev1.RestartPolicyOnFailure} {
			requireJob(t, client, namespace, name+"-ok", "job:1", policy, batchv1.JobComplete)
			requireJob(t, client, namespace, name+"-crash", "job:crash", policy, batchv1.JobFailed)
		}
	})
	t.Run("BindsClaims", func(t *testing.T) {
		t.Parallel()
		bindsClaims(t, client)
	})
	t.Run("AdmitsPodsUnderAQuota", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, client, "quota")
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods"}}
		quota.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}
		_, err := client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), quota, metav1.CreateOptions{})
		require.NoError(t, err)
		eventually(t, func() error { // a quota that nobody has counted yet admits everything
			q, err := client.CoreV1().ResourceQuotas(namespace).Get(t.Context(), "pods", metav1.GetOptions{})
			if err == nil && len(q.Status.Used) == 0 {
				err = errors.New("nothing is counted yet")
			}
			return err
		})
		deploy(t, client, namespace, "web", "web:1")
		eventually(t, func() error {
			d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
			if err == nil && d.Status.AvailableReplicas != 1 {
				err = fmt.Errorf("%d available, 1 allowed", d.Status.AvailableReplicas)
			}
			return err
		})
	})
	t.Run("HasBucketsOnceTheirCRDArrives", func(t *testing.T) {
		t.Parallel()
		hasBuckets(t, r, client)
	})
}

func TestAWholeClusterWorksAgainAfterAStop(t *testing.T) {
	t.Parallel()
	r := up(t, "--clusters=dev")
	client := r.client(t, "dev")
	namespace := newNamespace(t, client, "kept")
	for _, verb := range []string{"stop", "start"} {
		output, err := r.ask(verb, "dev")
		require.NoError(t, err, output)
	}
	deploy(t, client, namespace, "web", "web:1")
	eventually(t, func() error {
		_, err := readyPod(t.Context(), client, namespace, "web")
		return err
	})
}

func newNamespace(t *testing.T, client kubernetes.Interface, name string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	return name
}

// deploy creates a Deployment of two replicas.
func deploy(t *testing.T, client kubernetes.Interface, namespace, name, image string, initImages ...string) {
	t.Helper()
	replicas := int32(2)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	d.Spec.Replicas = &replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: image}, {Name: "side", Image: "side:1"}}
	for _, image := range initImages {
		d.Spec.Template.Spec.InitContainers = append(d.Spec.Template.Spec.InitContainers, corev1.Container{Name: "init", Image: image})
	}
	_, err := client.AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{})
	require.NoError(t, err)
}

// containerState returns the status of the container "web" in some pod of a Deployment.
func containerState(ctx context.Context, client kubernetes.Interface, namespace, name string) (corev1.ContainerStatus, *corev1.Pod, error) {
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		return corev1.ContainerStatus{}, nil, err
	}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == "web" {
				return status, &pod, nil
			}
		}
	}
	return corev1.ContainerStatus{}, nil, fmt.Errorf("no pod of %s has a status of its container", name)
}

func readyPod(ctx context.Context, client kubernetes.Interface, namespace, name string) (*corev1.Pod, error) {
	status, pod, err := containerState(ctx, client, namespace, name)
	if err == nil && !status.Ready {
		err = fmt.Errorf("not ready: %+v", status.State)
	}
	return pod, err
}

func failsByTag(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	namespace := newNamespace(t, client, "tags")
	for _, tag := range []string{"broken", "crash", "slow"} {
		deploy(t, client, namespace, tag, "registry.example/web:"+tag)
	}
	eventually(t, func() error {
		status, pod, err := containerState(t.Context(), client, namespace, "broken")
		if err != nil {
			return err
		}
		require.Equal(t, corev1.PodPending, pod.Status.Phase)
		require.Equal(t, "ErrImagePull", status.State.Waiting.Reason)
		require.Equal(t, `rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/web:broken": `+
			`failed to resolve reference "registry.example/web:broken": registry.example/web:broken: not found`, status.State.Waiting.Message)
		return nil
	})
	eventually(t, func() error {
		status, pod, err := containerState(t.Context(), client, namespace, "crash")
		if err != nil {
			return err
		}
		require.False(t, status.Ready)
		if status.RestartCount < 1 || status.State.Waiting == nil {
			return fmt.Errorf("not yet restarted and crashed again: %+v", status)
		}
		require.Equal(t, "CrashLoopBackOff", status.State.Waiting.Reason)
		require.Equal(t, fmt.Sprintf("back-off 20s restarting failed container=web pod=%s_tags(%s)", pod.Name, pod.UID), status.State.Waiting.Message)
		require.Equal(t, int32(1), status.LastTerminationState.Terminated.ExitCode)
		require.Equal(t, "Error", status.LastTerminationState.Terminated.Reason)
		return nil
	})
	var slow *corev1.Pod
	eventually(t, func() (err error) {
		slow, err = readyPod(t.Context(), client, namespace, "slow")
		return err
	})
	for _, condition := range slow.Status.Conditions {
		if condition.Type == corev1.PodReady {
			require.GreaterOrEqual(t, condition.LastTransitionTime.Sub(slow.CreationTimestamp.Time).Seconds(), 9.0)
		}
	}
}

// hasLogs reads the logs of containers as kubectl does: of one that runs, of one that crashed, and of one that never started.
func hasLogs(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	namespace := newNamespace(t, client, "logs")
	read := func(name string, options corev1.PodLogOptions) (string, error) {
		_, pod, err := containerState(t.Context(), client, namespace, name)
		if err != nil {
			return "", err
		}
		options.Container = "web"
		log, err := client.CoreV1().Pods(namespace).GetLogs(pod.Name, &options).Stream(t.Context())
		if err != nil {
			return "", err
		}
		defer log.Close()
		text, err := io.ReadAll(log)
		return string(text), err
	}
	for tag, want := range map[string]string{"1": "started web:1; no image runs", "crash": "the tag of this image is crash, so it ends with code 1"} {
		deploy(t, client, namespace, "tag-"+tag, "web:"+tag)
		eventually(t, func() error {
			text, err := read("tag-"+tag, corev1.PodLogOptions{})
			if err == nil && !strings.Contains(text, want) {
				err = fmt.Errorf("%q has no %q", text, want)
			}
			return err
		})
	}
	eventually(t, func() error { // of either pod
		text, err := read("tag-crash", corev1.PodLogOptions{Previous: true, TailLines: new(int64(1))})
		if err == nil && strings.Count(text, "\n") != 1 {
			err = fmt.Errorf("it is not one line: %q", text)
		}
		return err
	})
	_, err := read("tag-1", corev1.PodLogOptions{Previous: true})
	require.ErrorContains(t, err, "previous terminated container")

	deploy(t, client, namespace, "broken", "web:broken")
	eventually(t, func() error {
		if _, err := read("broken", corev1.PodLogOptions{}); err == nil || !strings.Contains(err.Error(), "waiting to start: rpc error") {
			return fmt.Errorf("not yet refused: %w", err)
		}
		return nil
	})
}

func requireJob(t *testing.T, client kubernetes.Interface, namespace, name, image string, policy corev1.RestartPolicy, want batchv1.JobConditionType) {
	t.Helper()
	backoffLimit := int32(0)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}}
	job.Spec.BackoffLimit = &backoffLimit
	job.Spec.Template.Spec.RestartPolicy = policy
	job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "job", Image: image}}
	_, err := client.BatchV1().Jobs(namespace).Create(t.Context(), job, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func() error {
		job, err := client.BatchV1().Jobs(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range job.Status.Conditions {
			if condition.Type == want && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("job %s is not %s: %+v", name, want, job.Status)
	})
}

func bindsClaims(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	namespace := newNamespace(t, client, "claims")
	for name, class := range map[string]*string{"default": nil, "waiting": new("kwok-volume-wait")} {
		claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}}
		claim.Spec.StorageClassName = class
		claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
		set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name}}
		set.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
		set.Spec.Template.Labels = set.Spec.Selector.MatchLabels
		set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "db", Image: "db:1"}}
		set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{claim}
		_, err := client.AppsV1().StatefulSets(namespace).Create(t.Context(), set, metav1.CreateOptions{})
		require.NoError(t, err)
		eventually(t, func() error {
			set, err := client.AppsV1().StatefulSets(namespace).Get(t.Context(), name, metav1.GetOptions{})
			if err == nil && set.Status.AvailableReplicas != 1 {
				err = fmt.Errorf("%s: %+v", name, set.Status)
			}
			return err
		})
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "alone"}}
	claim.Spec.StorageClassName = new("kwok-volume-wait")
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	_, err := client.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), claim, metav1.CreateOptions{})
	require.NoError(t, err)
	bound, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "data-waiting-0", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.ClaimBound, bound.Status.Phase)
	alone, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "alone", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.ClaimPending, alone.Status.Phase, "nobody has asked for it")

	require.NoError(t, client.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}))
	eventually(t, func() error {
		volume, err := client.CoreV1().PersistentVolumes().Get(t.Context(), bound.Spec.VolumeName, metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("volume %s is still %s", volume.Name, volume.Status.Phase)
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

const bucketCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: buckets.storage.acme.example}
spec:
  group: storage.acme.example
  names: {kind: Bucket, plural: buckets, singular: bucket, listKind: BucketList}
  scope: Namespaced
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func hasBuckets(t *testing.T, r *running, core kubernetes.Interface) {
	t.Helper()
	client, err := dynamic.NewForConfig(r.config(t, "dev"))
	require.NoError(t, err)
	var crd map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(bucketCRD), &crd))
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	_, err = definitions.Create(t.Context(), &unstructured.Unstructured{Object: crd}, metav1.CreateOptions{})
	require.NoError(t, err)

	namespace := newNamespace(t, core, "buckets")
	buckets := client.Resource(schema.GroupVersionResource{Group: "storage.acme.example", Version: "v1alpha1", Resource: "buckets"}).Namespace(namespace)
	bucket := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "storage.acme.example/v1alpha1",
		"kind":       "Bucket",
		"metadata":   map[string]any{"name": "photos"},
		"spec":       map[string]any{"region": "nowhere", "versioned": true, "size": "1Gi"},
	}}
	eventually(t, func() error {
		_, err := buckets.Create(t.Context(), bucket, metav1.CreateOptions{})
		return err // until the kind is served
	})
	status := requireBucketStatus(t, buckets, 1)
	require.Equal(t, "Failed", status["phase"])
	require.Equal(t, false, status["ready"])
	condition := status["conditions"].([]any)[0].(map[string]any)
	require.Equal(t, "Ready", condition["type"])
	require.Equal(t, "False", condition["status"])
	require.Equal(t, "InvalidRegion", condition["reason"])
	require.Equal(t, `there is no region "nowhere"`, condition["message"])

	found, err := buckets.Get(t.Context(), "photos", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, unstructured.SetNestedField(found.Object, "eu", "spec", "region"))
	_, err = buckets.Update(t.Context(), found, metav1.UpdateOptions{})
	require.NoError(t, err)
	status = requireBucketStatus(t, buckets, 2)
	require.Equal(t, true, status["ready"])
	require.Equal(t, "https://buckets-photos.eu.storage.acme.example", status["endpoint"])
}

// requireBucketStatus waits for the status that belongs to a generation of the bucket.
func requireBucketStatus(t *testing.T, buckets dynamic.ResourceInterface, generation int64) map[string]any {
	t.Helper()
	var status map[string]any
	eventually(t, func() error {
		bucket, err := buckets.Get(t.Context(), "photos", metav1.GetOptions{})
		if err != nil {
			return err
		}
		status, _, _ = unstructured.NestedMap(bucket.Object, "status")
		if observed := status["observedGeneration"]; observed != generation {
			return fmt.Errorf("status is of generation %v, not %d", observed, generation)
		}
		return nil
	})
	return status
}
