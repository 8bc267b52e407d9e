package platform_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// A hostile is files that make very much of little, and the Problem of them that names the file; empty: they are allowed, and cost little.
type hostile struct {
	files map[string]string
	says  string
}

func written(kind, name, spec string) string {
	return "apiVersion: transom.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// times repeats a text that has the number of each time.
func times(count int, text string) string {
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, text, n)
	}
	return all.String()
}

// many are so many files, each with its number in its path and text.
func many(files map[string]string, count int, path, text string) map[string]string {
	for n := range count {
		files[fmt.Sprintf(path, n)] = strings.ReplaceAll(text, "%d", fmt.Sprint(n))
	}
	return files
}

// environment is one of the team evil, with these fields.
func evilEnvironment(spec string) map[string]string {
	return map[string]string{"environments/evil.yaml": written("Environment", "evil", "state: {url: 'https://git.example.com/evil.git'}, clusters: {}, "+spec)}
}

func evilOffering(spec, version string) map[string]string {
	return map[string]string{
		"offerings/evil/offering.yaml":            written("Offering", "evil", "title: Evil"+spec),
		"offerings/evil/1.0.0/version.yaml":       written("Version", "evil", version),
		"offerings/evil/1.0.0/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
	}
}

// and adds files to others.
func and(files, more map[string]string) map[string]string {
	for name, text := range more {
		files[name] = text
	}
	return files
}

// How long lists are, and how many requests there are of each kind: where work grew with their square, a load would take a minute.
const (
	so    = 20_000
	crowd = 5_000
)

