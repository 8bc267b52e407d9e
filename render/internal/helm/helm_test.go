package helm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"transom.dev/render/internal/helm"
)

// features is a chart for each feature of the language, by the files that it has besides Chart.yaml.
var features = map[string]map[string]string{
	"range": {"values.yaml": "list: [b, a]\nmap: {z: 1, y: 2, x: 3}\n", "templates/a.yaml": `a:
{{- range $i, $v := .Values.list }}
- {{ $i }}-{{ $v }}
{{- end }}
{{- range $k, $v := .Values.map }}
- {{ $k }}={{ $v }}
{{- else }}
- none
{{- end }}
`},
	"with":       {"values.yaml": "a: {b: {c: deep}}\n", "templates/a.yaml": "{{ with .Values.a.b }}c: {{ .c }} in {{ $.Release.Name }}{{ end }}{{ with .Values.nothing }}no{{ else }}\nelse: here{{ end }}\n"},
	"whitespace": {"templates/a.yaml": "a:\n  {{- if true }}\n  b: c\n  {{- end }}\n{{/* a comment */ -}}\nd: {{ print \"x\" | indent 2 }}\n"},
	"include": {
		"templates/_helpers.tpl": "{{ define \"x.labels\" }}app: {{ .Chart.Name }}\nrelease: {{ .Release.Name }}{{ end }}",
		"templates/a.yaml":       "labels: {{- include \"x.labels\" . | nindent 2 }}\ntemplate: {{ template \"x.labels\" . }}\n",
	},
	"tpl":      {"values.yaml": "host: '{{ .Release.Name }}.{{ .Values.domain }}'\ndomain: example.com\n", "templates/a.yaml": "host: {{ tpl .Values.host . }}\n"},
	"required": {"values.yaml": "a: there\n", "templates/a.yaml": "a: {{ required \"a is needed\" .Values.a }}\n"},
	"default":  {"values.yaml": "zero: 0\nempty: \"\"\n", "templates/a.yaml": "a: {{ .Values.zero | default 3 }}\nb: {{ .Values.empty | default \"x\" | quote }}\nc: {{ coalesce .Values.no .Values.empty \"y\" }}\nd: {{ ternary \"t\" \"f\" (eq .Values.zero 0.0) }}\n"},
	"yaml":     {"values.yaml": "a: {c: [1, {d: \"yes\"}], b: no, n: 10000000}\n", "templates/a.yaml": "a: {{- toYaml .Values.a | nindent 2 }}\njson: {{ toJson .Values.a }}\ntoml: {{ toToml .Values.a.c | quote }}\nfrom: {{ (fromYaml \"x: {y: z}\").x.y }}\n"},
	"files": {
		"files/a.txt": "one\ntwo\n", "files/b.txt": "three\n", "files/bin": "\x00\x01\xff",
		"templates/a.yaml": "a: {{ .Files.Get \"files/a.txt\" | quote }}\nb: {{- (.Files.Glob \"files/*.txt\").AsConfig | nindent 2 }}\nc: {{ .Files.Get \"files/bin\" | b64enc }}\nd: {{ range .Files.Lines \"files/a.txt\" }}{{ . }},{{ end }}\ne: {{ .Files.Get \"../../etc/passwd\" | quote }}\n",
	},
	"capabilities": {"templates/a.yaml": "v: {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }}\na: {{ .Capabilities.APIVersions.Has \"apps/v1\" }}\nb: {{ semverCompare \">=1.30-0\" .Capabilities.KubeVersion.Version }}\n"},
	"release":      {"templates/a.yaml": "{{ toYaml .Release }}\nc: {{ .Chart.Name }} {{ .Chart.Version }} {{ .Chart.AppVersion }}\nt: {{ .Template.Name }} {{ .Template.BasePath }}\n"},
	"subchart": {
		"Chart.yaml":  "apiVersion: v2\nname: x\nversion: 1.0.0\nappVersion: \"2\"\ndependencies:\n- {name: sub, version: 1.0.0, repository: https://example.com, condition: sub.enabled}\n- {name: sub, version: 1.0.0, repository: https://example.com, alias: again, tags: [extra]}\n- {name: unused, version: 1.0.0, repository: https://example.com, condition: unused.enabled}\n",
		"values.yaml": "global: {registry: r.example.com}\nsub: {enabled: true, size: 3}\nagain: {size: 7}\nunused: {enabled: false}\ntags: {extra: true}\n", "templates/a.yaml": "g: {{ .Values.global.registry }}\ns: {{ .Values.sub.size }}\n",
		"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/values.yaml": "size: 1\nkept: yes it is\n",
		"charts/sub/templates/s.yaml": "name: {{ .Chart.Name }}\nsize: {{ .Values.size }}\nkept: {{ .Values.kept }}\ng: {{ .Values.global.registry }}\n",
		"charts/unused/Chart.yaml":    "apiVersion: v2\nname: unused\nversion: 1.0.0\n", "charts/unused/templates/o.yaml": "never: {{ now }}\n",
	},
	"import-values": {
		"Chart.yaml":            "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 1.0.0, repository: \"\", import-values: [data, {child: other, parent: mine}]}\n",
		"templates/a.yaml":      "a: {{ .Values.a }}\nb: {{ .Values.mine.b }}\n",
		"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/values.yaml": "exports: {data: {a: 1}}\nother: {b: 2}\n",
	},
	"library": {
		"Chart.yaml":            "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 1.0.0, repository: \"\"}\n",
		"templates/a.yaml":      "a: {{ include \"lib.x\" . }}\n",
		"charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n", "charts/lib/templates/_x.tpl": "{{ define \"lib.x\" }}from {{ .Chart.Name }}{{ end }}",
	},
	"schema":     {"values.yaml": "size: 3\n", "values.schema.json": `{"type": "object", "properties": {"size": {"type": "integer", "maximum": 5}}, "additionalProperties": false}`, "templates/a.yaml": "n: {{ .Values.size }}\n"},
	"own schema": {"values.yaml": "size: 3\n", "values.schema.json": `{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/x.json", "properties": {"size": {"$ref": "#/definitions/n"}}, "definitions": {"n": {"type": "integer"}}}`, "templates/a.yaml": "n: {{ .Values.size }}\n"},
	"branch":     {"templates/a.yaml": "{{ if false }}{{ now }}{{ lookup \"v1\" \"Pod\" \"a\" \"b\" }}{{ randAlpha 3 }}{{ end }}a: b\n"},
	"old":        {"Chart.yaml": "name: x\nversion: 1.0.0\n", "templates/a.yaml": "a: of apiVersion v1\n"},
	"sprig":      {"templates/a.yaml": "a: {{ \"hello\" | sha256sum | trunc 8 }}\nb: {{ list 3 1 2 | sortAlpha | join \",\" }}\nc: {{ dict \"x\" 1 | merge (dict \"y\" 2) | toJson }}\nd: {{ regexReplaceAll \"l+\" \"hello\" \"L\" }}\ne: {{ add 1 2 | mul 3 }}\nf: {{ semver \"1.2.3\" }}\n"},
	"changes": {
		"values.yaml": "a: {n: 1, list: [1]}\nsub: {n: 1}\n", "templates/a.yaml": "a: {{ .Values.a }} {{ .Chart.Name }} {{ .Values.b }} {{ .Subcharts.sub.Template }}\n",
		"templates/b.yaml":      "{{ $_ := set .Values.a \"n\" (add1 .Values.a.n) }}{{ $_ := set .Values \"b\" .Release.Name }}{{ $_ := set .Chart \"Name\" \"y\" }}n: {{ .Values.a.n }}\n",
		"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/templates/s.yaml": "{{ $_ := set .Values \"n\" (add1 .Values.n) }}n: {{ .Values.n }}\n",
	},
	"missing": {"templates/a.yaml": "a: {{ .Values.missing }}{{ tpl \"{{ define `late` }}x{{ end }}{{ include `late` . }}\" . }}\n"},
	"notes":   {"templates/NOTES.txt": "{{ now }}", "templates/a.yaml": "a: b\n"},
}

