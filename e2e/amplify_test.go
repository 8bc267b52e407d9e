package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// An amplifier makes very much of little: an offering of the team evil, and a request for it, by the path of each file. The
// paths of a version are relative to it.
type amplifier struct {
	name       string
	version    map[string]string
	parameters string
	platform   map[string]string // files elsewhere
	says       string            // a part of the message of check; empty: it is allowed, and costs little
}

const (
	component   = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	oneMap      = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n"
	evilVersion = "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: NAME}\nspec:\n" +
		"  parameters: {type: object, properties: {text: {type: string, default: text}, any: {type: array, items: {x-kubernetes-preserve-unknown-fields: true}}}}\n"
)

// each repeats a line that has its number.
func each(count int, line string) string {
	var all strings.Builder
	for n := range count {
		all.WriteString(strings.ReplaceAll(line, "%d", strconv.Itoa(n)))
	}
	return all.String()
}

func kustomized(text string) map[string]string {
	return map[string]string{"kustomization.yaml": component + "resources: [map.yaml]\n" + text}
}

// maps are so many small objects.
func manyMaps(count int) string {
	return each(count, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map%d}\ndata: {a: b, ref: map%d}\n---\n")
}

// amplifiers are ways to make very much of little.
func amplifiers() []amplifier {
	components := kustomized("components: [c0]\n")
	for n := range 30 {
		components[fmt.Sprintf("c%d/kustomization.yaml", n)] = fmt.Sprintf("%scomponents: [../c%d, ../c%d]\n", component, n+1, n+1)
	}
	components["c30/kustomization.yaml"] = component + "namePrefix: x\n"
	computed := func(expression string) map[string]string {
		return map[string]string{"version.yaml": evilVersion + "  computed: {v: '" + expression + "'}\n"}
	}
	largeText := "{text: " + strings.Repeat("x", 60_000) + "}"
	return []amplifier{
		{name: "components", says: "offerings/components/1.0.0/kustomization.yaml: expands to 2,147,483,648 components; at most 10,000", version: components},
		{name: "copies", says: "offerings/copies/1.0.0/kustomization.yaml: comes to objects of 524,300 fields and items; at most 500,000", version: kustomized("patches:\n- target: {kind: ConfigMap}\n  patch: |\n" +
			each(40, "    - {op: copy, from: /data, path: /data/k%d}\n"))},
		{name: "replacements", says: "offerings/replacements/1.0.0/kustomization.yaml: has replacements that copy ", version: kustomized("replacements:\n" + each(40,
			"- {source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k%d], options: {create: true}}]}\n"))},
		{name: "replace", says: "offerings/replace/1.0.0/version.yaml:6:14: spec.computed.v: comes to 3600000000 bytes of text; at most 1048576", version: computed(`parameters.text.replace("x", parameters.text).replace("x", parameters.text)`), parameters: largeText},
		{name: "concatenation", says: "offerings/concatenation/1.0.0/version.yaml:6:14: spec.computed.v: operation cancelled: actual cost limit exceeded", version: computed(strings.Repeat("[0,1,2,3,4,5,6,7,8,9].map(i, ", 12) + "parameters.text" + strings.Repeat(")", 12)), parameters: largeText},
		{name: "format", says: "offerings/format/1.0.0/version.yaml:6:14: spec.computed.v: comes to more than 1048576 bytes of text", version: computed(`"` + strings.Repeat("%s", 1000) + `".format([` + strings.Repeat("parameters.text,", 999) + `parameters.text])`), parameters: largeText},
		{name: "keys", says: "requests/evil/keys.yaml: has a mapping with 20,000 keys; at most 10,000", parameters: "{any: [{" + each(20_000, "k%d: v,") + "}]}"},
		{name: "keys-of-a-file", says: "offerings/keys-of-a-file/1.0.0/map.yaml:4:7: has a mapping with 20,000 keys; at most 10,000", version: map[string]string{"map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {" + each(20_000, "k%d: v,") + "}\n"}},
		{
			name: "megabyte", says: "offerings/megabyte/1.0.0/kustomization.yaml", version: map[string]string{"version.yaml": strings.Replace(evilVersion, "object, ", "object, required: [any], ", 1), "map.yaml": manyMaps(500), "kustomization.yaml": component + "resources: [map.yaml]\nreplacements:\n" +
				"- {source: {kind: Inputs, fieldPath: parameters.any}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]}\n"},
			parameters: "{any: [" + strings.Repeat("xxxxxxx,", 125_000) + "]}",
		},
		{name: "expressions", says: "offerings/expressions/1.0.0/kustomization.yaml: holds names against patterns of ", version: map[string]string{"map.yaml": manyMaps(990), "kustomization.yaml": component + "resources: [map.yaml]\npatches:\n" +
			each(990, "- {target: {kind: ConfigMap, name: '((a|b|map)*.{0,30}){0,30}%d'}, patch: '[{op: add, path: /data/k, value: v}]'}\n")}},
		{name: "text", says: "offerings/text/1.0.0/kustomization.yaml: has patches and replacements that read and write 33,607,840 bytes; at most 33,554,432", version: map[string]string{
			"map.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: " + strings.Repeat("x", 600_000) + "}\n",
			"kustomization.yaml": component + "resources: [map.yaml]\npatches:\n" + each(6000, "- target: {kind: ConfigMap}\n  patch: |\n    - {op: add, path: /data/k, value: v}\n"),
		}},
		// Nobody can count what the templates of a chart do: a worker is ended over this one.
		{name: "loops", says: "offerings/loops/1.0.0/", version: map[string]string{
			"version.yaml":           evilVersion + "  chart: {path: chart}\n",
			"chart/Chart.yaml":       "apiVersion: v2\nname: loops\nversion: 1.0.0\n",
			"chart/templates/a.yaml": strings.Repeat("{{ range until 10000 }}", 4) + strings.Repeat("{{ end }}", 4),
		}},
		{name: "images-fewer", says: "offerings/images-fewer/1.0.0/kustomization.yaml: holds images against images 6,250,000 times", version: map[string]string{
			"map.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" +
				"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [\n" + each(2500, "{name: c%d, image: i%d},\n") + "]}}}\n",
			"kustomization.yaml": component + "resources: [map.yaml]\nimages:\n" + each(2500, "- {name: i%d, newTag: v1}\n"),
		}},
		{name: "generator", says: "offerings/generator/1.0.0/kustomization.yaml: lists 3000 objects; at most 1000", version: map[string]string{"kustomization.yaml": component + "configMapGenerator:\n" + each(3000, "- {name: g%d, literals: [a=b], options: {disableNameSuffixHash: true}}\n")}},
		{name: "images", says: "offerings/images/1.0.0/kustomization.yaml: holds images against images 9,000,000 times", version: map[string]string{
			"map.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" +
				"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [\n" + each(3000, "{name: c%d, image: i%d},\n") + "]}}}\n",
			"kustomization.yaml": component + "resources: [map.yaml]\nimages:\n" + each(3000, "- {name: i%d, newTag: v1}\n"),
		}},
		{name: "patterns", says: "offerings/patterns/1.0.0/kustomization.yaml: holds objects against patches, replacements and other changes 3,000,000 times", version: map[string]string{"map.yaml": manyMaps(1000), "kustomization.yaml": component + "resources: [map.yaml]\npatches:\n" +
			each(3000, "- {target: {kind: ConfigMap, name: '(a|b|map)*.{0,900}%d'}, patch: '[{op: add, path: /data/k, value: v}]'}\n")}},
		{name: "labels", says: "offerings/labels/1.0.0/kustomization.yaml: walks over 100,", version: map[string]string{"map.yaml": manyMaps(1000), "kustomization.yaml": component + "resources: [map.yaml]\nlabels:\n" +
			each(1000, "- {pairs: {l%d: v}}\n")}},
		{name: "references", says: "offerings/references/1.0.0/kustomization.yaml: holds references to other objects against the names of objects 87,318,000 times", version: map[string]string{"map.yaml": manyMaps(500) +
			each(490, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d%d}\nspec: {template: {spec: {containers: [{name: a, image: b, envFrom: ["+strings.Repeat("{configMapRef: {name: map1}},", 180)+"]}]}}}\n---\n")}},
		{name: "aliases", says: "offerings/aliases/1.0.0/map.yaml", version: map[string]string{"map.yaml": oneMap + "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" +
			each(9, "y%d: &y%d [*x0, *x0, *x0, *x0, *x0, *x0, *x0, *x0, *x0, *x0]\n")}},
		{name: "digits", says: "has an exponent of four digits", version: map[string]string{
			"map.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: a, resources: {limits: {cpu: 1234567890123456789e2000000000}}}]}\n",
		}},
		{name: "searches", says: "offerings/searches/1.0.0/version.yaml", parameters: "{text: '" + strings.Repeat("a", 60_000) + "'}", version: map[string]string{
			"version.yaml": evilVersion + "  computed: {v: 'string(lists.range(1000000).exists(i, (parameters.text + parameters.text).indexOf(parameters.text + \"b\") > 0))'}\n",
		}},
		{name: "merges", says: "offerings/merges/1.0.0/kustomization.yaml: walks over 4,000,100,098 fields and items", version: map[string]string{
			"kustomization.yaml": component + "resources: [map.yaml]\npatches:\n- target: {kind: Deployment}\n  patch: |\n" +
				"    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: x}\n    spec: {template: {spec: {containers: [{name: a, env: [" + each(10_000, "{name: w%d, value: v},") + "]}]}}}\n",
			"map.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" +
				"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b, env: [" + each(10_000, "{name: v%d, value: v},") + "]}]}}}\n",
		}},
	}
}

// files are those of an amplifier, by their path in the platform.
func (a amplifier) files() map[string]string {
	files := map[string]string{}
	at := "offerings/" + a.name + "/"
	files[at+"offering.yaml"] = "apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: " + a.name + "}\nspec: {title: Evil, description: Amplifies., owner: platform}\n"
	files[at+"1.0.0/version.yaml"] = evilVersion
	files[at+"1.0.0/kustomization.yaml"] = component + "resources: [map.yaml]\n"
	files[at+"1.0.0/map.yaml"] = oneMap
	for name, text := range a.version {
		files[at+"1.0.0/"+name] = text
	}
	files[at+"1.0.0/version.yaml"] = strings.Replace(files[at+"1.0.0/version.yaml"], "NAME", a.name, 1)
	files["requests/evil/"+a.name+".yaml"] = "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + a.name + "}\nspec:\n" +
		"  offering: " + a.name + "\n  version: \"1\"\n  environments: {dev: {}}\n  parameters: " + cmp.Or(a.parameters, "{}") + "\n"
	for name, text := range a.platform {
		files[name] = text
	}
	return files
}

// checked runs check on a platform with one amplifier, and requires that it ends soon and names the file.
func (a amplifier) checked(t testing.TB, bin string) {
	dir := t.TempDir()
	fsys, err := txtar.FS(txtar.Parse([]byte(settings)))
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(dir, fsys))
	alike := map[string][]string{} // files by their text: a link to one takes less time than another
	for name, text := range a.files() {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if n := len(alike[text]); n%10_000 == 0 {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		} else {
			require.NoError(t, os.Link(alike[text][n-1], file))
		}
		alike[text] = append(alike[text], file)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	check := exec.CommandContext(ctx, filepath.Join(bin, "transom"), "check", dir)
	out, err := check.CombinedOutput()
	require.NoError(t, ctx.Err(), "check ends")
	said := string(out[:min(len(out), 4<<10)])
	used := check.ProcessState.SysUsage().(*syscall.Rusage)
	processor := check.ProcessState.UserTime() + check.ProcessState.SystemTime()
	t.Logf("%s: %s, of the processor %s, %d MiB", a.name, time.Since(began), processor, used.Maxrss>>10)
	require.Equal(t, a.says == "", err == nil, "%s", said)
	told := strings.Contains(string(out), a.says) // of an output that may be long
	require.True(t, told, "%s", said)
	most := 20 * time.Second
	if strings.Contains(a.says, "processor time") {
		most += 5 * time.Second // a build that is ended twice takes sixteen by itself
	}
	require.Less(t, processor, most, "check ends soon")
	require.Less(t, used.Maxrss, int64(1<<20), "KiB of memory")
}

func TestCheckOfWhatAmplifiesEndsSoon(t *testing.T) {
	t.Parallel()
	bin := binaries(t)
	for _, a := range slices.Concat(amplifiers(), platformAmplifiers(), crowds(5_000)) {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.checked(t, bin)
		})
	}
}