// hostiles has the kinds of files that refer to others or list things, beside those that are rendered.
func hostiles() map[string]hostile {
	requests := func(spec string) map[string]string {
		return many(map[string]string{}, crowd, "requests/evil/r%d.yaml", written("Request", "r%d", spec+", environments: {dev: {}}"))
	}
	sound := "offering: postgres, version: '1', parameters: {storage: 20Gi}"
	return map[string]hostile{
		"recipients": {
			evilEnvironment("secrets: {recipients: {'*': [" + times(so, "age1%d, ") + "]}}"),
			"environments/evil.yaml:4:95: spec.secrets.recipients.*: has 20000 entries; at most 1000",
		},
		"files of sealed values without requests": {
			many(requests(sound), crowd, "requests/evil/s%d.dev.secret.yaml", "kind: Secret\n"),
			"requests/evil/s7.dev.secret.yaml: there is no request evil/s7; delete the file, or rename it after its request",
		},
		"a sealed file of very many recipients": {
			and(evilEnvironment("secrets: {recipients: {'*': [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]}}"), map[string]string{
				"requests/evil/r.yaml": written("Request", "r", sound+", environments: {evil: {}}"),
				"requests/evil/r.evil.secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: r}\nstringData: {" + times(so, "k%d: v, ") +
					"}\nsops: {age: [" + times(so, "{recipient: a%d}, ") + "]}\n",
			}),
			"requests/evil/r.evil.secret.yaml:4:14: stringData.k0: is not sealed",
		},
		"image pull secrets": {evilEnvironment("imagePullSecrets: [" + times(5*so, "s%d, ") + "]"), "environments/evil.yaml:4:72: spec.imagePullSecrets: has 100000 entries; at most 1000"},
		"image pull secrets of nobody": {
			many(evilEnvironment("imagePullSecrets: ["+times(900, "t%d, ")+"]"), so, "environments/evil/s%d.secret.yaml", "kind: Secret\n"),
			"spec.imagePullSecrets[0]: there is no environments/evil/t0.secret.yaml",
		},
		"notifications": {
			many(map[string]string{}, 200, "notifications/n%d.yaml", written("Notification", "n%d", "target: chat, teams: ["+times(900, "team%d, ")+"]")),
			"notifications/n7.yaml:4:30: spec.teams[0]: warning: no team \"team0\" has requests",
		},
		"teams of a notification": {
			map[string]string{"notifications/n.yaml": written("Notification", "n", "target: chat, teams: ["+times(5*so, "t%d, ")+"]")},
			"notifications/n.yaml:4:22: spec.teams: has 100000 entries; at most 1000",
		},
		"a policy for offerings that there are not": {
			map[string]string{"policies/p.yaml": written("Policy", "p", "action: deny, match: {offerings: ["+times(5*so, "o%d, ")+"]}, quotas: [{most: 1, message: none}]")},
			"policies/p.yaml:4:30: spec.match.offerings: has 100000 entries; at most 10000",
		},
		"Holds of requests that there are not": {
			many(requests(sound), crowd, "decisions/dev/h%d.yaml", written("Hold", "h%d", "request: evil/x%d")),
			"decisions/dev/h7.yaml:4:8: spec.request: warning: there is no request evil/x7; it decides only about what still runs under that name",
		},
		"Pins of an offering": {
			many(requests(sound), 1000, "decisions/dev/p%d.yaml", written("Pin", "p%d", "offering: postgres, version: 9.9.9")),
			"decisions/dev/p7.yaml:4:28: spec.version: warning: cannot be followed, and what it is about stays as it is: postgres has no sound version \"9.9.9\"",
		},
		"decisions": {
			many(map[string]string{}, 100_001, "decisions/prod/h%d.yaml", "kind: Hold\n"),
			"decisions/prod: holds over 100,000 files and folders, or over 64 MiB: it is not looked into, and what runs of it stays as it is",
		},
		"an Override of very many gates": {
			map[string]string{"decisions/dev/o.yaml": written("Override", "o", "request: search/index, skip: ["+times(5*so, "g%d, ")+"]")},
			"decisions/dev/o.yaml:4:31: spec.skip: has 100000 entries; at most 1000",
		},
		"routine parameters":                     {evilOffering(", routine: ["+times(5*so, "p%d, ")+"]", "parameters: {type: object, properties: {a: {type: string}}}"), "offerings/evil/offering.yaml:4:21: spec.routine: has 100000 entries; at most 1000"},
		"versions that there are not":            {evilOffering(", versions: {"+times(so, "9.9.%d: {lifecycle: active}, ")+"}", ""), "offerings/evil/offering.yaml:4:32: spec.versions.9.9.0: warning: there is no directory offerings/evil/9.9.0"},
		"links":                                  {evilOffering(", links: ["+times(so, "{name: n%d, url: 'https://a.example.com/'}, ")+"]", ""), "offerings/evil/offering.yaml:4:21: spec.links: has 20000 links and may have "},
		"observed outputs":                       {evilOffering("", "outputs: ["+times(1001, "{name: n%d, type: string, from: {group: a.b, kind: C, path: status.d}, example: x}, ")+"]"), "offerings/evil/1.0.0/version.yaml:4:8: spec.outputs: has 1001 entries; at most 1000"},
		"health rules":                           {evilOffering("", "health: ["+times(1001, "{group: a.b, kind: C%d, applied: true}, ")+"]"), "offerings/evil/1.0.0/version.yaml:4:8: spec.health: has 1001 entries; at most 1000"},
		"offerings of a binding":                 {evilOffering("", "bindings: {b: {offerings: ["+times(5*so, "o%d, ")+"]}}"), "offerings/evil/1.0.0/version.yaml:4:23: spec.bindings.b.offerings: has 100000 entries; at most 10000"},
		"a check's template":                     {evilEnvironment("gates: {checks: [{name: c, url: 'https://a.example.com/" + strings.Repeat("x", 100_000) + "'}]}"), "environments/evil.yaml:4:99: spec.gates.checks[0].url: has "},
		"windows":                                {evilEnvironment("windows: [" + times(so, "{cron: '%d 0 30 2 *', duration: 1h}, ") + "]"), "environments/evil.yaml:4:72: spec.windows: has 20000 entries; at most 1000"},
		"waves":                                  {evilEnvironment("rollout: {waves: [" + times(so, "{name: w%d}, ") + "]}"), "environments/evil.yaml:4:82: spec.rollout.waves: has 20000 entries; at most 1000"},
		"environments before that there are not": {evilEnvironment("promotesFrom: [" + times(5*so, "e%d, ") + "]"), "environments/evil.yaml:4:72: spec.promotesFrom: has 100000 entries; at most 1000"},
		"an overlay that is listed very often": {and(evilEnvironment("components: ["+strings.Repeat("heavy, ", 1000)+"]"), map[string]string{
			"environments/evil/heavy/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
			"environments/evil/heavy/text.txt":           strings.Repeat("x", 1<<20),
		}), ""},
		"bindings that the version does not have": {
			and(evilOffering("", "bindings: {"+times(1000, "b%d: {offerings: [evil]}, ")+"}"), map[string]string{
				"requests/evil/r.yaml": written("Request", "r", "offering: evil, version: '1', environments: {dev: {}}, bindings: {"+times(so, "x%d: y, ")+"}"),
			}),
			"requests/evil/r.yaml:4:74: spec.bindings.x0: evil@1.0.0 has no such binding",
		},
		"requests bound to nobody": {
			and(evilOffering("", "bindings: {b: {offerings: [evil]}}"), requests("offering: evil, version: '1', bindings: {b: x%d}")),
			"requests/evil/r7.yaml:4:49: spec.bindings.b: team evil has no request \"x7\"",
		},
		"offerings that there are not": {
			many(requests("offering: o%d, version: '1'"), 1000, "offerings/p%d/offering.yaml", written("Offering", "p%d", "title: P")),
			"requests/evil/r7.yaml:4:8: spec.offering: no offering \"o7\"",
		},
		"environments that there are not": {
			map[string]string{"requests/evil/r.yaml": written("Request", "r", sound+", environments: {"+times(4*so, "e%d: {}, ")+"}")},
			"requests/evil/r.yaml:4:86: spec.environments: no environment \"e0\"",
		},
		"chart values that there are not": {and(evilOffering("", "chart: {path: chart, values: {"+times(crowd, "v%d: '1', ")+"}}"), map[string]string{
			"offerings/evil/1.0.0/chart/Chart.yaml":  "apiVersion: v2\nname: c\nversion: 1.0.0\n",
			"offerings/evil/1.0.0/chart/values.yaml": times(crowd, "w%d: '1'\n"),
		}), "offerings/evil/1.0.0/version.yaml:4:38: spec.chart.values.v0: warning: values.yaml of the chart has no such value"},
		"a huge key": {map[string]string{"requests/evil/r.yaml": written("Request", "r", sound+", environments: {dev: {}}, parameters: {\""+strings.Repeat("k", 1<<19)+"\": 1}")}, "requests/evil/r.yaml:"},
	}
}