// TestEveryFeatureRendersAsTheSDKDoes: the same texts as Helm's own engine with the same chart, values and capabilities.
func TestEveryFeatureRendersAsTheSDKDoes(t *testing.T) {
	for name, changed := range features {
		t.Run(name, func(t *testing.T) {
			files := chartOf(changed)
			call := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1", "apps/v1"}}
			encoded, err := call.Encode()
			require.NoError(t, err)
			got, err := helm.Render(files, encoded)
			require.NoError(t, err)
			require.Equal(t, sdk(t, files, call), got)
			require.NotEmpty(t, got)
		})
	}
}

// TestAKeptChartRendersAsTheSDKDoes: whatever was printed of the same chart before, for other releases and with other values.
func TestAKeptChartRendersAsTheSDKDoes(t *testing.T) {
	var charts helm.Charts
	for name, changed := range features {
		t.Run(name, func(t *testing.T) {
			files := chartOf(changed)
			for n := range 6 {
				call := helm.Call{Release: fmt.Sprintf("shop-%d", n), Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1", "apps/v1"}}
				if name == "subchart" && n%3 > 0 {
					call.Values = map[string]any{"sub": map[string]any{"enabled": n%3 == 1}, "tags": map[string]any{"extra": n%3 == 2}}
				}
				encoded, err := call.Encode()
				require.NoError(t, err)
				got, err := charts.Render(files, encoded)
				require.NoError(t, err)
				require.Equal(t, sdk(t, files, call), got)
			}
		})
	}
}

// TestAKeptChartFailsAsANewOneDoes, and prints the next release.
func TestAKeptChartFailsAsANewOneDoes(t *testing.T) {
	var charts helm.Charts
	files := chartOf(map[string]string{
		"values.yaml": "size: 1\nfail: false\n", "values.schema.json": `{"properties": {"size": {"type": "integer"}}}`,
		"templates/_h.tpl": "{{ define \"h\" }}{{ if .Values.fail }}{{ include \"h\" . }}{{ end }}{{ end }}",
		"templates/a.yaml": "a: {{ .Values.size }}\n", "templates/b.yaml": "b: {{ include \"h\" . }}\n",
	})
	for n, values := range []map[string]any{
		{"size": 1}, {"size": 2}, {"fail": true}, {"size": 3}, {"size": "many"}, {"fail": true}, {"fail": true}, {"size": 4},
	} {
		encoded, err := helm.Call{Release: fmt.Sprintf("shop-%d", n), Namespace: "payments", Kubernetes: "1.33", Values: values}.Encode()
		require.NoError(t, err)
		want, wantErr := helm.Render(files, encoded)
		got, err := charts.Render(files, encoded)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got)
	}
}

