package apply_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"transom.dev/render"
	"transom.dev/render/platform"
)

const podSpec = "spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a%s}]}}}"

// mistaken is a Deployment with something more in its container.
func mistaken(more string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, " + strings.Replace(podSpec, "%s", more, 1) + "}"
}

// nightly is a CronJob.
func nightly(schedule, concurrency, restart string) string {
	return `{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {schedule: "` + schedule + `", concurrencyPolicy: ` + concurrency +
		`, jobTemplate: {spec: {template: {spec: {restartPolicy: ` + restart + `, containers: [{name: a, image: a}]}}}}}}`
}

// refusedObjects are mistakes, with the Problem that check has for each. An API server refuses each of them, too.
var refusedObjects = map[string]struct{ object, says string }{
	"two variables of a name": {
		mistaken(", env: [{name: L, value: a}, {name: L, value: b}]"),
		`spec.template.spec.containers[0].env[1]: Deployment x: is the second entry with name "L", after entry 0`,
	},
	"two ports of a key": {
		mistaken(", ports: [{containerPort: 80}, {containerPort: 80, protocol: TCP}]"),
		`ports[1]: Deployment x: is the second entry with containerPort "80" and protocol "TCP"`,
	},
	"a number for text":         {mistaken(", env: [{name: P, value: 8080}]"), "is an integer (8080) and must be a string; quote it"},
	"text for a list":           {mistaken(", args: a"), "is a string (a) and must be a list"},
	"text for a number":         {mistaken(`, ports: [{containerPort: "80"}]`), "must be an integer; write 80 without quotes"},
	"text for a boolean":        {mistaken(`, tty: "true"`), "must be true or false; write true without quotes"},
	"a fraction":                {mistaken(", ports: [{containerPort: 80.5}]"), "is a number (80.5) and must be an integer"},
	"a misspelt field":          {mistaken(", imagePullPolcy: Always"), `imagePullPolcy: Deployment x: unknown field; did you mean "imagePullPolicy"?`},
	"no quantity":               {mistaken(", resources: {limits: {memory: 1 Gi}}"), `"1 Gi" is no quantity`},
	"a label on a template":     {strings.Replace(mistaken(""), "labels: {app: a}", "labels: {app: a, v: a b}", 1), `"a b" is no value of a label`},
	"a number as a label there": {strings.Replace(mistaken(""), "labels: {app: a}", "labels: {app: a, v: 1.10}", 1), "is a number (1.10) and must be a string"},
	"a label":                   {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {v: '-a'}}}", `"-a" is no value of a label`},
	"an annotation's key":       {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, annotations: {a b: c}}}", `"a b" cannot be a key`},
	"large annotations": {
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, annotations: {a: " + strings.Repeat("a", 1<<18) + "}}}",
		"come to 262145 bytes, and may have 262144 together",
	},
	"a key of a ConfigMap":    {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a b: c}}", `"a b" cannot be a key`},
	"binary data that is not": {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, binaryData: {a: '?'}}", "is not base64"},
	"a number in a ConfigMap": {"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 1}}", "is an integer (1) and must be a string"},
	"a word in other letters": {mistaken(", imagePullPolicy: always"), `"always" is none of Always, IfNotPresent, Never; did you mean "Always"?`},
	"a type of Service": {
		"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: Loadbalancer, ports: [{port: 80}]}}", `did you mean "LoadBalancer"?`,
	},
	"a strategy":          {strings.Replace(mistaken(""), "spec: {", "spec: {strategy: {type: recreate}, ", 1), `"recreate" is none of RollingUpdate, Recreate`},
	"a schedule":          {nightly("every night", "Forbid", "Never"), `"every night" is no schedule`},
	"a concurrency":       {nightly("0 3 * * *", "forbid", "Never"), `did you mean "Forbid"?`},
	"pods without an end": {nightly("0 3 * * *", "Forbid", "Always"), "Always is refused of a Job"},
	"pods that say nothing": {
		"{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {template: {spec: {containers: [{name: a, image: a}]}}}}", "is missing, and a Job needs it",
	},
	"a removed version": {
		"{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: x}, spec: {schedule: '* * * * *'}}",
		"batch/v1beta1 CronJob was removed in Kubernetes 1.25; use batch/v1",
	},
	"a removed group": {
		"{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: x}}",
		"extensions/v1beta1 Ingress was removed in Kubernetes 1.22; use networking.k8s.io/v1",
	},
	"a version that never was": {"{apiVersion: apps/v2, kind: Deployment, metadata: {name: x}}", "Kubernetes has no apps/v2 Deployment; use apps/v1"},
}

