package kinds_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kinds"
)

func faults(t *testing.T, text string) []string {
	t.Helper()
	var n yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &n))
	var meta struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
	}
	require.NoError(t, n.Decode(&meta))
	var all []string
	for _, f := range kinds.Fields(meta.APIVersion, meta.Kind, n.Content[0]) {
		all = append(all, f.Path.String()+": "+f.Message)
	}
	return all
}

func TestFieldsTypesAndDuplicatesAreFoundAtOnce(t *testing.T) {
	require.Equal(t, []string{
		`metadata.annotations.rev: is an integer (12) and must be a string; quote it`,
		`metadata.annotations.on: is a boolean (true) and must be a string; quote it`,
		`spec.replica: unknown field; did you mean "replicas"?`,
		`spec.template.metadata.labels.version: is a number (1.10) and must be a string; quote it`,
		`spec.template.spec.hostNetwork: is a string (true) and must be true or false; write true without quotes`,
		`spec.template.spec.terminationGracePeriodSeconds: is a string (30) and must be an integer; write 30 without quotes`,
		`spec.template.spec.containers[0].env[0].value: is an integer (8080) and must be a string; quote it`,
		`spec.template.spec.containers[0].env[1]: is the second entry with name "PORT", after entry 0; keep one of them`,
		`spec.template.spec.containers[0].args: is a string (a) and must be a list`,
		`spec.template.spec.containers[0].resources.limits.memory: "1 Gi" is no quantity; write one such as 500m or 1Gi`,
		`spec.template.spec.containers[0].ports[1]: is the second entry with containerPort "80" and protocol "TCP", after entry 0; keep one of them`,
	}, faults(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, annotations: {rev: 12, on: true}}
spec:
  replica: 2
  template:
    metadata: {labels: {version: 1.10}}
    spec:
      hostNetwork: "true"
      terminationGracePeriodSeconds: "30"
      containers:
      - name: app
        env: [{name: PORT, value: 8080}, {name: PORT, value: "1"}]
        args: a
        resources: {limits: {cpu: 0.5, memory: 1 Gi}}
        ports: [{containerPort: 80}, {containerPort: 80, protocol: TCP}, {containerPort: 80, protocol: UDP}]
        livenessProbe: {httpGet: {port: http}}
`))
}

func TestNullsAndEmptyValuesPass(t *testing.T) {
	require.Empty(t, faults(t, `
apiVersion: v1
kind: Service
metadata: {name: app, creationTimestamp: null, annotations: {}, labels: null}
spec: {clusterIP: "", externalIPs: [], selector: null, ports: [{port: 80, targetPort: 80, nodePort: 0}]}
status: {loadBalancer: {}}
`))
	require.Empty(t, faults(t, "{apiVersion: example.com/v1, kind: Widget, spec: {anything: [1]}}"))
}

// Words that the API server does not know pass the schema, and were found by the first apply.
func TestWordsAndSchedulesAreThoseThatTheAPIServerTakes(t *testing.T) {
	require.ElementsMatch(t, []string{
		`spec.concurrencyPolicy: "forbid" is none of Allow, Forbid, Replace; did you mean "Forbid"?`,
		`spec.schedule: "every night" is no schedule; write five fields such as "0 3 * * *", or @daily`,
		`spec.jobTemplate.spec.template.spec.containers[0].imagePullPolicy: "always" is none of Always, IfNotPresent, Never; did you mean "Always"?`,
		`spec.jobTemplate.spec.template.spec.restartPolicy: Always is refused of a Job, which ends; write Never or OnFailure`,
	}, faults(t, `
apiVersion: batch/v1
kind: CronJob
metadata: {name: app}
spec:
  schedule: every night
  concurrencyPolicy: forbid
  jobTemplate: {spec: {template: {spec: {restartPolicy: Always, containers: [{name: app, image: app, imagePullPolicy: always}]}}}}
`))
	require.Equal(t, []string{`spec.template.spec.restartPolicy: is missing, and a Job needs it; write Never or OnFailure`},
		faults(t, "{apiVersion: batch/v1, kind: Job, metadata: {name: app}, spec: {template: {spec: {containers: []}}}}"))
	require.Equal(t, []string{`spec.type: "Loadbalancer" is none of ClusterIP, NodePort, LoadBalancer, ExternalName; did you mean "LoadBalancer"?`},
		faults(t, "{apiVersion: v1, kind: Service, metadata: {name: app}, spec: {type: Loadbalancer}}"))
	for _, fine := range []string{"0 3 * * *", "@daily", "@every 1h", "*/5 0-6 * JAN MON-FRI"} {
		require.Empty(t, faults(t, `{apiVersion: batch/v1, kind: CronJob, metadata: {name: app}, spec: {schedule: "`+fine+`"}}`))
	}
	require.Empty(t, faults(t, `{apiVersion: batch/v1, kind: CronJob, metadata: {name: app}, spec: {schedule: "CRON_TZ=UTC 0 3 * * *"}}`),
		"one that runs goes on")
}

// TestPortsAreThoseThatThereAre: the schema takes any integer, and the API server does not.
func TestPortsAreThoseThatThereAre(t *testing.T) {
	require.ElementsMatch(t, []string{
		`spec.template.spec.containers[0].ports[0].containerPort: 70000 is no port; ports are from 1 to 65535`,
		`spec.template.spec.containers[0].livenessProbe.httpGet.port: -1 is no port; ports are from 1 to 65535`,
	}, faults(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - {name: app, image: app, ports: [{containerPort: 70000}, {containerPort: 65535, hostPort: 0}], livenessProbe: {httpGet: {port: -1}}}
`))
	require.Equal(t, []string{`spec.ports[0].targetPort: 65536 is no port; ports are from 1 to 65535`},
		faults(t, "{apiVersion: v1, kind: Service, metadata: {name: app}, spec: {ports: [{port: 80, targetPort: 65536}, {port: 81, targetPort: http}]}}"))
}