// TestManyChartsAreKeptWithinBounds: the goroutines of those that were not used for long have ended.
func TestManyChartsAreKeptWithinBounds(t *testing.T) {
	var charts helm.Charts
	before := runtime.NumGoroutine()
	encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33"}.Encode()
	require.NoError(t, err)
	for n := range 10 {
		files := chartOf(map[string]string{"templates/a.yaml": fmt.Sprintf("n: %d\n# %s", n, strings.Repeat("large ", 200_000))})
		for range 3 {
			got, err := charts.Render(files, encoded)
			require.NoError(t, err)
			require.Contains(t, got["templates/a.yaml"], fmt.Sprintf("n: %d\n", n))
		}
	}
	require.Less(t, runtime.NumGoroutine()-before, 5, "a chart of 1.2 MB and its session count twice, and 8 MiB are kept")
}

func chartOf(changed map[string]string) map[string][]byte {
	files := map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: x\nversion: 1.0.0\nappVersion: \"2\"\n")}
	for file, text := range changed {
		files[file] = []byte(text)
	}
	return files
}

// sdk is the print of Helm, without notes and empty documents.
func sdk(t testing.TB, files map[string][]byte, call helm.Call) map[string]string {
	t.Helper()
	var buffered []*archive.BufferedFile
	for name, data := range files {
		if !strings.HasSuffix(name, "NOTES.txt") {
			buffered = append(buffered, &archive.BufferedFile{Name: name, Data: data})
		}
	}
	loaded, err := loader.LoadFiles(buffered)
	require.NoError(t, err)
	return printed(t, loaded, call)
}

