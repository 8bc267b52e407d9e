package render_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// lookAlikes are strings that YAML, a shell or a template language takes for something else.
var lookAlikes = []string{
	"y", "n", "yes", "no", "on", "off", "True", "false", "null", "~", "0o17", "017", "0x1F", "1e3", "1_000", "1:30", ".5", ".inf", "2026-01-01",
	"&a", "*a", "!x", "!!str x", "---", "...", "<<", "=", "|", ">", "?", "- a", "a: b", "a #b", "#a", "{}", "[]", "{a: 1}", "'", `"`, `\`, "%a", "@a", "`a`",
	"${HOME}", "$(HOME)", "{{.x}}", "{{ .Values.x }}", " a", "a ", "\ta", "a\n", "\na", "a\n---\nb: c\n", "\r", "a\r\nb", "\u0085", "a\u2028b", "\u2028", "é", "",
}

// stalled is the time that no input may take: far beyond the seconds that it takes a busy machine, and far below the time of
// quadratic work on these inputs.
const stalled = 5 * time.Minute

// hostileOffering writes a parameter to where values of requests usually go. The plain one has a patch that cannot be
// compiled.
func hostileOffering(plain bool) fstest.MapFS {
	files, patches := common(), ""
	if plain {
		patches = "patches: [{target: {kind: ConfigMap}, patch: \"- {op: test, path: /kind, value: ConfigMap}\"}]\n"
	}
	for name, text := range map[string]string{
		"version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec:\n" +
			"  parameters: {type: object, required: [text], properties: {text: {type: string}}}\n",
		"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [objects.yaml]\n" + patches + `
replacements:
- source: {kind: Inputs, fieldPath: parameters.text}
  targets:
  - {select: {kind: ConfigMap}, fieldPaths: [data.text, metadata.annotations.other, metadata.annotations.text]}
  - {select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.env.0.value]}
`,
		"objects.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: map, annotations: {other: text, text: text}}
data: {text: text}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b, env: [{name: TEXT, value: text}]}]}}
`,
	} {
		put(files, "offerings/note/2.0.0/"+name, []byte(text))
	}
	return files
}

// hostileRequest asks for it with a text.
func hostileRequest(name, text string) []byte {
	quoted := strconv.QuoteToASCII(text) // which is YAML too
	return fmt.Appendf(nil, "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: %s}\nspec: {offering: note, version: 2.0.0, parameters: {text: %s}, environments: {dev: {}}}\n", name, quoted)
}

// hostileValues reads a text back from all places, as a parser of YAML 1.1 or 1.2 does.
func hostileValues(t *testing.T, unmarshal func([]byte, any) error, manifest []byte) (found []any) {
	t.Helper()
	for _, document := range strings.Split(string(manifest), "\n---\napiVersion: ") {
		if !strings.HasPrefix(document, "apiVersion: ") {
			document = "apiVersion: " + document
		}
		var object map[string]any
		require.NoError(t, unmarshal([]byte(document), &object))
		if object["kind"] == "ConfigMap" {
			metadata := object["metadata"].(map[string]any)
			found = append(found, object["data"].(map[string]any)["text"], metadata["annotations"].(map[string]any)["other"], metadata["annotations"].(map[string]any)["text"])
			continue
		}
		spec := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		env := spec["containers"].([]any)[0].(map[string]any)["env"].([]any)[0].(map[string]any)
		found = append(found, env["value"])
	}
	return found
}

