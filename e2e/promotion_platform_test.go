package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"
)

// The environments of a scenario that brings none of its own: soaks of seconds, prod in two waves.
var usual = map[string]string{
	"dev":     "  gates: {grace: 1s}\n" + together,
	"staging": "  promotesFrom: [dev]\n  gates: {soak: 2s, grace: 1s}\n" + together,
	"prod":    "  promotesFrom: [staging]\n  gates: {soak: 2s, grace: 1s}\n" + inWaves,
}

const (
	together = `  rollout: {instances: {first: 1, maxConcurrent: 50%, maxFailures: 1}}
`
	inWaves = `  rollout:
    waves: [{name: canary, clusters: {matchLabels: {tier: canary}}, soak: 2s}, {name: rest, soak: 1s}]
    instances: {first: 1, maxConcurrent: 50%, maxFailures: 1}
`
)

// The clusters that all scenarios share.
var ladderClusters = map[string]string{
	"dev":     "environment: dev",
	"staging": "environment: staging",
	"prod-1":  "environment: prod, tier: canary",
	"prod-2":  "environment: prod",
}

// files are those of a platform by name; empty content removes one.
type files map[string]string

// merged are these files with others over them.
func (f files) merged(others ...files) files {
	all := maps.Clone(f)
	for _, o := range others {
		maps.Copy(all, o)
	}
	return all
}

// tree returns files by their path.
func (f files) tree() fstest.MapFS {
	tree := fstest.MapFS{}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if f[name] != "" {
			tree[name] = &fstest.MapFile{Data: []byte(f[name])}
		}
	}
	return tree
}

// foundation is a platform without requests: the usual environments, the clusters, and Widgets in version 1.0.0.
func foundation() files {
	f := offering("widget", "").merged(version("widget", "1.0.0", "1.0.0", ""))
	for name := range usual {
		f = f.merged(environment(name, usual[name]))
	}
	for name, labels := range ladderClusters {
		f = f.merged(cluster(name, labels, "state: active"))
	}
	return f
}

func environment(name, spec string) files {
	return files{"environments/" + name + ".yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: %[1]s}
spec:
  state: {url: ../state-%[1]s.git, branch: main}
  clusters: {matchLabels: {environment: %[1]s}}
%[2]s`, name, spec)}
}

func cluster(name, labels, spec string) files {
	return files{"clusters/" + name + ".yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Cluster
metadata: {name: %s, labels: {%s}}
spec: {%s}
`, name, labels, spec)}
}

// offering is a catalogue entry; spec are its fields beside the usual, in flow style, such as "deletion: confirm".
func offering(name, spec string) files {
	return files{"offerings/" + name + "/offering.yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: %[1]s}
spec: {title: The %[1]s, description: What tests decide the health of., owner: platform, %[2]s}
`, name, spec)}
}

// version publishes one: a Widget with the image that requests choose and a build of this version. More are fields
// of its spec beside the usual.
func version(offering, number, build, more string) files {
	dir := "offerings/" + offering + "/" + number + "/"
	return files{
		dir + "version.yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: %s}
spec:
  parameters:
    type: object
    properties:
      image: {type: string, default: good}
  kinds: [{group: acme.example, kind: Widget, scope: Namespaced}]
  health: [{group: acme.example, kind: Widget, healthy: 'status.phase == "Ready"', failed: 'status.phase == "Failed"'}]
%s`, offering, more),
		dir + "kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [widget.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Widget}, fieldPaths: [spec.image]}]
`,
		dir + "widget.yaml": fmt.Sprintf(`apiVersion: acme.example/v1
kind: Widget
metadata: {name: widget}
spec: {image: none, build: %s}
`, build),
	}
}

// chart publishes a version whose Widget is printed by a chart.
func chart(offering, number, build string) files {
	dir := "offerings/" + offering + "/" + number + "/"
	return files{
		dir + "version.yaml":                 version(offering, number, build, "  chart: {path: chart, values: {image: parameters.image}}\n")[dir+"version.yaml"],
		dir + "chart/Chart.yaml":             "apiVersion: v2\nname: widget\nversion: " + number + "\n",
		dir + "chart/values.yaml":            "image: none\nbuild: " + build + "\n",
		dir + "chart/values.schema.json":     `{"properties": {"image": {"type": "string"}}}`,
		dir + "chart/templates/_helpers.tpl": `{{ define "widget.name" }}{{ .Release.Name }}-widget{{ end }}`,
		dir + "chart/templates/widget.yaml": `apiVersion: acme.example/v1
kind: Widget
metadata: {name: {{ include "widget.name" . }}, namespace: {{ .Release.Namespace }}}
spec: {image: {{ .Values.image }}, build: {{ .Values.build }}}
`,
	}
}

// everywhere places a request in all environments.
const everywhere = "{dev: {}, staging: {}, prod: {}}"

// ask is a request for a Widget of any version 1.
func ask(team, name, image, environments string) files {
	return askFor("widget", "1", team, name, image, environments)
}

func askFor(offering, version, team, name, image, environments string) files {
	return files{"requests/" + team + "/" + name + ".yaml": fmt.Sprintf(`apiVersion: transom.dev/v1alpha1
kind: Request
metadata: {name: %s}
spec:
  offering: %s
  version: %q
  parameters: {image: %s}
  environments: %s
`, name, offering, version, image, environments)}
}

// decide is a decision of a kind in an environment; spec in flow style.
func decide(kind, environment, name, spec string) files {
	return files{"decisions/" + environment + "/" + name + ".yaml": document(kind, name, spec)}
}

// without removes files.
func (f files) without() files {
	none := files{}
	for name := range f {
		none[name] = ""
	}
	return none
}

// numbered are n names.
func numbered(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s%02d", prefix, i))
	}
	return names
}

// asks is a request per name.
func asks(team string, names []string, image string) files {
	f := files{}
	for _, name := range names {
		f = f.merged(ask(team, name, image, everywhere))
	}
	return f
}

// spec of a Widget, as sightings and state have it.
func what(image, build string) string { return strings.Join([]string{image, build}, "@") }
