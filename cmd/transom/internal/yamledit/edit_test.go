package yamledit_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/e2e/bounded"
)

const layered = `# A request.
spec:
  offering: web # what
  version: "1"
  parameters:
    # which one
    image: registry/app:1 # keep
    env: {A: x, B: 'y'}
    args: [--one, "--two"]
    list:
    - first
    - second   # last
    text: |
      several
      lines

    tail: long words
      over lines
  # where
  environments:
    dev: {}
    staging:
    prod: {parameters: {storage: 1Gi}} # careful
`

func TestSetYAMLChangesNothingElse(t *testing.T) {
	for _, c := range []struct{ path, value, old, new string }{
		{"spec.parameters.image", "registry/app:2", "app:1 # keep", "app:2 # keep"},
		{"spec.version", "2", `"1"`, `"2"`},
		{"spec.parameters.env.B", "it's", `'y'`, `'it''s'`},
		{"spec.parameters.env.A", "a, b", `A: x`, `A: "a, b"`},
		{"spec.parameters.env.C", "yes", `'y'}`, `'y', C: "yes"}`},
		{"spec.parameters.args[1]", "--three", `"--two"`, `"--three"`},
		{"spec.parameters.args[2]", "3", `"--two"]`, `"--two", "3"]`},
		{"spec.parameters.list[1]", "other", `second   #`, `other   #`},
		{"spec.parameters.list[2]", "third", "# last\n", "# last\n    - third\n"},
		{"spec.parameters.text", "one", "|\n      several\n      lines\n", "one\n"},
		{"spec.parameters.tail", "short", "long words\n      over lines\n", "short\n"},
		{"spec.parameters.size", "large", "over lines\n", "over lines\n    size: large\n"},
		{"spec.bindings.db", "orders-db", "  # where\n", "  bindings: {db: orders-db}\n  # where\n"},
		{"spec.environments.dev.version", "1.2", "dev: {}", `dev: {version: "1.2"}`},
		{"spec.environments.staging.parameters.size", "small", "staging:\n", "staging: {parameters: {size: small}}\n"},
		{"spec.environments.prod.parameters.storage", "2Gi", "storage: 1Gi", "storage: 2Gi"},
		{"spec.environments.prod.parameters.size", "null", "storage: 1Gi", `storage: 1Gi, size: "null"`},
		{"spec.environments.qa.parameters.size", "large", "# careful\n", "# careful\n    qa: {parameters: {size: large}}\n"},
	} {
		t.Run(c.path, func(t *testing.T) {
			for _, newline := range []string{"\n", "\r\n"} {
				dress := func(s string) string { return strings.ReplaceAll(s, "\n", newline) }
				path, err := yamledit.ParsePath(c.path)
				require.NoError(t, err)
				require.Contains(t, layered, c.old)
				edited, _, err := yamledit.Set(dress(layered), path, c.value)
				require.NoError(t, err)
				require.Equal(t, dress(strings.Replace(layered, c.old, c.new, 1)), edited)
			}
		})
	}
}

func TestSetYAMLSaysWhatWasThere(t *testing.T) {
	path, err := yamledit.ParsePath("spec.parameters.args")
	require.NoError(t, err)
	edited, before, err := yamledit.Set(layered, path, []any{int64(1), true, nil, 1.5})
	require.NoError(t, err)
	require.Equal(t, []any{"--one", "--two"}, before)
	require.Contains(t, edited, "args: [1, true, null, 1.5]\n")
}

func TestSetYAMLRefusesWhatItCannotEdit(t *testing.T) {
	for file, path := range map[string]string{
		"a: &x 1\nb: *x\n": "b",
		"a: !!str 1\n":     "a",
		"a: 1\n":           "a.b",
		"a: [1]\n":         "a[3]",
		"- a\n":            "a",
		"a: {b\n":          "a",
		"a: 1 \r\rb: 2\n":  "b",
		"a: \"\u2028\"\n":  "a",
	} {
		steps, err := yamledit.ParsePath(path)
		require.NoError(t, err)
		_, _, err = yamledit.Set(file, steps, "new")
		require.Error(t, err, file)
	}
	for _, path := range []string{"", ".", "a.", "a..b", "[0]", `a."`, "a[x]", "a[-1]", `a."b"c`} {
		_, err := yamledit.ParsePath(path)
		require.Error(t, err, path)
	}
}

// FuzzSetYAML edits every text that parses: the result has the new value there, or there is an error.
func FuzzSetYAML(f *testing.F) {
	f.Add(layered, "spec.parameters.image", "no")
	f.Add("a: {b: [1, 2]} # x", "a.b[1]", "0o17")
	f.Add("a:\n- b: |2\n   x\n- c", "a[0].b", "\u2028")
	f.Add("\ufeffa: 'ü' #\n", "a", " # x")
	f.Add("? a\n: b\n", "a", "---")
	f.Fuzz(func(t *testing.T, file, path, value string) {
		steps, err := yamledit.ParsePath(path)
		if err != nil || len(file) > 4096 || !utf8.ValidString(value) {
			return
		}
		var edited string
		bounded.Usual.Run(func() { edited, _, err = yamledit.Set(file, steps, value) })
		if err != nil {
			return
		}
		var node any
		require.NoError(t, yaml.Unmarshal([]byte(edited), &node))
		for _, step := range steps {
			if step.Key != "" {
				node = node.(map[string]any)[step.Key]
			} else {
				node = node.([]any)[step.Index]
			}
		}
		require.Equal(t, value, node)
	})
}

func TestScalarTextIsReadAsTheStringThatItIs(t *testing.T) {
	for _, s := range []string{
		"", "y", "no", "On", "null", "~", "0o17", "1e3", "1_000", "0x1f", "12:30:00", "2027-06-01", "1.5", "-", "- a", "---", "&a", "*a", "!x",
		"a: b", "a #b", "a:", "#a", "{a}", "[a", "a, b", "it's", `a"b`, `a\b`, "`a", "@a", "%a", "|", ">", "?", "? a", "=", "<<", " a", "a ",
		"a\tb", "a\nb", "\u0085", "\u2028", "é", "registry/app:1", "30 22 * * 1-5", "~1.0.0", "^1.1", "<2", "a<b>&c", "10Gi", ".5", "+1", "0.0.0.0/0",
	} {
		for _, flow := range []bool{false, true} {
			text := "a: " + yamledit.Scalar(s, flow) + "\n"
			if flow {
				text = "a: {b: [" + yamledit.Scalar(s, true) + ", c]}\n"
			}
			var node map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(text), &node), text)
			got := node["a"]
			if flow {
				got = got.(map[string]any)["b"].([]any)[0]
			}
			require.Equal(t, s, got, text)
		}
	}
	require.Equal(t, "registry/app:1.0.0", yamledit.Scalar("registry/app:1.0.0", true))
	require.Equal(t, "~1.0.0", yamledit.Scalar("~1.0.0", false))
}
