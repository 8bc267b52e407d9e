package kustomize_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
)

// tree makes the Tree of a version from pairs of file name and content.
func tree(files map[string]string) kustomize.Tree {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return kustomize.Tree{Dir: "offerings/web/1.0.0", Files: m}
}

func wrapper(inputs map[string]any, trees ...kustomize.Tree) kustomize.Wrapper {
	w := kustomize.Wrapper{
		Inputs: inputs, Trees: trees, Prefix: "shop-", Namespace: "payments",
		Labels: map[string]string{
			"app.kubernetes.io/managed-by": "transom", "transom.dev/team": "payments", "transom.dev/request": "shop",
		},
		Identity: map[string]string{"transom.dev/team": "payments", "transom.dev/request": "shop"},
	}
	for _, t := range trees {
		w.Components = append(w.Components, t.Dir)
	}
	return w
}

// TestBuildGolden wraps the files of each archive in testdata/build; want.yaml is the result.
func TestBuildGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/build/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			w, want := archived(t, file)
			got, err := kustomize.Build(w)
			require.NoError(t, err)
			if *update {
				rewriteWant(t, file, got)
				return
			}
			require.Equal(t, want, string(got))
			require.Equal(t, want, string(onDisk(t, w)), "kustomize build on the wrapper's files")
		})
	}
}

func archived(t *testing.T, file string) (w kustomize.Wrapper, want string) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	files, inputs := map[string]string{}, map[string]any{}
	for _, f := range archive.Files {
		switch f.Name {
		case "inputs":
			require.NoError(t, yaml.Unmarshal(f.Data, &inputs))
		case "want.yaml":
			want = string(f.Data)
		default:
			files[f.Name] = string(f.Data)
		}
	}
	version := tree(files)
	require.Empty(t, kustomize.Guard(version))
	return wrapper(inputs, version), want
}

func rewriteWant(t *testing.T, file string, want []byte) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name != "want.yaml" {
			out.Files = append(out.Files, f)
		}
	}
	out.Files = append(out.Files, txtar.File{Name: "want.yaml", Data: want})
	require.NoError(t, os.WriteFile(file, txtar.Format(out), 0o644))
}

// onDisk writes the wrapper beside its trees, as a platform repository has them, and runs plain Kustomize there.
func onDisk(t *testing.T, w kustomize.Wrapper) []byte {
	dir := t.TempDir()
	files, err := w.Files()
	require.NoError(t, err)
	for name, content := range files {
		write(t, filepath.Join(dir, kustomize.Dir, name), content)
	}
	for _, tree := range w.Trees {
		require.NoError(t, fs.WalkDir(tree.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(tree.Files, name)
			write(t, filepath.Join(dir, tree.Dir, name), content)
			return err
		}))
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified // as the command does without --reorder
	result, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, kustomize.Dir))
	require.NoError(t, err)
	out, err := result.AsYaml()
	require.NoError(t, err)
	return out
}

func write(t *testing.T, file string, content []byte) {
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, content, 0o644))
}

// TestConcurrentBuildsAreRight guards against Kustomize's process-global state: many builds at once, of different wrappers,
// give the bytes that each gives alone.
func TestConcurrentBuildsAreRight(t *testing.T) {
	files, err := filepath.Glob("testdata/build/*.txtar")
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 4 {
		for _, file := range files {
			w, want := archived(t, file)
			group.Go(func() {
				got, err := kustomize.Build(w)
				if err != nil || string(got) != want {
					t.Errorf("%s: differs when built concurrently: %v", file, err)
				}
			})
		}
	}
	group.Wait()
}