// BenchmarkCheckOfCrowds keeps check of ten times as many requests to the same limits.
func BenchmarkCheckOfCrowds(b *testing.B) {
	bin := binaries(b)
	for _, a := range crowds(manyRequests) {
		a.checked(b, bin)
	}
	b.ReportMetric(0, "ns/op")
}

// nestedTree adds a commit to the platform in which requests/nested has 10^10 paths, and returns it.
func (w *world) nestedTree() string {
	dir := filepath.Join(w.dir, "platform.git")
	mktree := func(entries string) string {
		file := filepath.Join(w.t.TempDir(), "entries")
		require.NoError(w.t, os.WriteFile(file, []byte(entries), 0o600))
		return w.git(dir, "-c", "alias.tree=!git mktree <"+file, "tree")
	}
	blob := w.git(dir, "rev-parse", "main:requests/payments/shop.yaml")
	tree := mktree("100644 blob " + blob + "\ta.yaml\n")
	for range 10 {
		tree = mktree(each(10, "040000 tree "+tree+"\td%d\n"))
	}
	requests := mktree(w.git(dir, "ls-tree", "main:requests") + "\n040000 tree " + tree + "\tnested\n")
	var root []string
	for _, line := range strings.Split(w.git(dir, "ls-tree", "main"), "\n") {
		if !strings.HasSuffix(line, "\trequests") {
			root = append(root, line)
		}
	}
	all := mktree(strings.Join(root, "\n") + "\n040000 tree " + requests + "\trequests\n")
	commit := w.git(dir, "commit-tree", "-p", "main", "-m", "nested", all)
	w.git(dir, "update-ref", "refs/heads/main", commit)
	return commit
}

