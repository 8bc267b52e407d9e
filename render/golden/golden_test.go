package golden_test

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/edits"
	"transom.dev/render/golden"
	"transom.dev/render/platform"
)

// upgraded is an offering whose second version changes fields that cannot change, and loses data.
const upgraded = `
-- offerings/store/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: store}
spec: {teams: [elsewhere]}
-- offerings/store/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: store}
spec:
  parameters: {type: object, properties: {size: {type: integer, default: 1}}}
  outputs: [{name: host, value: request.name + "-store"}]
-- offerings/store/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [objects.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.size}
  targets: [{select: {kind: StatefulSet}, fieldPaths: [spec.replicas]}]
-- offerings/store/1.0.0/objects.yaml --
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  replicas: 1
  serviceName: store
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: a, image: a}]}}
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  - {metadata: {name: log}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {clusterIP: None, ports: [{port: 80}]}
-- offerings/store/1.0.0/tests/sized/request.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: mine}
spec: {offering: store, version: "1", parameters: {size: 3}, environments: {lab: {}}}
-- offerings/store/1.1.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: store}
spec:
  parameters: {type: object, properties: {size: {type: integer, default: 1}, zone: {type: string}}}
  bindings: {log: {offerings: [store]}}
  computed:
    log: 'has(bindings.log) ? bindings.log.host : "none"'
    zone: '"zone" in cluster.labels ? cluster.labels.zone : "none"'
  outputs: [{name: host, value: request.name + "-store"}]
-- offerings/store/1.1.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [objects.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.size}
  targets: [{select: {kind: StatefulSet}, fieldPaths: [spec.replicas]}]
- source: {kind: Inputs, fieldPath: computed.log}
  targets: [{select: {kind: Service}, fieldPaths: [metadata.annotations.log], options: {create: true}}]
- source: {kind: Inputs, fieldPath: computed.zone}
  targets: [{select: {kind: Service}, fieldPaths: [metadata.annotations.zone], options: {create: true}}]
-- offerings/store/1.1.0/objects.yaml --
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  replicas: 1
  serviceName: other
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: a, image: b}]}}
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {ports: [{port: 80}]}
-- offerings/store/1.1.0/tests/bound/request.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: mine}
spec: {offering: store, version: "1", bindings: {log: logs}, environments: {lab: {}}}
-- offerings/store/1.1.0/tests/bound/logs.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: logs}
spec: {offering: store, version: "1", environments: {lab: {}}}
-- offerings/store/1.1.0/tests/bound/cluster.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: edge, labels: {zone: a}}
spec: {}
`

func casesOf(t *testing.T, changes string) map[string]*golden.Case {
	t.Helper()
	files, err := txtar.FS(txtar.Parse([]byte(upgraded)))
	require.NoError(t, err)
	changed := map[string][]byte{}
	for _, f := range txtar.Parse([]byte(changes)).Files {
		changed[f.Name] = f.Data
	}
	edited, err := edits.Over(files, changed)
	require.NoError(t, err)
	p, err := platform.Load(edited)
	require.NoError(t, err)
	cases, err := golden.Cases(p, edited)
	require.NoError(t, err)
	byDir := map[string]*golden.Case{}
	for _, c := range cases {
		byDir[path.Join(c.Version.Number.String(), c.Name)] = c
	}
	return byDir
}

func TestCasesRenderInAnEnvironmentOfTheirOwn(t *testing.T) {
	cases := casesOf(t, "")
	require.Len(t, cases, 2)
	require.Contains(t, string(cases["1.0.0/sized"].Got), "replicas: 3")
	require.Contains(t, string(cases["1.0.0/sized"].Got), "transom.dev/environment: lab")
	require.Equal(t, "offerings/store/1.0.0/tests/sized/want.yaml", cases["1.0.0/sized"].WantFile())
	require.Contains(t, string(cases["1.1.0/bound"].Got), "log: logs-store")
	require.Contains(t, string(cases["1.1.0/bound"].Got), "zone: a")
}