// printed is the print of Helm of a chart that was loaded.
func printed(t testing.TB, loaded *chart.Chart, call helm.Call) map[string]string {
	t.Helper()
	values := map[string]any{}
	maps.Copy(values, call.Values)
	require.NoError(t, chartutil.ProcessDependencies(loaded, values))
	version, err := common.ParseKubeVersion(call.Kubernetes + ".0")
	require.NoError(t, err)
	top, err := util.ToRenderValues(loaded, values, common.ReleaseOptions{Name: call.Release, Namespace: call.Namespace, Revision: 1, IsInstall: true},
		&common.Capabilities{KubeVersion: *version, APIVersions: call.APIVersions})
	require.NoError(t, err)
	texts, err := engine.Render(loaded, top)
	require.NoError(t, err)
	found := map[string]string{}
	for name, text := range texts {
		if strings.TrimSpace(text) != "" {
			found[strings.TrimPrefix(name, loaded.Name()+"/")] = strings.TrimLeft(text, "\n")
		}
	}
	return found
}

// failing are charts with a mistake, and the words of it.
var failing = map[string]struct {
	files map[string]string
	want  string
}{
	"clock":                    {map[string]string{"templates/a.yaml": "a: b\nc: {{ now | date \"2006\" }}\n"}, "templates/a.yaml:2:6: now: its result depends on the time, and the same release renders the same everywhere and always; give the chart a value instead"},
	"in a helper":              {map[string]string{"templates/_h.tpl": "{{ define \"h\" }}\n{{ uuidv4 }}{{ end }}", "templates/a.yaml": "a: {{ include \"h\" . }}\n"}, "templates/_h.tpl:2:3: uuidv4: its result depends on chance, and the same release renders the same everywhere and always; give the chart a value or the name of a Secret: one annotated transom.dev/generate gets its values in the cluster"},
	"in tpl":                   {map[string]string{"templates/a.yaml": "a: {{ tpl \"{{ env `HOME` }}\" . }}\n"}, "templates/a.yaml:1:6: env: its result depends on the machine, and the same release renders the same everywhere and always; give the chart a value instead"},
	"a date of now":            {map[string]string{"templates/a.yaml": "a: {{ date \"2006\" \"x\" }}\n"}, "templates/a.yaml:1:6: date: x is no time, so this would be the time of now"},
	"a zone of here":           {map[string]string{"templates/a.yaml": "a: {{ dateInZone \"15:04\" 0 \"Local\" }}\n"}, "templates/a.yaml:1:6: dateInZone: the zone Local is that of the machine; name one, such as UTC"},
	"a cluster":                {map[string]string{"templates/a.yaml": "a: {{ lookup \"v1\" \"Secret\" \"\" \"\" }}\n"}, "templates/a.yaml:1:6: lookup: its result depends on a cluster, and the same release renders the same everywhere and always; give the chart a value"},
	"required":                 {map[string]string{"templates/a.yaml": "a: {{ required \"give a tag\" .Values.tag }}\n"}, "templates/a.yaml:1:6: give a tag"},
	"fail":                     {map[string]string{"templates/a.yaml": "{{ fail \"no such size\" }}\n"}, "templates/a.yaml:1:3: no such size"},
	"nil":                      {map[string]string{"templates/a.yaml": "a: {{ .Values.image.tag }}\n"}, "templates/a.yaml:1:13: .Values.image.tag: nil pointer evaluating interface {}.tag"},
	"syntax":                   {map[string]string{"templates/a.yaml": "a: b\n{{ if }}\n"}, "templates/a.yaml:2: missing value for if"},
	"no function":              {map[string]string{"templates/a.yaml": "{{ toYml . }}\n"}, `templates/a.yaml:1: function "toYml" not defined`},
	"recursion":                {map[string]string{"templates/_h.tpl": "{{ define \"h\" }}{{ include \"h\" . }}{{ end }}", "templates/a.yaml": "{{ include \"h\" . }}"}, `templates/_h.tpl:1:19: include: rendering template has a nested reference name: h: unable to execute template`},
	"no template":              {map[string]string{"templates/a.yaml": "a: {{ include \"gone\" . }}\n"}, `templates/a.yaml:1:6: include: template: no template "gone" associated with template "gotpl"`},
	"dependency":               {map[string]string{"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x.x, repository: https://example.com}]\n"}, "Chart.yaml: x depends on the chart redis, which is not in its directory charts; nothing is downloaded, so run helm dependency build and commit its files"},
	"library":                  {map[string]string{"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\ntype: library\n"}, "Chart.yaml: type is library, and a library renders nothing; vendor a chart of type application that depends on it"},
	"apiVersion":               {map[string]string{"Chart.yaml": "apiVersion: v9\nname: x\nversion: 1.0.0\n"}, `Chart.yaml: apiVersion is "v9"; a chart of Helm has v1 or v2`},
	"ignored":                  {map[string]string{".helmignore": "Chart.yaml\n"}, "Chart.yaml: Chart.yaml file is missing"},
	"no name":                  {map[string]string{"Chart.yaml": "apiVersion: v2\nversion: 1.0.0\n"}, "Chart.yaml: validation: chart.metadata.name is required"},
	"old cluster":              {map[string]string{"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\nkubeVersion: \">=1.40\"\n"}, "Chart.yaml: the chart needs Kubernetes >=1.40, and the environment has 1.33"},
	"schema":                   {map[string]string{"values.yaml": "size: many\ntag: 1\n", "values.schema.json": `{"properties": {"size": {"type": "integer"}, "tag": {"type": "string"}}}`}, "values.schema.json: /size: got string, want integer; /tag: got number, want string"},
	"remote schema":            {map[string]string{"values.schema.json": `{"$ref": "https://example.com/schema.json"}`}, "values.schema.json: it refers to https://example.com/schema.json, and nothing outside of the chart is read; copy that into $defs"},
	"schema of a large number": {map[string]string{"values.schema.json": `{"maximum": 1e999, "$ref": "file:///etc/passwd"}`}, "values.schema.json: it refers to file:///etc/passwd, and nothing outside of the chart is read; copy that into $defs"},
	"escaped schema":           {map[string]string{"values.schema.json": `{"items": [{"\u0024ref": "file:///etc/passwd"}]}`}, "values.schema.json: it refers to file:///etc/passwd, and nothing outside of the chart is read; copy that into $defs"},
	"dynamic schema":           {map[string]string{"values.schema.json": `{"$dynamicRef": "urn:elsewhere"}`}, "values.schema.json: it refers to urn:elsewhere, and nothing outside of the chart is read; copy that into $defs"},
	"remote dialect":           {map[string]string{"values.schema.json": `{"$schema": "https://example.com/dialect.json"}`}, "values.schema.json: it refers to https://example.com/dialect.json, and nothing outside of the chart is read; copy that into $defs"},
	"hook of deletion":         {map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: \"post-install, pre-delete\"}}\n"}, "templates/a.yaml: Job a is a hook of pre-delete, and nothing runs then; leave it out with spec.chart.hooks: {omit: [pre-delete]} in version.yaml, and do what it does by hand"},
	"hook of nothing":          {map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: preinstall}}\n"}, `templates/a.yaml: Job a is a hook of "preinstall", which is no event of Helm`},
	"hook of two":              {map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: \"pre-upgrade,post-upgrade\"}}\n"}, "templates/a.yaml: Job a is a hook before and after the same event, and one object is applied once; make two of it"},
	"weight":                   {map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-weight: heavy}}\n"}, `templates/a.yaml: Job a has the weight "heavy", which is no number`},
	"ignoring":                 {map[string]string{".helmignore": "docs/**\n"}, ".helmignore: double-star (**) syntax is not supported"},
	"hook in capitals":         {map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: Pre-Delete}}\n"}, "templates/a.yaml: Job a is a hook of pre-delete, and nothing runs then; leave it out with spec.chart.hooks: {omit: [pre-delete]} in version.yaml, and do what it does by hand"},
	"broken archive":           {map[string]string{"charts/redis.tgz": "no archive"}, "Chart.yaml: error unpacking subchart redis.tgz in x: gzip: invalid header"},
}