// TestAmplifiersCostOnlyThemselves is invariant 6 for merged files: all amplifiers come at once, along with a neighbour's change. The
// longest build among them ends only when it used up its processor time, twice: the neighbour and the revert are live before that
// on a machine of any speed.
func TestAmplifiersCostOnlyThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	w.start()
	w.live("shop", "green")
	began := time.Now()
	before := w.push("blue", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")
	usual := time.Since(began)

	memory := w.watchMemory()
	evil := map[string]string{"requests/payments/shop.yaml": request("shop", "red")}
	for _, a := range amplifiers() {
		maps.Copy(evil, a.files())
	}
	w.push("evil", evil)
	commit := w.nestedTree()
	began = time.Now()
	w.live("shop", "red")
	t.Logf("the neighbour is live after %s, before it was %s", time.Since(began), usual)
	require.Empty(t, w.said("processor time"), "the neighbour is live before the runaway is ended")
	w.eventually("the runaway is ended", func() error { return w.tells("processor time") })
	s, err := w.status()
	require.NoError(t, err)
	require.Equal(t, commit, s.Platform.Commit)

	most := memory()
	began = time.Now()
	w.stop()
	require.Less(t, time.Since(began), 20*time.Second, "SIGTERM ends it whatever runs")
	ended := w.said("processor time")
	began = time.Now()
	w.start()
	memory = w.watchMemory()
	w.eventually("it is up again", func() error { return w.followsAll(commit) })
	t.Logf("started again after %s", time.Since(began))

	dir := filepath.Join(w.dir, "platform.git")
	reverted := w.git(dir, "commit-tree", "-p", commit, "-m", "revert", before+"^{tree}")
	began = time.Now()
	w.git(dir, "update-ref", "refs/heads/main", reverted)
	w.live("shop", "blue")
	t.Logf("the revert is live after %s", time.Since(began))
	require.Equal(t, ended, w.said("processor time"), "the revert is live before the runaway is ended again")
	w.eventually("all is well", func() error { return w.healthy(reverted, 2) })
	most = max(most, memory())
	require.Less(t, most, float64(1<<30), "memory of the daemon")
	t.Logf("at most %.0f MiB of memory", most/(1<<20))
	w.stop()
	w.git(w.clone(), "pull", "-q", "origin", "main")
	w.settled(map[string]string{"shop": "blue"})
}

// tells returns an error until some Problem has a text.
func (w *world) tells(text string) error {
	s, err := w.status()
	if err != nil {
		return err
	}
	all, err := json.Marshal(s)
	if err == nil && !strings.Contains(string(all), text) {
		err = fmt.Errorf("nothing says %q", text)
	}
	return err
}
