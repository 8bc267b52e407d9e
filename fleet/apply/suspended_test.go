package apply_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// reports has the controller of a workload of apps/v1 report a status, as JSON, for the present generation.
func (r *rig) reports(resource, name, status string) {
	r.Helper()
	gvr := appsv1.SchemeGroupVersion.WithResource(resource)
	live, err := r.dynamic.Resource(gvr).Namespace(r.team).Get(background, name, metav1.GetOptions{})
	require.NoError(r, err)
	patch := fmt.Sprintf(`{"status":{"observedGeneration":%d,%s}}`, live.GetGeneration(), status[1:len(status)-1])
	_, err = r.dynamic.Resource(gvr).Namespace(r.team).Patch(background, name, "application/merge-patch+json", []byte(patch),
		metav1.PatchOptions{}, "status")
	require.NoError(r, err)
}

func suspendable(kind, spec, image string) string {
	return `{apiVersion: apps/v1, kind: ` + kind + `, metadata: {name: agent}, spec: {` + spec + ` selector: {matchLabels: {app: agent}},
  template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: app, image: "` + image + `"}]}}}}`
}

// TestWhatDoesNotRollOutByItselfIsSuspended plays the controllers of workloads whose manifest asks that their pods stay.
func TestWhatDoesNotRollOutByItselfIsSuspended(t *testing.T) {
	for name, c := range map[string]struct {
		resource, kind, spec string
		whole                string // the status of the first revision
		waits                string // the status of the second, which nothing brings out
		why                  string
		fails, arrives       string // when pods of the second are there
	}{
		"DaemonSet": {
			resource: "daemonsets", kind: "DaemonSet", spec: "updateStrategy: {type: OnDelete},",
			whole:   `{"desiredNumberScheduled":3,"currentNumberScheduled":3,"numberMisscheduled":0,"numberReady":3,"updatedNumberScheduled":3,"numberAvailable":3}`,
			waits:   `{"updatedNumberScheduled":0}`,
			why:     "waits for its pods to be deleted: 3 of 3 are of the revision before",
			fails:   `{"updatedNumberScheduled":1,"numberReady":2,"numberAvailable":2}`,
			arrives: `{"updatedNumberScheduled":3,"numberReady":3,"numberAvailable":3}`,
		},
		"StatefulSet": {
			resource: "statefulsets", kind: "StatefulSet", spec: "replicas: 3, serviceName: agent, updateStrategy: {type: OnDelete},",
			whole:   `{"replicas":3,"readyReplicas":3,"availableReplicas":3,"currentReplicas":3,"updatedReplicas":3,"currentRevision":"a","updateRevision":"a"}`,
			waits:   `{"updatedReplicas":0,"updateRevision":"b"}`,
			why:     "waits for its pods to be deleted: 3 of 3 are of the revision before",
			fails:   `{"updatedReplicas":1,"readyReplicas":2,"availableReplicas":2}`,
			arrives: `{"updatedReplicas":3,"readyReplicas":3,"availableReplicas":3}`,
		},
		"partition": {
			resource: "statefulsets", kind: "StatefulSet", spec: "replicas: 3, serviceName: agent, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 3}},",
			whole:   `{"replicas":3,"readyReplicas":3,"availableReplicas":3,"currentReplicas":3,"updatedReplicas":3,"currentRevision":"a","updateRevision":"a"}`,
			waits:   `{"updatedReplicas":0,"updateRevision":"b"}`,
			why:     "its partition of 3 leaves 3 of 3 pods at the revision before",
			fails:   `{"updatedReplicas":1,"readyReplicas":2,"availableReplicas":2}`,
			arrives: `{"updatedReplicas":1,"readyReplicas":3}`,
		},
		"Deployment": {
			resource: "deployments", kind: "Deployment", spec: "replicas: 2, paused: true,",
			whole:   `{"replicas":2,"readyReplicas":2,"availableReplicas":2,"updatedReplicas":2,"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}`,
			waits:   `{"updatedReplicas":0}`,
			why:     "is paused: 2 of 2 pods are of the revision before until spec.paused is false",
			fails:   `{"updatedReplicas":1,"availableReplicas":1,"readyReplicas":1}`,
			arrives: `{"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &apiOnly)
			one, two := r.instance("web", suspendable(c.kind, c.spec, "nginx:1")), r.instance("web", suspendable(c.kind, c.spec, "nginx:2"))
			r.visit(one)
			r.reports(c.resource, "agent", c.whole)
			r.healthy(one)
			require.Equal(t, state.Progressing, r.visit(two).Health, "its controller has not seen it")
			r.reports(c.resource, "agent", c.waits)
			result := r.until(two, func(result apply.Result) bool { return result.Health == state.Suspended })
			require.Equal(t, c.why, result.Objects[0].Message)
			require.True(t, result.Settled)
			require.False(t, result.Stuck)
			r.reports(c.resource, "agent", c.fails)
			r.until(two, func(result apply.Result) bool { return result.Health == state.Progressing })
			r.reports(c.resource, "agent", c.arrives)
			r.healthy(two)
		})
	}
}

func TestASuspendedJobWaits(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", "{apiVersion: batch/v1, kind: Job, metadata: {name: manual}, spec: {suspend: true, "+
		"template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}")
	result := r.until(in, func(result apply.Result) bool { return result.Health == state.Suspended })
	require.Equal(t, "is suspended: it runs once spec.suspend is false", result.Objects[0].Message)
}

// TestASuspendedCronJobIsAsAsked: one that is not suspended is healthy without having run either.
func TestASuspendedCronJobIsAsAsked(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", "{apiVersion: batch/v1, kind: CronJob, metadata: {name: web}, spec: {suspend: true, schedule: '* * * * *', "+
		"jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}}}")
	require.Equal(t, state.Healthy, r.visit(in).Health)
}

// TestAStepWaitsForWhatIsSuspended: nothing of a later step begins, and that is nobody's failure.
func TestAStepWaitsForWhatIsSuspended(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents("{apiVersion: batch/v1, kind: Job, metadata: {name: manual}, spec: {suspend: true, "+
		"template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: later, annotations: {transom.dev/step: '1'}}}"))
	result := r.until(in, func(result apply.Result) bool { return result.Health == state.Suspended })
	require.Equal(t, state.Suspended, result.Objects[1].Health)
	require.Contains(t, result.Objects[1].Message, "waits for Job.batch "+r.team+"/manual of step 0: is suspended")
	require.Contains(t, result.Message, "step 1 waits for it")
	in.Health = []platform.Health{{Group: "batch", Kind: "Job", Applied: true}}
	r.healthy(in)
}

// TestWhatPodsOfBeforeUseStays until they are gone.
func TestWhatPodsOfBeforeUseStays(t *testing.T) {
	r := newRig(t, &apiOnly)
	const spec = "updateStrategy: {type: OnDelete},"
	one := r.instance("web", documents(suspendable("DaemonSet", spec, "nginx:1"), configMap("one", "1")))
	two := r.instance("web", documents(suspendable("DaemonSet", spec, "nginx:2"), configMap("two", "2")))
	r.visit(one)
	const whole = `{"desiredNumberScheduled":1,"currentNumberScheduled":1,"numberMisscheduled":0,"numberReady":1,"updatedNumberScheduled":1,"numberAvailable":1}`
	r.reports("daemonsets", "agent", whole)
	r.healthy(one)
	r.visit(two)
	r.reports("daemonsets", "agent", `{"updatedNumberScheduled":0}`)
	r.until(two, func(result apply.Result) bool { return result.Health == state.Suspended && result.Settled })
	_, err := r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "one", metav1.GetOptions{})
	require.NoError(t, err)
	r.reports("daemonsets", "agent", whole)
	r.healthy(two)
	_, err = r.kube.CoreV1().ConfigMaps(r.team).Get(t.Context(), "one", metav1.GetOptions{})
	require.Error(t, err)
}

func stage(name string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, labels: {stage: '" + name + "'}}}"
}

// TestAHealthEntryForABuiltinKindActs on a kind that is judged by its status otherwise, and on one that has none.
func TestAHealthEntryForABuiltinKindActs(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", documents(deployment("web", "nginx:1"), stage("no")))
	in.Health = []platform.Health{
		{Group: "apps", Kind: "Deployment", Healthy: "status.readyReplicas >= 1", Failed: "status.replicas == 9"},
		{Kind: "ConfigMap", Healthy: `metadata.labels.stage == "yes"`},
	}
	result := r.visit(in)
	require.Equal(t, state.Progressing, result.Objects[0].Health)
	require.Equal(t, "waiting for metadata.labels.stage == \"yes\"", result.Objects[1].Message)

	in.Manifests = r.label(in.Owner, r.team, documents(deployment("web", "nginx:1"), stage("yes")))
	r.reports("deployments", "web", `{"replicas":3,"readyReplicas":1,"updatedReplicas":1}`)
	r.healthy(in)
	r.quiet()
	r.calls.take()
	_, err := r.Look(t.Context(), in)
	require.NoError(t, err, "at rest nothing is asked")
	require.Empty(t, r.calls.take())

	r.reports("deployments", "web", `{"replicas":9}`)
	result = r.until(in, func(result apply.Result) bool { return result.Health == state.Failed })
	require.Equal(t, "its status matches status.replicas == 9", result.Objects[0].Message)

	in.Health = []platform.Health{{Group: "apps", Kind: "Deployment", Applied: true}}
	r.healthy(in)
}

func TestAHealthEntryForASecretReadsNoValue(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", "{apiVersion: v1, kind: Secret, metadata: {name: web, annotations: {transom.dev/generate: password}}}")
	in.Health = []platform.Health{{Kind: "Secret", Healthy: `metadata.name == "web" && !has(metadata.nothing)`}}
	var whole atomic.Bool
	r.calls.failing(func(request *http.Request) error {
		if strings.HasSuffix(request.URL.Path, "/secrets/web") && !strings.Contains(request.Header.Get("Accept"), "PartialObjectMetadata") {
			whole.Store(whole.Load() || request.Method == http.MethodGet)
		}
		return nil
	})
	r.healthy(in)
	require.False(t, whole.Load())
}

// TestAHealthEntryIsHeardOf: changes of the fields that its expression reads are told although nothing else is judged by them.
func TestAHealthEntryIsHeardOf(t *testing.T) {
	r := newRig(t, &apiOnly)
	in := r.instance("web", strings.Replace(service("web"), "spec:\n", "spec:\n  type: LoadBalancer\n", 1))
	in.Health = []platform.Health{{Kind: "Service", Healthy: `has(status.loadBalancer.ingress)`}}
	require.Equal(t, state.Progressing, r.visit(in).Health)
	r.quiet()
	_, err := r.kube.CoreV1().Services(r.team).Patch(t.Context(), "web", "application/merge-patch+json",
		[]byte(`{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	r.told(in.Owner)
	r.healthy(in)
}

func TestWholeClusterSuspendsADaemonSetUntilItsPodsAreDeleted(t *testing.T) {
	r := newRig(t, &whole)
	const spec = "updateStrategy: {type: OnDelete},"
	one, two := r.instance("web", suspendable("DaemonSet", spec, "nginx:1")), r.instance("web", suspendable("DaemonSet", spec, "nginx:2"))
	r.healthy(one)
	result := r.until(two, func(result apply.Result) bool { return result.Health == state.Suspended })
	require.Regexp(t, `waits for its pods to be deleted: (\d+) of (\d+) are of the revision before$`, result.Message)
	require.NoError(t, r.kube.CoreV1().Pods(r.team).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=agent"}))
	r.healthy(two)

	bad := r.instance("web", suspendable("DaemonSet", spec, "nginx:broken"))
	r.until(bad, func(result apply.Result) bool { return result.Health == state.Suspended })
	require.NoError(t, r.kube.CoreV1().Pods(r.team).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=agent"}))
	result = r.until(bad, func(result apply.Result) bool { return result.Stuck })
	require.Equal(t, state.Progressing, result.Health, "pods of this revision cannot start")
}

func TestWholeClusterSuspendsAPausedDeployment(t *testing.T) {
	r := newRig(t, &whole)
	r.healthy(r.instance("web", suspendable("Deployment", "replicas: 2,", "nginx:1")))
	paused := r.instance("web", suspendable("Deployment", "replicas: 2, paused: true,", "nginx:2"))
	result := r.until(paused, func(result apply.Result) bool { return result.Health == state.Suspended })
	require.Contains(t, result.Message, "is paused: 2 of 2 pods are of the revision before")
	r.healthy(r.instance("web", suspendable("Deployment", "replicas: 2,", "nginx:2")))
}
