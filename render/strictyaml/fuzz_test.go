package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
	"transom.dev/render/strictyaml"
)

// No file makes the scan crash or run long, and a file that passes stands for a bounded tree.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a [x,x]\nb: [*a,*a]\n", "{{[]}}", "- - - -", "a: |\n  b\n", "? a\n: b\n", "--- !!binary x\n...\n",
		"%YAML 1.1\n---\na: b\n", "\ufeffa: b", "a: 'b", "a:\n\tb", "<<: {a: b}", "a: b\n---\nc: d",
		"a: b\u2028c: d\n", "a: \"b\u0085c\"\n", "a: b\rc: d\r\n", "# a\u2029b: c\n", "a: &a {b: c}\u2028d: *a\n", strings.Repeat("{a: ", 100),
	} {
		f.Add([]byte(seed), true, true)
		f.Add([]byte(seed), false, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, documents, aliases bool) {
		bounded.Usual.Run(func() {
			docs, problems := strictyaml.Scan(data, strictyaml.Options{Documents: documents, Aliases: aliases})
			if len(problems) > 0 {
				require.Empty(t, docs)
			}
			if !documents {
				require.LessOrEqual(t, len(docs), 1)
			}
		})
	})
}