func TestCasesSayWhereTheyDiffer(t *testing.T) {
	got := string(casesOf(t, "")["1.0.0/sized"].Got)
	same := casesOf(t, "-- offerings/store/1.0.0/tests/sized/want.yaml --\n"+got)["1.0.0/sized"]
	require.Equal(t, got, string(same.Want))
	for _, p := range same.Problems {
		require.True(t, p.Warning, p)
	}
	other := casesOf(t, "-- offerings/store/1.0.0/tests/sized/want.yaml --\napiVersion: v1\nkind: Secret\n")["1.0.0/sized"]
	require.Equal(t, `offerings/store/1.0.0/tests/sized/want.yaml:2: wants "kind: Secret", but store@1.0.0 renders "kind: Service"; `+
		`mend the version, or rewrite this with transom check --update and review it`, other.Problems[0].String())
}

// TestCasesOfTheFirstRendererOnlyWarn: a case that was right before a new Transom is no mistake of anybody.
func TestCasesOfTheFirstRendererOnlyWarn(t *testing.T) {
	const operated = `
-- offerings/store/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [objects.yaml, operated.yaml]
-- offerings/store/1.0.0/operated.yaml --
apiVersion: v1
kind: Service
metadata: {name: operated}
spec: {selector: {app: operated}, ports: [{port: 80}]}
`
	const want = "-- offerings/store/1.0.0/tests/sized/want.yaml --\n"
	got := string(casesOf(t, operated)["1.0.0/sized"].Got)
	first := strings.Replace(got, "    app: operated\n", "    app: operated\n    transom.dev/request: mine\n    transom.dev/team: team\n", 1)
	require.NotEqual(t, got, first)
	same := casesOf(t, operated+want+first)["1.0.0/sized"]
	require.Equal(t, []string{"offerings/store/1.0.0/tests/sized/want.yaml: warning: wants what an earlier Transom made of it, which put the " +
		"instance's labels into other selectors; rewrite this with transom check --update and review it"}, problemsOf(same.Problems))
	require.Equal(t, got, string(same.Got))
	other := casesOf(t, operated+want+first+"---\nkind: Else\n")["1.0.0/sized"]
	require.False(t, other.Problems[0].Warning)
}

func TestUpgradesWarnOfWhatIsReplacedAndLost(t *testing.T) {
	var said []string
	for _, c := range casesOf(t, "") {
		for _, p := range c.Problems {
			if p.Warning {
				said = append(said, p.String())
			}
		}
	}
	const at = "offerings/store/1.1.0/tests/bound/request.yaml: warning: moving from 1.0.0 to 1.1.0 "
	require.ElementsMatch(t, []string{
		at + "removes the PersistentVolumeClaim team/mine-shared: it is left behind, and nothing manages it any more",
		at + "replaces the Service team/mine-store: spec.clusterIP cannot change in place",
		at + "takes the volume log from the StatefulSet team/mine-store: its data is left behind",
		at + "replaces the StatefulSet team/mine-store: spec.serviceName, spec.volumeClaimTemplates cannot change in place",
	}, said)
}

func TestCasesSayWhatIsWrongWithThem(t *testing.T) {
	for name, c := range map[string]struct{ changes, problem string }{
		"no request":       {"-- offerings/store/1.0.0/tests/odd/notes.yaml --\na: b\n", "offerings/store/1.0.0/tests/odd: has no request.yaml"},
		"unknown field":    {oddCase("paramters: {}, environments: {lab: {}}"), "offerings/store/1.0.0/tests/odd/request.yaml:4:39: spec.paramters: unknown field; did you mean \"parameters\"?"},
		"unknown value":    {oddCase("parameters: {sise: 1}, environments: {lab: {}}"), "offerings/store/1.0.0/tests/odd/request.yaml:4:52: spec.parameters.sise: no such parameter; did you mean \"size\"?"},
		"other version":    {oddCase("environments: {lab: {version: \"2\"}}"), "offerings/store/1.0.0/tests/odd/request.yaml:4:60: spec.environments.lab.version: no published version of store matches \"2\"; published: 1.0.0"},
		"no environment":   {oddCase("environments: {}"), "offerings/store/1.0.0/tests/odd/request.yaml: spec.environments must name at least one environment"},
		"no name":          {"-- offerings/store/1.0.0/tests/odd/request.yaml --\nmetadata: {name: ../x}\nspec: {environments: {lab: {}}}\n", "offerings/store/1.0.0/tests/odd/request.yaml: metadata.name is required"},
		"no YAML":          {"-- offerings/store/1.0.0/tests/odd/request.yaml --\na: *b\n", "offerings/store/1.0.0/tests/odd/request.yaml:1:4: alias to an unknown anchor \"b\""},
		"broken neighbour": {oddCase("environments: {lab: {}}") + "-- offerings/store/1.0.0/tests/odd/cluster.yaml --\nmetadata: {}\n", "offerings/store/1.0.0/tests/odd/cluster.yaml: metadata.name is required"},
		"broken environment": {
			oddCase("environments: {lab: {}}") + header("environments/lab.yaml", "Environment", "lab") + "spec: {clusters: {}}\n",
			"environments/lab.yaml: 3 golden cases are not rendered, of which offerings/store/1.0.0/tests/odd is the first, as the environment has Problems; mend these first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			odd := casesOf(t, c.changes)["1.0.0/odd"]
			require.NotEmpty(t, odd.Problems)
			require.Equal(t, c.problem, odd.Problems[0].String())
			require.Nil(t, odd.Got)
		})
	}
}

