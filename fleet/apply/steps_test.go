package apply_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/state"
)

// inStep puts an object of the tests into a step.
func inStep(step, object string) string {
	return annotated(object, `transom.dev/step: "`+step+`"`)
}

// annotated gives an object of the tests an annotation.
func annotated(object, annotation string) string {
	return strings.Replace(object, "metadata: {name: ", "metadata: {annotations: {"+annotation+"}, name: ", 1)
}

func job(name, image string) string {
	return "{apiVersion: batch/v1, kind: Job, metadata: {name: " + name + "}, spec: {template: {spec: {restartPolicy: Never, " +
		"containers: [{name: a, image: " + image + "}]}}}}"
}

// jobIs writes the status of a Job as its controller would.
func (r *rig) jobIs(name string, conditions ...batchv1.JobConditionType) {
	r.Helper()
	j, err := r.kube.BatchV1().Jobs(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	now := metav1.Now()
	if j.Status.StartTime == nil {
		j.Status.StartTime = &now
	}
	j.Status.Active, j.Status.UncountedTerminatedPods = 1, &batchv1.UncountedTerminatedPods{}
	for _, c := range conditions {
		j.Status.Active = 0
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: c, Status: "True", LastTransitionTime: now})
		switch c {
		case batchv1.JobComplete:
			j.Status.Succeeded, j.Status.CompletionTime = 1, &now
		case batchv1.JobFailed:
			j.Status.Failed = 1
		}
	}
	_, err = r.kube.BatchV1().Jobs(r.team).UpdateStatus(background, j, metav1.UpdateOptions{})
	require.NoError(r, err)
}

func (r *rig) deploymentExists(name string) bool {
	r.Helper()
	_, err := r.kube.AppsV1().Deployments(r.team).Get(background, name, metav1.GetOptions{})
	if err != nil {
		require.True(r, apierrors.IsNotFound(err), err)
	}
	return err == nil
}

// migrated is a Deployment that comes after a Job.
func (r *rig) migrated(image string) apply.Instance {
	return r.instance("web", documents(configMap("web", "1"), inStep("1", deployment("web", image)), job("migrate", "nginx:1")))
}

func TestAStepWaitsForTheHealthOfTheOneBefore(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.migrated("nginx:1")
	result := r.until(in, func(result apply.Result) bool { return strings.Contains(result.Message, "Job not started") })
	require.True(t, result.Settled, "an event brings the next pass")
	require.True(t, r.exists("web"))
	require.False(t, r.deploymentExists("web"))
	require.Equal(t, state.Progressing, result.Health)
	require.Equal(t, "Job.batch "+r.team+"/migrate: Job not started; step 1 waits for it", result.Message)
	require.Equal(t, "Job.batch "+r.team+"/migrate", result.Object)
	require.Equal(t, "step 1 waits for Job.batch "+r.team+"/migrate of step 0: Job not started", result.Objects[1].Message)

	r.jobIs("migrate")
	const running = "step 1 waits for Job.batch %s/migrate of step 0: it is still running"
	result = r.until(in, func(result apply.Result) bool { return strings.Contains(result.Message, "still running") })
	require.Equal(t, "Deployment.apps "+r.team+"/web: "+strings.Replace(running, "%s", r.team, 1), result.Message)
	require.True(t, result.Settled, "an event brings the next pass")
	require.Empty(t, result.Changes)
	require.False(t, r.deploymentExists("web"))

	r.quiet()
	r.jobIs("migrate", batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
	r.told(in.Owner)
	r.until(in, func(apply.Result) bool { return r.deploymentExists("web") })
	r.available("web")
	r.healthy(in)

	// An object that is unchanged and healthy delays nothing, and at rest nothing is called.
	r.quiet()
	r.calls.take()
	require.Empty(t, r.visit(in).Changes)
	require.Empty(t, r.calls.take())
	require.Equal(t, map[string]apply.Action{"Deployment web": apply.Configured}, actions(r.visit(r.migrated("nginx:2"))))
	require.Equal(t, []string{"PATCH /apis/apps/v1/namespaces/" + r.team + "/deployments/web"}, r.calls.take())
}

func TestAFailedStepStopsTheLaterOnesOfItsInstanceAlone(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.migrated("nginx:1")
	r.visit(in)
	r.jobIs("migrate", batchv1.JobFailureTarget, batchv1.JobFailed)
	result := r.until(in, func(result apply.Result) bool { return result.Health == state.Failed })
	require.Equal(t, "Job.batch "+r.team+"/migrate: Job Failed. failed: 1/1; step 1 is not applied", result.Message)
	require.Equal(t, "step 1 is not applied, because Job.batch "+r.team+"/migrate of step 0 failed: Job Failed. failed: 1/1",
		result.Objects[1].Message)
	require.False(t, r.deploymentExists("web"))
	r.healthy(r.instance("other", documents(configMap("other-a", "1"), inStep("1", configMap("other-b", "1")))))
}

func TestARefusedStepStopsTheLaterOnes(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(
		"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 99999}]}}", inStep("1", configMap("web-b", "1"))))
	result := r.visit(in)
	require.Len(t, result.Problems, 1)
	require.Equal(t, state.Failed, result.Health)
	require.Contains(t, result.Objects[1].Message, "step 1 is not applied, because Service "+r.team+"/web of step 0 failed: the API server refused it")
	require.False(t, r.exists("web-b"))
	require.False(t, result.Settled)
}