func TestAChartWithAMistakeIsToldByFileAndLine(t *testing.T) {
	for name, c := range failing {
		t.Run(name, func(t *testing.T) {
			encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33"}.Encode()
			require.NoError(t, err)
			_, err = helm.Render(chartOf(c.files), encoded)
			require.EqualError(t, err, c.want)
		})
	}
}

// TestADirectoryIsReadAsHelmReadsIt: the same texts as Helm prints of the chart on disk, where its loader of directories applies the
// .helmignore.
func TestADirectoryIsReadAsHelmReadsIt(t *testing.T) {
	for name, rules := range map[string]string{
		"no rules": "", "a file": "one.txt\n", "a directory": "# of the authors\nfiles/\n", "from the root": "/templates/b.yaml\n",
		"all but": "!*.yaml\n", "everything of a kind": "\ufeff*.txt\ntests/\n", "a subchart": "charts/sub\n",
	} {
		t.Run(name, func(t *testing.T) {
			files := chartOf(map[string]string{
				"values.yaml": "\ufeffa: b\n", "files/one.txt": "one", "files/two.txt": "two", "templates/.hidden.yaml": "{{ fail \"hidden\" }}",
				"templates/a.yaml": "\ufefflist: {{ range $name, $_ := .Files }}{{ $name }},{{ end }}\na: {{ .Values.a }}\n", "templates/b.yaml": "b: c\n",
				"templates/tests/t.yaml": "d: e\n", "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
				"charts/sub/templates/s.yaml": "s: t\n", "charts/sub/.helmignore": "s.yaml\n",
			})
			if rules != "" {
				files[".helmignore"] = []byte(rules)
			}
			call := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33"}
			encoded, err := call.Encode()
			require.NoError(t, err)
			got, err := helm.Render(files, encoded)
			dir := t.TempDir()
			for name, data := range files {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
			}
			loaded, loadErr := loader.LoadDir(dir)
			if loadErr != nil {
				require.EqualError(t, err, "Chart.yaml: "+loadErr.Error())
				return
			}
			require.NoError(t, err)
			require.Equal(t, printed(t, loaded, call), got)
		})
	}
}