func oddCase(spec string) string {
	return "-- offerings/store/1.0.0/tests/odd/request.yaml --\napiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: odd}\n" +
		"spec: {offering: store, version: \"1\", " + spec + "}\n"
}

// TestCasesAreJudgedByPolicies of the environment that they are rendered in.
func TestCasesAreJudgedByPolicies(t *testing.T) {
	policy := func(name, environment, action string) string {
		return "-- policies/" + name + ".yaml --\napiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name + "}\n" +
			"spec:\n  match: {environments: [" + environment + "], kinds: [{group: apps, kind: StatefulSet}]}\n" +
			"  validations: [{expression: object.spec.replicas < 3, message: fewer}]\n  action: " + action + "\n"
	}
	denied := casesOf(t, policy("small", "lab", "deny")+policy("elsewhere", "prod", "deny"))
	require.Equal(t, []string{"offerings/store/1.0.0/tests/sized/request.yaml: policy small denies the StatefulSet team/mine-store: fewer"},
		problemsOf(denied["1.0.0/sized"].Problems))
	require.Nil(t, denied["1.0.0/sized"].Got, "what is denied is nothing to want")
	require.NotNil(t, denied["1.1.0/bound"].Got)

	warned := casesOf(t, policy("small", "lab", "warn"))["1.0.0/sized"]
	require.Contains(t, problemsOf(warned.Problems),
		"offerings/store/1.0.0/tests/sized/request.yaml: warning: policy small warns of the StatefulSet team/mine-store: fewer")
	require.NotNil(t, warned.Got)
}

// TestCasesOfTheSecondRendererOnlyWarn: replicas beside an autoscaler were right before they were omitted.
func TestCasesOfTheSecondRendererOnlyWarn(t *testing.T) {
	const scaled = `
-- offerings/store/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [objects.yaml, scaled.yaml]
-- offerings/store/1.0.0/scaled.yaml --
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled}
spec:
  replicas: 2
  selector: {matchLabels: {app: scaled}}
  template: {metadata: {labels: {app: scaled}}, spec: {containers: [{name: a, image: a}]}}
`
	const want = "-- offerings/store/1.0.0/tests/sized/want.yaml --\n"
	got := string(casesOf(t, scaled)["1.0.0/sized"].Got)
	second := strings.Replace(got, "spec:\n  selector:\n    matchLabels:\n      app: scaled\n", "spec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app: scaled\n", 1)
	require.NotEqual(t, got, second)
	require.Equal(t, []string{"offerings/store/1.0.0/tests/sized/want.yaml: warning: wants what an earlier Transom made of it, which left " +
		"replicas beside what scales them; rewrite this with transom check --update and review it"}, problemsOf(casesOf(t, scaled+want+second)["1.0.0/sized"].Problems))
}