// acceptedObjects are odd and no mistakes: an object that check refused here, an API server would have taken.
var acceptedObjects = map[string]string{
	"a schedule":    nightly("@every 1h", "Replace", "OnFailure"),
	"months":        nightly("*/5 0-6 * JAN MON-FRI", "Allow", "Never"),
	"nulls":         "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, creationTimestamp: null, labels: null, annotations: {}}, data: null, binaryData: {}}",
	"empty values":  mistaken(", command: null, args: [], env: [], resources: {}, livenessProbe: null"),
	"quantities":    mistaken(", resources: {limits: {cpu: 0.5e1, memory: '1073741824'}, requests: {cpu: 0.1, memory: 1024Mi}}"),
	"ports":         mistaken(", ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}], livenessProbe: {httpGet: {port: http}}"),
	"a whole float": mistaken(", ports: [{containerPort: 80.0}]"),
	"a service":     "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: '', externalIPs: [], ports: [{port: 80, targetPort: 80, nodePort: 0}]}}",
	"an odd key":    "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, annotations: {EXAMPLE.com/A_b: 'any text'}}, data: {.a: b}}",
}

func TestMistakesInBuiltinKindsAreProblemsAndRefusedByTheAPIServer(t *testing.T) {
	r := newRig(t, &apiOnly)
	r.namespace()
	for name, c := range refusedObjects {
		require.Error(t, r.tried(c.object), name)
		require.Contains(t, strings.Join(checked(t, c.object), "\n"), c.says, name)
	}
	for name, object := range acceptedObjects {
		require.NoError(t, r.tried(object), name)
		require.Empty(t, checked(t, object), name)
	}
	zone := nightly("CRON_TZ=UTC 0 3 * * *", "Forbid", "Never")
	require.ErrorContains(t, r.tried(zone), "timeZone", "the API server refuses a new CronJob and lets go on one that runs")
	require.Empty(t, checked(t, zone))
}

func TestKindsOfKubernetesAreNoCRDsToWaitFor(t *testing.T) {
	r := newRig(t, &apiOnly)
	result := r.visit(r.instance("web", "{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: web}, spec: {schedule: '* * * * *'}}"))
	require.Contains(t, result.Message, "the cluster serves no CronJob.batch in version v1beta1: batch/v1beta1 CronJob was removed in Kubernetes 1.25; use batch/v1")
	require.NotContains(t, result.Message, "CRD")
}

// namespace makes that of this test.
func (r *rig) namespace() {
	r.Helper()
	_, err := r.kube.CoreV1().Namespaces().Create(r.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.team}}, metav1.CreateOptions{})
	require.NoError(r, err)
}

// tried is the API server's answer to applying an object, as we apply.
func (r *rig) tried(object string) error {
	r.Helper()
	var u unstructured.Unstructured
	require.NoError(r, yaml.Unmarshal([]byte(object), &u.Object))
	body, err := json.Marshal(u.Object)
	require.NoError(r, err)
	resource, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
	force := true
	_, err = r.dynamic.Resource(resource).Namespace(r.team).Patch(r.Context(), "x", types.ApplyPatchType, body, metav1.PatchOptions{
		FieldManager: "transom", Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

// checked are the Problems of a platform with an offering of that object.
func checked(t *testing.T, object string) (problems []string) {
	t.Helper()
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"clusters/dev.yaml": "{apiVersion: transom.dev/v1alpha1, kind: Cluster, metadata: {name: dev}, spec: {}}",
		"environments/dev.yaml": "{apiVersion: transom.dev/v1alpha1, kind: Environment, metadata: {name: dev}, " +
			"spec: {state: {url: ../state.git, branch: main}, clusters: {}}}",
		"offerings/o/offering.yaml":            "{apiVersion: transom.dev/v1alpha1, kind: Offering, metadata: {name: o}, spec: {title: O}}",
		"offerings/o/1.0.0/version.yaml":       "{apiVersion: transom.dev/v1alpha1, kind: Version, metadata: {name: o}, spec: {parameters: {type: object}}}",
		"offerings/o/1.0.0/kustomization.yaml": "{apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component, resources: [x.yaml]}",
		"offerings/o/1.0.0/x.yaml":             object,
		"requests/a/b.yaml": "{apiVersion: transom.dev/v1alpha1, kind: Request, metadata: {name: b}, " +
			"spec: {offering: o, version: 1.0.0, environments: {dev: {}}}}",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content + "\n")}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Empty(t, p.Problems)
	_, found := render.Instance(p, "dev", platform.RequestKey{Team: "a", Name: "b"}, "dev")
	for _, problem := range found {
		if !problem.Warning {
			require.True(t, problem.File == "offerings/o/1.0.0/x.yaml" && problem.Line == 1, problem.String())
			problems = append(problems, problem.String())
		}
	}
	return problems
}