// TestLookAlikesStayStrings takes strings that some YAML reads as something else through the inputs, a replacement,
// and Kustomize's own round trip.
func TestLookAlikesStayStrings(t *testing.T) {
	for _, value := range []string{
		"y", "n", "on", "off", "yes", "no", "NO", "true", "False", "null", "~", "Null", "NULL", "green", "dev", "e", "E", "T", "f", "x", "nan", "NaN", "inf", "Inf",
		"0o17", "017", "0x1F", "0b11", "1e3", "1_000", "1:30", "+1", ".5", "-.inf", ".nan", "12345678901234567890",
		"2026-01-01", "2026-01-01T00:00:00Z", "<<", "=", "!!str x", "&a", "*a", "{{.x}}", "${x}", "$(x)", "{}", "[]", "- a",
		"a: b", "a #b", "#a", "'", `"`, `\`, "%a", "@a", "`a`", "|", ">", "?", " a", "a ", "\ta", "a\n", "\na", "a\n\n\nb", "a\r\nb", "\r",
		"a\u0085b", "a\u2028b", "a\u2029b", "\ufeffa", "\u0000", "\u0007", "\u007f", "\u0080", "\u009f", "\ufffe", "é", "日本", "\U0001F600", "a\u00a0b", "---", "...", "--- a",
	} {
		w := wrapper(map[string]any{"parameters": map[string]any{"value": value, "map": map[string]any{"value": value}}}, tree(map[string]string{
			"kustomization.yaml": component + `
resources: [a.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.value}
  targets:
  - {select: {kind: ConfigMap}, fieldPaths: [data.plain, data.quoted]}
  - {select: {kind: ConfigMap}, fieldPaths: [data.part, data.all], options: {delimiter: /, index: 0}}
- source: {kind: Inputs, fieldPath: parameters.map}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [more]}]
`,
			"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {plain: text, quoted: \"text\", part: text/b, all: text}\nmore: {value: text}\n",
		}))
		skeleton, err := kustomize.Analyse(w)
		require.NoError(t, err)
		problems, err := skeleton.Coerced(w.Inputs)
		require.NoError(t, err)
		if len(problems) > 0 {
			require.Len(t, problems, 5, "%q", value)
			for _, problem := range problems {
				require.Contains(t, problem.Message, "would not carry", "%q", value)
			}
			require.True(t, strings.ContainsAny(value, "\u007f\u0080\u0085\u009f\ufffe"), "%q is refused", value)
			continue
		}
		out, err := kustomize.Build(w)
		require.NoError(t, err, "%q", value)
		var object struct{ Data, More map[string]any }
		require.NoError(t, yaml.Unmarshal(out, &object), "%q", value)
		require.Equal(t, map[string]any{"plain": value, "quoted": value, "part": value + "/b", "all": value}, object.Data, "%q", value)
		require.Equal(t, map[string]any{"value": value}, object.More, "%q", value)
	}
}

// TestKustomizePrintsOneCharacterAsAnother and fails at some: as long as it does, text with them is refused.
func TestKustomizePrintsOneCharacterAsAnother(t *testing.T) {
	for _, field := range []string{"{plain: text}", `{plain: "text"}`, "{plain: 'text'}", "\n  plain: |-\n    text", "\n  plain: >-\n    text"} {
		out, err := kustomize.Build(wrapper(map[string]any{"parameters": map[string]any{"value": "a\u0085b\u2028c"}}, tree(map[string]string{
			"kustomization.yaml": component + "resources: [a.yaml]\nreplacements:\n- source: {kind: Inputs, fieldPath: parameters.value}\n" +
				"  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.plain]}]\n",
			"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: " + field + "\n",
		})))
		require.NoError(t, err)
		var object struct{ Data map[string]any }
		require.NoError(t, yaml.Unmarshal(out, &object))
		require.Equal(t, map[string]any{"plain": "a b\u2028c"}, object.Data, field)
	}
	for _, text := range []string{"\u007f", "\u0080", "\ufffe"} {
		_, err := kustomize.Build(wrapper(nil, tree(map[string]string{
			"kustomization.yaml": component + "resources: [a.yaml]\n",
			"a.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: " + strconv.QuoteToASCII(text) + "}\n",
		})))
		require.ErrorContains(t, err, "control characters are not allowed")
	}
}

// TestKeysOfInputsStayStrings: each key of a map that is copied arrives as it is, or is refused; none is taken for a merge.
func TestKeysOfInputsStayStrings(t *testing.T) {
	for _, key := range append(slices.Clone(hostile), "$patch", "a/b", "a.b", "?a", "a?b: c", "x\\ny", "\u0080") {
		more := map[string]any{key: "key", "deep": map[string]any{key: map[string]any{"a": "b"}}, "list": []any{map[string]any{key: key}}}
		w := wrapper(map[string]any{"parameters": map[string]any{"map": more, "other": "text"}}, tree(map[string]string{
			"kustomization.yaml": component + "resources: [a.yaml]\nreplacements:\n" +
				"- {source: {kind: Inputs, fieldPath: parameters.map}, targets: [{select: {kind: Thing}, fieldPaths: [more]}]}\n",
			"a.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nmore: {value: text}\n",
		}))
		skeleton, err := kustomize.Analyse(w)
		require.NoError(t, err)
		problems, err := skeleton.Coerced(w.Inputs)
		if err != nil || len(problems) > 0 {
			require.Contains(t, []string{"<<", "a\u0085b", "\u007f", "\u0080", "\xff"}, key, "is refused")
			continue
		}
		var object struct{ More map[string]any }
		require.NoError(t, yaml.Unmarshal(build(t, w), &object), "%q", key)
		require.Equal(t, more, object.More, "%q", key)
	}
}

// TestNoInputIsMerged into those beside it, unseen by any schema.
func TestNoInputIsMerged(t *testing.T) {
	w := wrapper(map[string]any{"parameters": map[string]any{"<<": map[string]any{"text": "unseen"}, "other": "seen"}}, tree(map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml]\nreplacements:\n" +
			"- {source: {kind: Inputs, fieldPath: parameters.text}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]}\n",
		"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: text}\n",
	}))
	skeleton, err := kustomize.Analyse(w)
	require.NoError(t, err)
	problems, err := skeleton.Coerced(w.Inputs)
	require.NoError(t, err)
	require.Len(t, problems, 1)
	_, err = kustomize.Build(w)
	require.ErrorContains(t, err, "missing")
}

// TestPrintsAsKustomizeDoes whatever text, numbers and structures there are.
func TestPrintsAsKustomizeDoes(t *testing.T) {
	texts := map[string]any{}
	for n, text := range hostile {
		if utf8.ValidString(text) && !strings.ContainsAny(text, "\u0000\u007f\u0085") {
			texts[fmt.Sprintf("k%c%c", 'a'+n/26, 'a'+n%26)] = text
		}
	}
	numbers := []any{0, -1, 1.5, 1e300, 1e-7, 123456789012345678, nil, true, []any{}, map[string]any{}, []any{[]any{1, "1"}, map[string]any{"a": []any{}}}}
	thing, err := yaml.Marshal(map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "a", "annotations": map[string]any{"b": "y"}},
		"spec": map[string]any{"texts": texts, "numbers": numbers, "a10": 1, "a9": 2, "a": 3, "A": 4, "é": 5, "_": 6},
	})
	require.NoError(t, err)
	w := wrapper(nil, tree(map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml, b.yaml]\n", "a.yaml": string(thing),
		"b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
	}))
	require.Equal(t, string(onDisk(t, w)), string(build(t, w)))
}

func build(t *testing.T, w kustomize.Wrapper) []byte {
	t.Helper()
	out, err := kustomize.Build(w)
	require.NoError(t, err)
	return out
}

// TestKeysArePrintedInOneOrder: Kustomize prints some in an order that differs from build to build, because it compares
// them in a circle. Ours is always the same one of its orders.
func TestKeysArePrintedInOneOrder(t *testing.T) {
	circle := map[string]any{"1a": "a", "9f": "b", "10ab": "c"}
	for name, more := range map[string]string{
		"in files":  "",
		"in inputs": "- {source: {kind: Inputs, fieldPath: parameters.map}, targets: [{select: {kind: ConfigMap}, fieldPaths: [more], options: {create: true}}]}\n",
	} {
		w := wrapper(map[string]any{"parameters": map[string]any{"value": "x", "map": circle}}, tree(map[string]string{
			"kustomization.yaml": component + "resources: [a.yaml]\nreplacements:\n" + more +
				"- {source: {kind: Inputs, fieldPath: parameters.value}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.9f]}]}\n",
			"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {1a: a, 9f: b, 10ab: c}\n",
		}))
		first, program := build(t, w), compiler.Compile(w)
		for range 20 {
			require.Equal(t, string(first), string(build(t, w)))
			compiled, err := program.Build(w)
			require.NoError(t, err)
			require.Equal(t, string(first), string(compiled))
		}
		require.Equal(t, more != "", program.Why(w) != nil, name)
		others := map[string]bool{}
		for n := 0; n < 300 && (!others[string(first)] || len(others) < 2); n++ {
			others[string(onDisk(t, w))] = true
		}
		require.Contains(t, others, string(first))
		require.Greater(t, len(others), 1, "Kustomize has one order by now; so may we, without a sort of our own")
	}
}

// TestInputsAreLiteral reads the Inputs object back: every string as it was, every key, every type.
func TestInputsAreLiteral(t *testing.T) {
	inputs := map[string]any{
		"parameters": map[string]any{
			"y": "y", "no": "no", "null": "null", "1": "1", "a.b/c": "\r\u0085\u2028", "": "",
			"int": int64(3), "big": int64(9007199254740993), "float": 1.5, "bool": true, "none": nil,
			"list": []any{"0o17", int64(17), []any{}}, "map": map[string]any{}, "text": "a\nb\n",
		},
		"namespace": "on",
	}
	files, err := wrapper(inputs).Files()
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, yaml.Unmarshal(files["inputs.yaml"], &read))
	require.Equal(t, "on", read["namespace"])
	again, err := wrapper(map[string]any{"parameters": read["parameters"], "namespace": read["namespace"]}).Files()
	require.NoError(t, err)
	require.NotContains(t, string(files["inputs.yaml"]), "namespace: on")
	require.Contains(t, string(files["inputs.yaml"]), "big: 9007199254740993\n")
	require.Contains(t, string(files["inputs.yaml"]), `"a.b/c"`[1:6])
	require.Contains(t, string(files["inputs.yaml"]), `"\r\N\L"`)
	require.Equal(t, strings.Count(string(files["inputs.yaml"]), "\n"), strings.Count(string(again["inputs.yaml"]), "\n"))
}

func TestWrapperIsData(t *testing.T) {
	w := wrapper(nil, tree(nil))
	w.Labels = map[string]string{"transom.dev/team": "on"}
	w.Prefix, w.Namespace = "on-", "on"
	files, err := w.Files()
	require.NoError(t, err)
	text := files["kustomization.yaml"]
	require.Contains(t, string(text), "namespace: \"on\"\n")
	require.Contains(t, string(text), "transom.dev/team: \"on\"\n")
}

func BenchmarkBuild(b *testing.B) {
	w := wrapper(map[string]any{}, tree(map[string]string{
		"kustomization.yaml": component + "resources: [a.yaml]\n",
		"a.yaml":             "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}}\n",
	}))
	for b.Loop() {
		_, err := kustomize.Build(w)
		require.NoError(b, err)
	}
}