// TestManyLargeCasesAreRefused: hundreds of large cases would keep check busy for minutes. The cases after the bound are not
// run, and the first of them says so.
func TestManyLargeCasesAreRefused(t *testing.T) {
	var text strings.Builder
	text.WriteString(header("offerings/note/offering.yaml", "Offering", "note") + "spec: {}\n" +
		header("offerings/note/1.0.0/version.yaml", "Version", "note") + "spec: {}\n" +
		"-- offerings/note/1.0.0/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [note.yaml]\n" +
		"-- offerings/note/1.0.0/note.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata:\n  text: |\n" + strings.Repeat("    x\n", 30_000))
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		text.WriteString(header("offerings/note/1.0.0/tests/"+name+"/request.yaml", "Request", "shop") +
			"spec: {offering: note, version: \"1\", environments: {dev: {}}}\n")
	}
	files, err := txtar.FS(txtar.Parse([]byte(text.String())))
	require.NoError(t, err)
	p, err := platform.Load(files)
	require.NoError(t, err)
	cases, err := golden.Cases(p, files)
	require.NoError(t, err)
	require.Len(t, cases, 5, "the one after the bound is named, and no other")
	require.Nil(t, cases[4].Got)
	require.Equal(t, "offerings/note/1.0.0/tests/e", cases[4].Problems[0].File)
	require.Contains(t, cases[4].Problems[0].Message, "lines; at most 100000 for one version")
}

// TestManySmallCasesAreRefused: thousands of cases that render to nothing would keep check busy as well.
func TestManySmallCasesAreRefused(t *testing.T) {
	var text strings.Builder
	text.WriteString(header("offerings/note/offering.yaml", "Offering", "note") + "spec: {}\n" +
		header("offerings/note/1.0.0/version.yaml", "Version", "note") + "spec: {}\n" +
		"-- offerings/note/1.0.0/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")
	for n := range 510 {
		fmt.Fprintf(&text, "-- offerings/note/1.0.0/tests/c%04d/request.yaml --\n{\n", n)
	}
	files, err := txtar.FS(txtar.Parse([]byte(text.String())))
	require.NoError(t, err)
	p, err := platform.Load(files)
	require.NoError(t, err)
	cases, err := golden.Cases(p, files)
	require.NoError(t, err)
	require.Len(t, cases, 502)
	require.Equal(t, "offerings/note/1.0.0/tests/c0501", cases[501].Problems[0].File)
	require.Contains(t, cases[501].Problems[0].Message, "is not run, nor is any case after it: the 501 cases before it count as 100200 lines; at most 100000 for one version")
}

// TestACaseThatIsNotRunMovesToNoVersion: a case of a later version has no request, or comes after too many.
func TestACaseThatIsNotRunMovesToNoVersion(t *testing.T) {
	archive, err := txtar.FS(txtar.Parse([]byte(upgraded + "-- offerings/store/1.1.0/tests/empty/want.yaml --\n")))
	require.NoError(t, err)
	p, err := platform.Load(archive)
	require.NoError(t, err)
	require.NotPanics(t, func() {
		cases, err := golden.Cases(p, archive)
		require.NoError(t, err)
		n := slices.IndexFunc(cases, func(c *golden.Case) bool { return c.Name == "empty" })
		require.Equal(t, []string{"offerings/store/1.1.0/tests/empty: has no request.yaml"}, problemsOf(cases[n].Problems))
	})
}

// A countingFS counts how often files of cases are opened.
type countingFS struct {
	fs.FS
	opened int
}

func (c *countingFS) Open(name string) (fs.File, error) {
	if strings.Contains(name, "/tests/") {
		c.opened++
	}
	return c.FS.Open(name)
}

// TestACaseIsRunWithoutTheOthers: no case has the files of all others read, of which there may be thousands.
func TestACaseIsRunWithoutTheOthers(t *testing.T) {
	opened := func(count int) int {
		text := upgraded
		for n := range count {
			text += fmt.Sprintf("-- offerings/store/1.0.0/tests/more%d/request.yaml --\n", n) +
				"apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\nspec: {offering: store, version: \"1.0.0\", environments: {dev: {}}}\n"
		}
		archive, err := txtar.FS(txtar.Parse([]byte(text)))
		require.NoError(t, err)
		p, err := platform.Load(archive)
		require.NoError(t, err)
		files := &countingFS{FS: archive}
		_, err = golden.Cases(p, files)
		require.NoError(t, err)
		return files.opened
	}
	none := opened(0)
	require.Equal(t, 4*(opened(5)-none), opened(20)-none)
}

func problemsOf(problems []platform.Problem) (lines []string) {
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return lines
}