// TestWordsAreOfFieldsThatThereAre: a type or field that the schema does not have would be looked at never.
func TestWordsAreOfFieldsThatThereAre(t *testing.T) {
	require.Empty(t, kinds.UnknownChoices())
}

func BenchmarkFields(b *testing.B) {
	var n yaml.Node
	require.NoError(b, yaml.Unmarshal([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {a: b, c: d, e: f, g: h}}
spec:
  replicas: 2
  selector: {matchLabels: {a: b, c: d, e: f}}
  template:
    metadata: {labels: {a: b, c: d, e: f}}
    spec:
      containers:
      - name: app
        image: nginx
        env: [{name: PORT, value: "8080"}, {name: LEVEL, value: "1"}]
        resources: {limits: {cpu: 0.5, memory: 1Gi}}
        ports: [{containerPort: 80, name: http}]
        livenessProbe: {httpGet: {port: http}}
`), &n))
	for b.Loop() {
		kinds.Fields("apps/v1", "Deployment", n.Content[0])
	}
}

// TestAQuantityOfVeryManyDigitsIsNotRead: to read it takes hours, and gigabytes.
func TestAQuantityOfVeryManyDigitsIsNotRead(t *testing.T) {
	pod := func(cpu string) string {
		return "\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a, resources: {limits: {cpu: " + cpu + "}}}]}\n"
	}
	for _, cpu := range []string{"1234567890123456789e2000000000", "'1E+0009999'", "-1e-99999"} {
		require.Equal(t, []string{"spec.containers[0].resources.limits.cpu: " + fmt.Sprintf("%q", strings.Trim(cpu, "'")) +
			" has an exponent of four digits; write a quantity such as 500m or 1Gi"}, faults(t, pod(cpu)))
	}
	require.Empty(t, faults(t, pod("1e3")))
}