// TestLookAlikesArriveAsTheyAre in data, annotations and environment variables, rendered compiled and plain and
// read by parsers of both YAMLs. Text that Kustomize could not carry unharmed is a Problem of that request.
func TestLookAlikesArriveAsTheyAre(t *testing.T) {
	for _, plain := range []bool{false, true} {
		files := hostileOffering(plain)
		for n, text := range lookAlikes {
			put(files, fmt.Sprintf("requests/payments/r%d.yaml", n), hostileRequest(fmt.Sprintf("r%d", n), text))
		}
		p := load(t, files)
		require.Empty(t, p.Problems)
		var r render.Renderer
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		refused := map[string]string{}
		for _, problem := range state.Problems {
			require.Equal(t, "coercion", problem.Rule, problem.String())
			refused[problem.Request.Name] = problem.Message
		}
		for n, text := range lookAlikes {
			name := fmt.Sprintf("r%d", n)
			manifest := state.Changes["clusters/dev/payments/"+name+".yaml"]
			if strings.Contains(text, "\u0085") {
				require.Nil(t, manifest)
				require.NotEmpty(t, refused[name], "%q", text)
				continue
			}
			require.Empty(t, refused[name], "%q", text)
			want := []any{text, text, text, text}
			require.Equal(t, want, hostileValues(t, yaml.Unmarshal, manifest), "%q", text)
			require.Equal(t, want, hostileValues(t, func(in []byte, out any) error { return k8syaml.Unmarshal(in, out) }, manifest), "%q", text)
		}
	}
}

// TestASignWithinANumberIsText: an API server reads 0o-7 as text, and so do the rules about objects, whose parser takes it for a number.
func TestASignWithinANumberIsText(t *testing.T) {
	for _, text := range []string{"0o-7", "-0o-7", "0o+7", "0o-1_0", "0o_-7", "0_o-7"} {
		files := hostileOffering(true)
		put(files, "requests/payments/r.yaml", hostileRequest("r", text))
		p := load(t, files)
		var r render.Renderer
		state, err := r.Render(p, "dev", nil)
		require.NoError(t, err)
		require.Empty(t, state.Problems, "%q", text)
		manifest := state.Changes["clusters/dev/payments/r.yaml"]
		require.Equal(t, []any{text, text, text, text}, hostileValues(t, func(in []byte, out any) error { return k8syaml.Unmarshal(in, out) }, manifest))
	}
}

// TestHostileFilesCostNobodyElse: whatever a file is, its Problem comes soon and cheaply, and the neighbour is rendered.
func TestHostileFilesCostNobodyElse(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	small, _, _ := strings.Cut(bomb, "a5:")
	hostile := map[string]string{
		"self-referencing alias":  "a: &a [*a]\n",
		"alias of two":            "a: &a {b: &b {c: *a}}\nd: *b\n",
		"alias bomb":              bomb,
		"alias bombs":             strings.Repeat(small+"---\n", 2000),
		"9,000 nested maps":       strings.Repeat("{a: ", 9000) + "b" + strings.Repeat("}", 9000),
		"9,000 nested lists":      strings.Repeat("- ", 9000) + "b\n",
		"9,000 open maps":         strings.Repeat("{a: ", 9000),
		"nested deeper than that": strings.Repeat("[", 500_000),
		"50 MB":                   "a: " + strings.Repeat("x", 50<<20) + "\n",
		"50 MB of new lines":      strings.Repeat("\n", 50<<20),
		"a key in a key":          strings.Repeat("? ", 100_000) + "a\n",
		"no text":                 strings.Repeat("\xff\x00", 1000),
		"control characters":      "a: \x00\x1b[2J\n",
	}
	for what, text := range hostile {
		files := hostileWorld(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		p := load(t, files)
		var r render.Renderer
		problems := append(p.Problems, r.Versions(p)...)
		for environment := range p.Environments {
			state, err := r.Render(p, environment, nil)
			require.NoError(t, err)
			problems = append(problems, state.Problems...)
			if environment == "dev" {
				require.Contains(t, state.Changes, "clusters/dev/payments/neighbour.yaml", what)
			}
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		for _, file := range hostilePlaces {
			require.True(t, slices.ContainsFunc(problems, func(p platform.Problem) bool { return !p.Warning && p.File == file }), "%s as %s", what, file)
		}
		for _, problem := range problems {
			require.Less(t, len(problem.String()), 1000, what)
		}
		require.Less(t, took, stalled, what)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1500<<20), what) // 50 MB in all places are 450 to begin with
	}
}