// asked are two environments, of which the second has a check that is a Job.
const asked = `
-- environments/before.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: before}
spec:
  state: {url: https://git.example.com/state-before.git, branch: main}
  clusters: {matchLabels: {environment: before}}
-- environments/after.yaml --
apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: after}
spec:
  state: {url: https://git.example.com/state-after.git, branch: main}
  clusters: {matchLabels: {environment: after}}
  promotesFrom: [before]
  gates: {checks: [{name: smoke, job: checks/smoke}]}
`

// TestCasesBuildTheJobsOfChecks that an environment of the platform runs, so that nobody hears of a broken one only when a release waits for it.
func TestCasesBuildTheJobsOfChecks(t *testing.T) {
	const check = `
-- offerings/store/1.0.0/checks/smoke/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [job.yaml]
-- offerings/store/1.0.0/checks/smoke/job.yaml --
apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "smoke:1"}]}}}
`
	failures := func(changes string) (all []string) {
		for _, p := range casesOf(t, changes)["1.0.0/sized"].Problems {
			if p.Rule == "check-job" {
				all = append(all, p.String())
			}
		}
		return all
	}
	broken := strings.Replace(check, "restartPolicy", "restartPolice", 1)
	require.Empty(t, failures(asked))
	require.Empty(t, failures(asked+check))
	require.Empty(t, failures(broken), "no environment runs it")
	require.Equal(t, []string{"offerings/store/1.0.0/tests/sized: the Job of the check checks/smoke cannot be built: offerings/store/1.0.0/checks/smoke/job.yaml:4:26: " +
		`spec.template.spec.restartPolice: Job smoke: unknown field; did you mean "restartPolicy"?`}, failures(asked+broken))
}

// reading is an offering whose cases are bound to a bucket that tells where it is.
const reading = `
-- offerings/bucket/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: bucket}
spec: {title: T}
-- offerings/bucket/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: bucket}
spec:
  kinds: [{group: example.com, kind: Bucket, scope: Namespaced}]
  outputs:
  - {name: endpoint, type: string, pattern: '^https:', example: 'https://example', from: {group: example.com, kind: Bucket, path: status.endpoint}}
  - {name: port, type: integer, example: 1, from: {group: example.com, kind: Bucket, path: status.port}}
-- offerings/bucket/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [a.yaml]
-- offerings/bucket/1.0.0/a.yaml --
apiVersion: example.com/v1
kind: Bucket
metadata: {name: bucket}
-- offerings/reader/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: reader}
spec: {title: T}
-- offerings/reader/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: reader}
spec:
  bindings: {from: {offerings: [bucket], required: true}}
  computed: {at: 'bindings.from.endpoint + ":" + string(bindings.from.port)'}
-- offerings/reader/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [a.yaml]
replacements:
- source: {kind: Inputs, fieldPath: computed.at}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.at]}]
-- offerings/reader/1.0.0/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: reader}
data: {at: at}
-- offerings/reader/1.0.0/tests/told/request.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: mine}
spec: {offering: reader, version: "1", bindings: {from: files}, environments: {lab: {}}}
-- offerings/reader/1.0.0/tests/told/files.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: files}
spec: {offering: bucket, version: "1", environments: {lab: {}}}
`

func TestACaseSaysWhichValuesWereObserved(t *testing.T) {
	const file = "-- offerings/reader/1.0.0/tests/told/observed.yaml --\n"
	require.Contains(t, string(casesOf(t, reading)["1.0.0/told"].Got), "at: https://example:1\n", "those of the examples")
	require.Contains(t, string(casesOf(t, reading+file+"files: {endpoint: 'https://there'}\n")["1.0.0/told"].Got), "at: https://there:1\n")
	require.Contains(t, string(casesOf(t, reading+file+"files: {endpoint: 'https://there', port: 5}\n")["1.0.0/told"].Got), "at: https://there:5\n")

	const request = "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: observed}\nspec: {offering: bucket, version: \"1\", environments: {lab: {}}}\n"
	require.Empty(t, casesOf(t, reading+file+request)["1.0.0/told"].Problems[1:], "a request may be called so: only want.yaml is missing")
}

