package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

func TestScanFindsWhatParsersStumbleOver(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	small, _, _ := strings.Cut(bomb, "a5:")
	aliases := strictyaml.Options{Aliases: true, Documents: true}
	for name, c := range map[string]struct {
		data  string
		allow strictyaml.Options
		want  string
	}{
		"cycle":             {"a: &a [*a]\n", aliases, `f:1:8: alias "a" refers to what it is part of`},
		"cycle in a key":    {"&a {*a : b}\n", aliases, `f:1:5: alias "a" refers to what it is part of`},
		"cycle of two":      {"a: &a {b: &b {c: *a}}\nd: *b\n", aliases, `f:1:18: alias "a" refers to what it is part of`},
		"bomb":              {bomb, aliases, "aliases expand to too much; write out what they stand for"},
		"bombs":             {strings.Repeat(small+"---\n", 3), aliases, "aliases expand to too much; write out what they stand for"},
		"bomb not allowed":  {"a: &a [x]\nb: *a\n", strictyaml.Options{}, `f:1:4: anchor "a"; anchors and aliases are not allowed here`},
		"size":              {strings.Repeat("#", 1<<20+1), aliases, "f: is 1048577 bytes long; the limit is 1048576 (1 MiB)"},
		"depth of flow":     {strings.Repeat("[", 70) + strings.Repeat("]", 70), aliases, "f:1:66: is nested deeper than 64 levels"},
		"depth of blocks":   {strings.Repeat("- ", 70) + "x", aliases, "f:1:131: is nested deeper than 64 levels"},
		"depth by alias":    {"a: &a " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\nb: " + strings.Repeat("[", 40) + "*a" + strings.Repeat("]", 40), aliases, "f:1:31: is nested deeper than 64 levels"},
		"depth past parser": {strings.Repeat("[", 20000), aliases, "f:1: is not YAML: exceeded max depth of 10000"},
		"not UTF-8":         {"a: b\nc: d\xffe\n", aliases, "f:2:5: is not UTF-8 text"},
		"UTF-16":            {"\xff\xfea\x00", aliases, "f:1:1: is not UTF-8 text"},
		"control character": {"a: \x01\n", aliases, "f:1: is not YAML: control characters are not allowed"},
		"tab":               {"a:\n\tb: c\n", aliases, "f:2:1: is not YAML: a tab; indent with spaces"},
		"merge marker":      {"a:\n  b: c\n<<<<<<< HEAD\n  d: 1\n=======\n  d: 2\n>>>>>>> branch\n", aliases, "f:3:1: has the markers of a merge that is not finished; keep one side of each, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>"},
		"tab after spaces":  {"a:\n  b:\n  \tc: d\n", aliases, "f:3:3: is not YAML: a tab; indent with spaces"},
		"key after U+2028":  {"a: b\u2028c: d\n", aliases, "f:1:5: U+2028 ends a line here, which no editor shows; break the line, or quote the text and escape it"},
		"key after U+0085":  {"a:\n  b: c\u0085  d: e\n", aliases, "f:2:7: U+0085 ends a line here"},
		"key after U+2029":  {"a: b # c\u2029d: e\n", strictyaml.Options{}, "f:1:9: U+2029 ends a line here"},
		"key after return":  {"a: b\rc: d\r\n", aliases, "f:1:5: U+000D ends a line here"},
		"duplicate":         {"a: 1\nb: 2\na: 3\n", aliases, `f:3:1: duplicate key "a"; it is already on line 1`},
		"duplicate inside":  {"a: [{b: 1, \"b\": 2}]\n", aliases, `f:1:12: duplicate key "b"; it is already on line 1`},
		"documents":         {"a: 1\n---\nb: 2\n", strictyaml.Options{}, "f:3:1: a second document; write one object per file"},
	} {
		docs, problems := strictyaml.Scan([]byte(c.data), c.allow)
		require.Empty(t, docs, name)
		require.NotEmpty(t, problems, name)
		require.Contains(t, lines("f", problems), c.want, name)
	}
}

func TestScanLetsPass(t *testing.T) {
	for name, c := range map[string]struct {
		data  string
		allow strictyaml.Options
		docs  int
	}{
		"BOM":             {"\ufeffa: b\n", strictyaml.Options{}, 1},
		"CRLF":            {"a: b\r\nc:\r\n- d\r\n", strictyaml.Options{}, 1},
		"documents":       {"a: b\n---\nc: d\n", strictyaml.Options{Documents: true}, 2},
		"empty documents": {"---\na: b\n---\n# only this\n---\n", strictyaml.Options{}, 1},
		"nothing":         {"", strictyaml.Options{}, 0},
		"comments":        {"# a\n# b\n", strictyaml.Options{}, 0},
		"aliases":         {"a: &a {b: c}\nd: *a\ne: {<<: *a}\n", strictyaml.Options{Aliases: true}, 1},
		"hidden breaks":   {"a: \"b\u2028c\u0085d\re\"\nf: {g: h\u2028 i}\ni: |\n  j\u0085  k: l\n", strictyaml.Options{}, 1},
		"64 levels":       {strings.Repeat("[", 64) + strings.Repeat("]", 64), strictyaml.Options{}, 1},
		"many nodes":      {"a: [" + strings.Repeat("x,", 100_000) + "]", strictyaml.Options{}, 1},
	} {
		docs, problems := strictyaml.Scan([]byte(c.data), c.allow)
		require.Empty(t, lines("f", problems), name)
		require.Len(t, docs, c.docs, name)
	}
}

// lines are Problems as people see them, those of a file.
func lines(file string, problems []strictyaml.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, platform.FromYAML(file, p))
	}
	return b.String()
}