// TestADefinitionIsPrintedOnce of a dependency that is there twice.
func TestADefinitionIsPrintedOnce(t *testing.T) {
	encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33"}.Encode()
	require.NoError(t, err)
	got, err := helm.Render(chartOf(map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 1.0.0, repository: \"\", alias: one}\n" +
			"- {name: sub, version: 1.0.0, repository: \"\", alias: two}\n",
		"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/templates/s.yaml": "of: {{ .Chart.Name }}\n",
		"charts/sub/crds/a.yaml": "kind: CustomResourceDefinition\nmetadata: {name: a}\n", "crds/b.yaml": "kind: CustomResourceDefinition\nmetadata: {name: b}\n",
	}), encoded)
	require.NoError(t, err)
	require.Equal(t, []string{"charts/one/crds/a.yaml", "charts/one/templates/s.yaml", "charts/two/templates/s.yaml", "crds/b.yaml"}, slices.Sorted(maps.Keys(got)))
}

// TestEventsOfHooksMayBeInCapitals, as for Helm.
func TestEventsOfHooksMayBeInCapitals(t *testing.T) {
	print := func(first bool, event string) map[string]string {
		encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33", Hooks: helm.Hooks{First: first}}.Encode()
		require.NoError(t, err)
		got, err := helm.Render(chartOf(map[string]string{"templates/a.yaml": "kind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: \"" + event + "\"}}\n"}), encoded)
		require.NoError(t, err)
		return got
	}
	for _, first := range []bool{true, false} {
		want := print(first, "pre-upgrade,post-install")
		require.NotEmpty(t, want)
		require.Equal(t, want, print(first, "PRE-UPGRADE, Post-Install"))
		require.Empty(t, print(first, "Test"))
	}
}

// TestAZoneIsNotThatOfTheMachine: a date of a zone's abbreviation is the same where the machine is in that zone.
func TestAZoneIsNotThatOfTheMachine(t *testing.T) {
	encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33"}.Encode()
	require.NoError(t, err)
	here := time.Local
	defer func() { time.Local = here }()
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("CET", 3600)} {
		time.Local = zone
		got, err := helm.Render(chartOf(map[string]string{"templates/a.yaml": `a: {{ toDate "15:04 MST" "12:00 CET" | date "15:04" }}`}), encoded)
		require.NoError(t, err)
		require.Equal(t, "a: 12:00", got["templates/a.yaml"])
	}
}