// symbolicLinks are very many of them beside requests that ask for what is missing.
func symbolicLinks() fstest.MapFS {
	files := fstest.MapFS{}
	for n := range crowd {
		files[fmt.Sprintf("requests/evil/l%d.yaml", n)] = &fstest.MapFile{Mode: fs.ModeSymlink}
	}
	return files
}

// processor is the time that this process used of processors.
func processor(t *testing.T) time.Duration {
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestHostilePlatformsCostNobodyElse: each ends soon, whoever loads it, with a Problem that names the file, and a neighbour is as before.
func TestHostilePlatformsCostNobodyElse(t *testing.T) {
	for name, h := range hostiles() {
		t.Run(name, func(t *testing.T) {
			files := repository(t, &txtar.Archive{})
			for at, text := range h.files {
				files[at] = &fstest.MapFile{Data: []byte(text)}
			}
			told(t, files, h.says)
		})
	}
	t.Run("symbolic links", func(t *testing.T) {
		files := repository(t, &txtar.Archive{})
		for at, text := range and(evilOffering("", "bindings: {b: {offerings: [evil]}}"),
			many(map[string]string{}, crowd, "requests/evil/r%d.yaml", written("Request", "r%d", "offering: evil, version: '1', bindings: {b: x%d}, environments: {dev: {}}"))) {
			files[at] = &fstest.MapFile{Data: []byte(text)}
		}
		for at, link := range symbolicLinks() {
			files[at] = link
		}
		told(t, files, "requests/evil/l7.yaml: is a symbolic link; commit what it points to")
	})
}

// told loads a hostile platform as check and a daemon do.
func told(t *testing.T, files fstest.MapFS, says string) {
	began := processor(t)
	l := &platform.Loader{AtOnce: 2000}
	p, err := l.Load(files)
	require.NoError(t, err)
	all := slices.Concat(p.Problems, p.IdleDecisions())
	first := processor(t) - began
	found := says == ""
	for _, problem := range all {
		line := problem.String()
		require.LessOrEqual(t, len(line), 3*wording.MaxMessage)
		found = found || strings.Contains(line, says)
	}
	require.True(t, found, "%d Problems, such as %v", len(all), all[:min(len(all), 3)])
	require.NotNil(t, instance(t, p, "dev", "search/index"))
	files["requests/search/index.yaml"] = &fstest.MapFile{Data: append([]byte("# changed\n"), files["requests/search/index.yaml"].Data...)}
	began = processor(t)
	p, err = l.Load(files)
	require.NoError(t, err)
	require.NotNil(t, instance(t, p, "dev", "search/index"))
	again := processor(t) - began
	t.Logf("first %s, again %s", first, again)
	require.Less(t, first, 8*time.Second, "as for check")
	require.Less(t, again, 2*time.Second, "as for a daemon")
}

// TestNewDecisionsOfALargeMergeComeInTurns: those of another environment are there at once, and so is whatever stands: without an
// Override, a rollout whose check it skips would fail.
func TestNewDecisionsOfALargeMergeComeInTurns(t *testing.T) {
	files := repository(t, &txtar.Archive{})
	l := &platform.Loader{AtOnce: 2000}
	_, err := l.Load(files)
	require.NoError(t, err)
	release := "sha256:" + strings.Repeat("0", 64)
	add := func(at, text string) { files[at] = &fstest.MapFile{Data: []byte(text)} }
	for n := range 40 {
		name := fmt.Sprintf("a%02d", n)
		add("decisions/dev/"+name+".yaml", written("Approval", name, "items: ["+times(1000, "{request: evil/r%d, release: '"+release+"'}, ")+"]"))
	}
	add("decisions/dev/h.yaml", written("Hold", "h", "request: search/index"))
	add("decisions/dev/p.yaml", written("\"P\\x69n\"", "p", "request: search/index, release: '"+release+"'"))
	add("decisions/dev/o.yaml", written("Override", "o", "request: search/index, skip: [check]"))
	add("decisions/dev/s.yaml", written("hold", "s", "request: search/index"))
	add("decisions/prod/a.yaml", written("Approval", "a", "request: search/index, release: '"+release+"'"))

	before := 0
	for load := 1; ; load++ {
		p, err := l.Load(files)
		require.NoError(t, err)
		require.Len(t, p.Problems, 1)
		require.Equal(t, "decisions/dev/s.yaml", p.Problems[0].File)
		of := map[string]int{}
		for _, d := range p.Decisions {
			of[string(d.Kind)+" in "+d.Environment]++
		}
		require.Equal(t, 1, of["Hold in dev"])
		require.Equal(t, 1, of["hold in dev"], "which holds all the more")
		require.Equal(t, 1, of["Pin in dev"])
		require.Equal(t, 1, of["Override in dev"])
		require.Equal(t, 1, of["Approval in prod"])
		require.Greater(t, of["Approval in dev"], before)
		require.LessOrEqual(t, of["Approval in dev"]-before, 12_000, "a megabyte of them")
		before = of["Approval in dev"]
		if p.Deferred() == 0 {
			require.Greater(t, load, 3)
			break
		}
		require.Equal(t, 40-before/1000, p.Deferred())
	}
	require.Equal(t, 40_000, before)
}