func TestACaseSaysWhichValuesNobodyObserves(t *testing.T) {
	for text, problem := range map[string]string{
		"files: {endpoint: 'ftp://there'}":            ":1:9: files.endpoint: is no value that would be recorded: it does not match ^https:",
		"files: {port: many}":                         ":1:9: files.port: is no value that would be recorded: it is a string, not of type integer",
		"files: {endpoint: ''}":                       ":1:9: files.endpoint: is no value that would be recorded: it is empty",
		"files: {endpoint: null}":                     ":1:9: files.endpoint: is no value that would be recorded: it is null",
		"files: {address: there}":                     ":1:9: files.address: bucket@1.0.0 observes no output of that name",
		"file: {endpoint: 'https://there'}":           ":1:1: file: there is no such request beside the case's own; did you mean \"files\"?",
		"mine: {endpoint: 'https://there'}":           ":1:1: mine: there is no such request beside the case's own",
		"files: https://there":                        ":1:1: files: must be an object, not the string \"https://there\"",
		"files: {endpoint: 'https://a', endpoint: b}": `:1:32: duplicate key "endpoint"; it is already on line 1`,
		"": ": is empty; delete the file or write an object",
	} {
		c := casesOf(t, reading+"-- offerings/reader/1.0.0/tests/told/observed.yaml --\n"+text+"\n")["1.0.0/told"]
		require.Equal(t, []string{"offerings/reader/1.0.0/tests/told/observed.yaml" + problem}, problemsOf(c.Problems), text)
		require.Nil(t, c.Got)
	}
}

// A version without cases has its Jobs of checks built with the inputs of a request of the platform, or of one that says nothing.
func TestJobsOfChecksAreBuiltWithoutCases(t *testing.T) {
	const version = asked + `-- clusters/after.yaml --
apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: after, labels: {environment: after}}
spec: {}
-- offerings/note/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: note}
spec: {}
-- offerings/note/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: note}
spec: {parameters: {type: object, properties: {text: {type: string}}}}
-- offerings/note/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [note.yaml]
-- offerings/note/1.0.0/note.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: note}
-- offerings/note/1.0.0/checks/smoke/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [job.yaml]
-- offerings/note/1.0.0/checks/smoke/job.yaml --
apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "smoke:1"}]}}}
`
	const request = `
-- requests/team/my.yaml --
apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: my}
spec: {offering: note, version: "1", parameters: {text: a}, environments: {after: {}}}
`
	broken := strings.Replace(version, "restartPolicy", "restartPolice", 1)
	needy := func(text string) string {
		return strings.Replace(text, "{type: object, properties: {text", "{type: object, required: [text], properties: {text", 1)
	}
	failure := "offerings/note/1.0.0: the Job of the check checks/smoke cannot be built: offerings/note/1.0.0/checks/smoke/job.yaml:4:26: " +
		`spec.template.spec.restartPolice: Job smoke: unknown field; did you mean "restartPolicy"?`
	for name, c := range map[string]struct {
		files string
		says  []string
	}{
		"nothing is wrong":                {version, nil},
		"nothing is wrong with a request": {version + request, nil},
		"nobody requests it":              {broken, []string{failure}},
		"somebody requests it":            {broken + request, []string{failure}},
		"a request has what it needs":     {needy(broken) + request, []string{failure}},
		"nobody can say what it needs":    {needy(version), []string{"offerings/note/1.0.0: warning: has the Job of the check checks/smoke, which nobody has built: there is no request of the version that is bound to nothing, and without parameters it cannot be rendered; write a golden case, offerings/note/1.0.0/tests/<case>/request.yaml"}},
		"no environment runs it":          {strings.Replace(broken, "job: checks/smoke", "job: checks/other", 1), nil},
		"a withdrawn version is let be":   {strings.Replace(broken, "spec: {parameters", "spec: {lifecycle: withdrawn, reason: old, parameters", 1), nil},
		"a broken request does not count": {broken + strings.Replace(request, "text: a", "text: 1", 1), []string{failure}},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			if c := casesOf(t, c.files)["1.0.0"]; c != nil {
				require.Empty(t, c.Name)
				require.Nil(t, c.Got)
				for _, p := range c.Problems {
					said = append(said, p.String())
				}
			}
			require.Equal(t, c.says, said)
		})
	}
}
