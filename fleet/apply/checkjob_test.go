package apply_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/sealed"
	"transom.dev/render/state"
)

// checkOf is a check of an instance's namespace: a Job whose pods have an image with that tag, and its ConfigMap.
func (r *rig) checkOf(name, tag string) apply.CheckJob {
	labels := fmt.Sprintf("{transom.dev/check: smoke, transom.dev/environment: test, transom.dev/team: %s}", r.team)
	return apply.CheckJob{Deadline: time.Minute, Log: true, Manifest: []byte(fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s-script, namespace: %[2]s, labels: %[3]s}
data: {url: http://web}
---
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s, namespace: %[2]s, labels: %[3]s}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 3600
  template:
    spec:
      restartPolicy: Never
      containers: [{name: smoke, image: 'registry.example.com/smoke:%[4]s', envFrom: [{configMapRef: {name: %[1]s-script}}]}]
`, name, r.team, labels, tag))}
}

// eventuallyNoJob waits until nothing of a check is there any more.
func (r *rig) eventuallyNoJob(name string) {
	r.Helper()
	require.Eventually(r, func() bool {
		_, job := r.kube.BatchV1().Jobs(r.team).Get(background, name, metav1.GetOptions{})
		_, script := r.kube.CoreV1().ConfigMaps(r.team).Get(background, name+"-script", metav1.GetOptions{})
		return apierrors.IsNotFound(job) && apierrors.IsNotFound(script)
	}, patience, 200*time.Millisecond, "the Job %s and its ConfigMap stay", name)
}

// TestTheJobOfACheckRunsToItsEndAndGoes, whether it passes or fails, and the instance beside which it runs hears nothing of it.
func TestTheJobOfACheckRunsToItsEndAndGoes(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", configMap("web", "1"))
	before := r.healthy(in)

	result, err := r.RunCheck(t.Context(), in, r.checkOf("good", "1"))
	require.NoError(t, err)
	require.Equal(t, apply.CheckResult{Passed: true}, result)
	r.eventuallyNoJob("good")

	result, err = r.RunCheck(t.Context(), in, r.checkOf("bad", "crash"))
	require.NoError(t, err)
	require.False(t, result.Passed)
	require.Contains(t, result.Message, "Job.batch "+r.team+"/bad failed: BackoffLimitExceeded: Job has reached the specified backoff limit")
	r.eventuallyNoJob("bad")

	again, err := r.RunCheck(t.Context(), in, r.checkOf("bad", "1"))
	require.NoError(t, err)
	require.True(t, again.Passed, "the end of a Job before says nothing about this one: %s", again.Message)

	after := r.visit(in)
	require.Equal(t, before.Objects, after.Objects)
	require.Empty(t, after.Changes)
	require.NotContains(t, r.inventory("web"), "good")
}

// TestAJobThatIsOnItsWayIsWaitedFor, as after a daemon that died, and one that ended before is run anew.
func TestAJobThatIsOnItsWayIsWaitedFor(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	of := r.checkOf("smoke", "1")

	died, die := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := r.RunCheck(died, in, of)
		gone <- err
	}()
	job := r.job("smoke")
	require.Equal(t, int64(60), *job.Spec.ActiveDeadlineSeconds, "the check's deadline, which is shorter than the Job's own")
	require.Equal(t, int32(600), *job.Spec.TTLSecondsAfterFinished, "the cluster deletes what nobody does")
	require.Eventually(t, func() bool {
		script, err := r.kube.CoreV1().ConfigMaps(r.team).Get(background, "smoke-script", metav1.GetOptions{})
		return err == nil && script.OwnerReferences[0].UID == job.UID
	}, patience, 50*time.Millisecond)
	die()
	require.Error(t, <-gone)

	r.connect()
	answer := make(chan apply.CheckResult, 1)
	go func() {
		result, err := r.RunCheck(t.Context(), in, of)
		if err != nil {
			result.Message = err.Error()
		}
		answer <- result
	}()
	node := r.kubelet(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "GET http://web\n\x1b[31manswered   500\n")
	})
	r.failedPod(node, "smoke")
	r.ends(job, batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"})
	require.Equal(t, apply.CheckResult{Message: "Job.batch " + r.team + "/smoke failed: BackoffLimitExceeded: Job has reached the specified backoff limit; " +
		"its log ends with \x1b[31manswered 500"}, <-answer)
	now, err := r.kube.BatchV1().Jobs(r.team).Get(t.Context(), "smoke", metav1.GetOptions{})
	require.NoError(t, err, "nobody collects garbage here")
	require.NotNil(t, now.DeletionTimestamp)
	require.Contains(t, now.Finalizers, metav1.FinalizerDeleteDependents)
}

// TestACheckBringsItsImagePullSecrets, opened, and is not begun where they cannot be opened.
func TestACheckBringsItsImagePullSecrets(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	v := newVault(t)
	in.Keys = v.open
	of := r.checkOf("smoke", "1")
	pulls := func(environment string) apply.CheckJob {
		with := of
		secret := v.pullSecret(sealed.Subject{Environment: environment, PullSecret: "registry"}, `{"auths":{}}`)
		with.Manifest = append(bytes.Clone(of.Manifest), "---\n"+strings.Replace(secret, "  name: shop-registry\n",
			"  name: smoke-registry\n  namespace: "+r.team+"\n  labels: {transom.dev/check: smoke}\n", 1)...)
		return with
	}

	_, err := r.RunCheck(t.Context(), in, pulls("prod"))
	require.ErrorContains(t, err, "Secret "+r.team+"/smoke-registry: its values cannot be opened: it is sealed for another image pull secret or environment than test/registry")
	_, err = r.kube.BatchV1().Jobs(r.team).Get(t.Context(), "smoke", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))

	answer := make(chan error, 1)
	go func() {
		_, err := r.RunCheck(t.Context(), in, pulls("test"))
		answer <- err
	}()
	job := r.job("smoke")
	require.Eventually(t, func() bool {
		secret, err := r.kube.CoreV1().Secrets(r.team).Get(background, "smoke-registry", metav1.GetOptions{})
		return err == nil && secret.OwnerReferences[0].UID == job.UID && string(secret.Data[sealed.PullKey]) == `{"auths":{}}` && string(secret.Type) == sealed.PullType
	}, patience, 50*time.Millisecond)
	r.ends(job, batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"})
	require.NoError(t, <-answer)
}

// TestAJobThatAnotherQuestionRunsIsWaitedFor, and run anew then: the runs of two questions may have a placement in common.
func TestAJobThatAnotherQuestionRunsIsWaitedFor(t *testing.T) {
	r := newRig(t, &whole)
	in := r.instance("web", configMap("web", "1"))
	r.healthy(in)
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			result, err := r.RunCheck(t.Context(), in, r.checkOf("smoke", "1"))
			if err == nil && !result.Passed {
				err = errors.New(result.Message)
			}
			errs <- err
		}()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	r.eventuallyNoJob("smoke")
}

// TestAJobThatNeverEndsIsDeletedInTheEnd, as one that somebody suspended, and another daemon does not take one of another manifest for its own.
func TestAJobThatNeverEndsIsDeletedInTheEnd(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	died := func(name string, of apply.CheckJob) *batchv1.Job {
		ctx, die := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := r.RunCheck(ctx, in, of)
			gone <- err
		}()
		job := r.job(name)
		die()
		require.Error(t, <-gone)
		require.Nil(t, r.job(name).DeletionTimestamp, "the next daemon waits for it")
		return job
	}
	of := r.checkOf("stuck", "1")
	of.Manifest = of.Manifest[bytes.Index(of.Manifest, []byte("---\n"))+4:] // its Job
	died("stuck", of)
	of.Deadline = 2*time.Second - time.Minute // less than the minute that a Job may take to be told as ended
	_, err := r.RunCheck(t.Context(), in, of)
	require.ErrorContains(t, err, "has not ended within")
	require.NotNil(t, r.job("stuck").DeletionTimestamp)

	of = r.checkOf("changed", "1")
	of.Manifest = of.Manifest[bytes.Index(of.Manifest, []byte("---\n"))+4:]
	first := died("changed", of)
	of.Manifest = bytes.ReplaceAll(of.Manifest, []byte("smoke:1'"), []byte("smoke:2'"))
	of.Deadline = 3*time.Second - time.Minute
	_, err = r.RunCheck(t.Context(), in, of)
	require.ErrorContains(t, err, "of the time before is still being deleted", "nobody collects garbage here")
	now := r.job("changed")
	require.Equal(t, first.UID, now.UID)
	require.NotNil(t, now.DeletionTimestamp)
}

// TestLeftoversOfChecksAreSwept: the Jobs of an environment that nobody waits for, and no others.
func TestLeftoversOfChecksAreSwept(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	in.Environment = r.team // other tests have Jobs beside instances of theirs
	for name, labels := range map[string]map[string]string{
		"left":   {state.LabelCheck: "smoke", state.LabelEnvironment: r.team},
		"other":  {state.LabelCheck: "smoke", state.LabelEnvironment: "elsewhere"},
		"mine":   {state.LabelEnvironment: r.team},
		"theirs": {state.LabelCheck: "smoke", state.LabelEnvironment: r.team, state.LabelManagedBy: state.ManagedBy}, // of an instance whose version has the label
	} {
		_, err := r.kube.BatchV1().Jobs(r.team).Create(t.Context(), &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "a"}},
			}}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	of := r.checkOf("smoke", "1")
	of.Manifest = bytes.ReplaceAll(of.Manifest, []byte("environment: test"), []byte("environment: "+r.team))
	running, stop := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := r.RunCheck(running, in, of)
		gone <- err
	}()
	r.job("smoke")
	require.NoError(t, r.SweepChecks(t.Context(), in))
	require.NotNil(t, r.job("left").DeletionTimestamp)
	require.Nil(t, r.job("other").DeletionTimestamp)
	require.Nil(t, r.job("mine").DeletionTimestamp)
	require.Nil(t, r.job("theirs").DeletionTimestamp)
	require.Nil(t, r.job("smoke").DeletionTimestamp)
	stop()
	require.Error(t, <-gone)
	require.NoError(t, r.SweepChecks(t.Context(), in))
	require.NotNil(t, r.job("smoke").DeletionTimestamp)
}

// TestTheJobOfACheckIsWrittenAsTheAccountOfItsTeam, and where that may not, or a quota refuses it, there is no result and no Job.
func TestTheJobOfACheckIsWrittenAsTheAccountOfItsTeam(t *testing.T) {
	r := newRig(t, &whole)
	in := r.tenant("web", configMap("web", "1"))
	r.healthy(in)
	_, err := r.RunCheck(t.Context(), in, r.checkOf("smoke", "1"))
	require.ErrorContains(t, err, `User "system:serviceaccount:`+r.team+`:deployer" cannot create resource "jobs"`)
	require.ErrorContains(t, err, "bind ServiceAccount "+r.team+"/deployer to a role")

	own := r.instance("web", configMap("web", "1"))
	refused := apierrors.NewForbidden(corev1.Resource("configmaps"), "smoke-script", fmt.Errorf("exceeded quota: maps"))
	r.calls.failing(func(request *http.Request) error {
		if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "/configmaps") {
			return refused
		}
		return nil
	})
	_, err = r.RunCheck(t.Context(), own, r.checkOf("smoke", "1"))
	require.ErrorContains(t, err, "exceeded quota: maps")
	require.NotNil(t, r.job("smoke").DeletionTimestamp, "it is not left half made")
}

// TestNoCheckWritesOverWhatIsThere, outside its namespace, or objects that are none of a check.
func TestNoCheckWritesOverWhatIsThere(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", configMap("web", "1"))
	r.visit(in)
	_, err := r.kube.BatchV1().Jobs(r.team).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "smoke"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: "a"}},
		}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = r.RunCheck(t.Context(), in, r.checkOf("smoke", "1"))
	require.EqualError(t, err, "Job.batch "+r.team+"/smoke is there already, and is no check's; rename it")
	require.Nil(t, r.job("smoke").DeletionTimestamp)

	good := string(r.checkOf("other", "1").Manifest)
	script, job, _ := strings.Cut(good, "---\n")
	for bad, want := range map[string]string{
		strings.ReplaceAll(good, "namespace: "+r.team, "namespace: kube-system"): "the ConfigMap other-script of a check has to be in namespace " + r.team + ", with the label transom.dev/check",
		strings.ReplaceAll(good, "transom.dev/check", "transom.dev/cheque"):      "the ConfigMap other-script of a check has to be in namespace " + r.team + ", with the label transom.dev/check",
		strings.Replace(good, "kind: ConfigMap", "kind: Secret", 1):              "a check is one Job with ConfigMaps, not Secret other-script",
		good + "---\n" + job: "a check is one Job with ConfigMaps, not Job other",
		script:               "a check has no Job",
	} {
		_, err := r.RunCheck(t.Context(), in, apply.CheckJob{Manifest: []byte(bad), Deadline: time.Minute})
		require.EqualError(t, err, want)
	}
}

// job waits for a Job of the team.
func (r *rig) job(name string) (job *batchv1.Job) {
	r.Helper()
	require.Eventually(r, func() bool {
		found, err := r.kube.BatchV1().Jobs(r.team).Get(background, name, metav1.GetOptions{})
		job = found
		return err == nil
	}, patience, 50*time.Millisecond, "there is no Job %s", name)
	return job
}

// ends marks a Job as ended, as its controller would.
func (r *rig) ends(job *batchv1.Job, condition batchv1.JobCondition) {
	r.Helper()
	start := metav1.Now()
	job.Status.StartTime = &start
	job.Status.Conditions = []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: condition.Reason}, condition,
	}
	_, err := r.kube.BatchV1().Jobs(r.team).UpdateStatus(background, job, metav1.UpdateOptions{})
	require.NoError(r, err)
}

// failedPod is a pod of a Job that ended with code 1, on a node.
func (r *rig) failedPod(node, job string) {
	r.Helper()
	_, err := r.kube.CoreV1().ServiceAccounts(r.team).Create(background, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	require.NoError(r, err)
	pod, err := r.kube.CoreV1().Pods(r.team).Create(background, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: job + "-x", Labels: map[string]string{batchv1.JobNameLabel: job}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "smoke", Image: "a"}}},
	}, metav1.CreateOptions{})
	require.NoError(r, err)
	pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "smoke", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}},
	}}}
	_, err = r.kube.CoreV1().Pods(r.team).UpdateStatus(background, pod, metav1.UpdateOptions{})
	require.NoError(r, err)
}