// hostilePlaces are all the kinds of YAML files that a platform has.
var hostilePlaces = []string{
	shopFile, "offerings/broken/offering.yaml", "offerings/note/1.1.0/version.yaml", "offerings/note/1.2.0/kustomization.yaml", "offerings/note/1.3.0/note.yaml",
	"environments/prod/overlay/kustomization.yaml", "environments/staging.yaml", "clusters/prod-eu.yaml", "policies/hostile.yaml", "decisions/prod/hostile.yaml",
}

// hostileWorld is a platform with a text in all these places, all of them in use.
func hostileWorld(text string) fstest.MapFS {
	files := common()
	for _, number := range []string{"1.1.0", "1.2.0", "1.3.0"} {
		for _, name := range []string{"version.yaml", "kustomization.yaml", "note.yaml"} {
			put(files, "offerings/note/"+number+"/"+name, files["offerings/note/1.0.0/"+name].Data)
		}
		name := "r" + strings.ReplaceAll(number, ".", "")
		put(files, "requests/payments/"+name+".yaml", fmt.Appendf(nil, "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: %s}\n"+
			"spec: {offering: note, version: %s, environments: {dev: {}, prod: {}}}\n", name, number))
	}
	put(files, "environments/prod.yaml", append(files["environments/prod.yaml"].Data, "  components: [overlay]\n"...))
	put(files, "requests/payments/neighbour.yaml", neighbour)
	for _, file := range hostilePlaces {
		put(files, file, []byte(text))
	}
	return files
}

// TestTheLargestRequestIsRendered: a list as long as a file can have, written to where a patch merges it by name.
func TestTheLargestRequestIsRendered(t *testing.T) {
	var env strings.Builder
	n := 0
	for ; env.Len() < 1<<20-1000; n++ {
		fmt.Fprintf(&env, "{name: v%d, value: x%d},", n, n)
	}
	files := common()
	for name, text := range map[string]string{
		"version.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec:\n  parameters: {type: object, required: [env], properties: {env: " +
			"{type: array, items: {type: object, properties: {name: {type: string}, value: {type: string}}}}}}\n",
		"kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [d.yaml]
components: [after]
replacements:
- source: {kind: Inputs, fieldPath: parameters.env}
  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.env]}]
`,
		"after/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: x}
    spec: {template: {spec: {containers: [{name: a, env: [{name: extra, value: y}]}]}}}
`,
		"d.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" +
			"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b, env: []}]}}}\n",
	} {
		put(files, "offerings/note/2.0.0/"+name, []byte(text))
	}
	put(files, "requests/payments/neighbour.yaml", neighbour)
	put(files, shopFile, []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\nspec:\n  offering: note\n  version: 2.0.0\n"+
		"  environments: {dev: {}}\n  parameters: {env: ["+env.String()+"]}\n"))
	start := time.Now()
	p := load(t, files)
	require.Empty(t, p.Problems)
	state := renderAll(t, p, "dev", nil)
	require.Less(t, time.Since(start), stalled)
	require.Empty(t, state.Problems)
	require.Contains(t, state.Changes, "clusters/dev/payments/neighbour.yaml")
	require.Equal(t, n, strings.Count(string(state.Changes["clusters/dev/payments/shop.yaml"]), "value: x"))
}

// TestManyNamesInOneTextAreFoundSoon: text is not read again for each name in it.
func TestManyNamesInOneTextAreFoundSoon(t *testing.T) {
	for _, between := range []string{",", "@", ":1,", "://web@"} {
		start := time.Now()
		p := with(t, map[string][]byte{
			"offerings/note/1.0.0/kustomization.yaml": []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [note.yaml]\n"),
			"offerings/note/1.0.0/note.yaml": []byte("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\n" +
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {text: \"" + strings.Repeat("web"+between, 1<<20/(3+len(between))) + "\"}\n"),
			shopFile: request("shop", "  environments: {dev: {}}\n"),
		})
		repo := &repository{}
		require.Contains(t, repo.render(t, p, "dev").Changes, "clusters/dev/payments/shop.yaml")
		require.Less(t, time.Since(start), 20*time.Second, between)
	}
}