func TestStepsAscendFromBelowZero(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.calls.take()
	r.visit(r.instance("web", documents(
		inStep("10", configMap("e", "1")), inStep("-1", configMap("b", "1")), configMap("c", "1"), inStep("2", configMap("d", "1")),
		inStep("-1", deployment("web", "nginx:1")))))
	var made []string
	for _, call := range writes(r.calls.take()) {
		if name, isConfigMap := strings.CutPrefix(call, "PATCH /api/v1/namespaces/"+r.team+"/configmaps/"); isConfigMap {
			made = append(made, name)
		}
	}
	require.Equal(t, []string{"b"}, made, "the Deployment of the first step is not healthy")
	r.available("web")
	r.until(r.instance("web", documents(
		inStep("10", configMap("e", "1")), inStep("-1", configMap("b", "1")), configMap("c", "1"), inStep("2", configMap("d", "1")),
		inStep("-1", deployment("web", "nginx:1")))), func(result apply.Result) bool { return result.Health == state.Healthy })
	made = nil
	for _, call := range writes(r.calls.take()) {
		made = append(made, call[strings.LastIndex(call, "/")+1:])
	}
	require.Equal(t, []string{"c", "d", "e"}, made)
}

func TestAClaimThatWaitsForItsFirstConsumerHoldsNoStep(t *testing.T) {
	r := newRig(t, &apiOnly)
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	_, err := r.kube.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: r.team}, Provisioner: "example.com/none", VolumeBindingMode: &wait,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	claim := "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {storageClassName: " + r.team +
		", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"
	r.healthy(r.instance("web", documents(claim, inStep("1", configMap("web", "1")))))
	require.True(t, r.exists("web"))
}

func TestPruningWaitsForEveryStep(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.healthy(r.instance("web", documents(configMap("old", "1"), configMap("web", "1"))))
	in := r.instance("web", documents(configMap("web", "1"), inStep("1", deployment("web", "nginx:1")), inStep("2", configMap("last", "1"))))
	r.visit(in)
	r.quiet()
	require.Contains(t, r.visit(in).Objects[2].Message, "step 2 waits for Deployment.apps")
	require.True(t, r.exists("old"))
	r.available("web")
	r.until(in, func(result apply.Result) bool { return actions(result)["ConfigMap old"] == apply.Pruned })
	require.True(t, r.exists("last"))
}

// An object at its revision is kept as it is, however the objects of the steps before it do.
func TestDriftOfALaterStepIsCorrectedAllTheSame(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(deployment("db", "nginx:1"), inStep("1", deployment("web", "nginx:1"))))
	r.visit(in)
	r.available("db")
	r.until(in, func(apply.Result) bool { return r.deploymentExists("web") })
	r.available("web")
	r.healthy(in)
	r.deploymentStatus("db", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1})
	r.until(in, func(result apply.Result) bool { return result.Health == state.Progressing })
	r.edit("web", "kubectl-edit", `{"spec":{"replicas":7}}`)
	r.until(in, func(apply.Result) bool { return r.replicas("web") == 1 })
	require.Equal(t, state.Progressing, r.visit(in).Health)
}

func TestAStepThatCannotBeObeyedIsRefused(t *testing.T) {
	r := newRig(t, &apiOnly)
	result := r.visit(r.instance("web", inStep("first", configMap("web", "1"))))
	require.Equal(t, `ConfigMap `+r.team+`/web: transom.dev/step: "first" is no integer; write one, such as "1"`, result.Problems[0].String())
	in := r.instance("web", configMap("web", "1"))
	in.NamespaceManifest = r.label(apply.Owner{Environment: "test", Team: r.team}, "",
		"{apiVersion: v1, kind: Namespace, metadata: {name: "+r.team+", annotations: {transom.dev/step: \"1\"}}}")
	require.Contains(t, r.visit(in).Problems[0].String(), "transom.dev/step is for the objects of an instance, and this is none's")
	require.Empty(t, writes(r.calls.take()))
}

func TestWholeClusterMigratesBeforeItDeploys(t *testing.T) {
	r := newRig(t, &whole)
	in := r.migrated("nginx:1")
	r.healthy(in)
	j, err := r.kube.BatchV1().Jobs(r.team).Get(t.Context(), "migrate", metav1.GetOptions{})
	require.NoError(t, err)
	d, err := r.kube.AppsV1().Deployments(r.team).Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, j.Status.CompletionTime)
	require.False(t, d.CreationTimestamp.Before(j.Status.CompletionTime), "%s, %s", d.CreationTimestamp, j.Status.CompletionTime)
	r.quiet()
	r.calls.take()
	require.Empty(t, r.visit(in).Changes)
	require.Empty(t, r.calls.take())
}
