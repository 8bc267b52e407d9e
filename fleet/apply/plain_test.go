package apply

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestAPlainDocumentIsReadAsByWayOfJSON: whatever is read without JSON is the same with it.
func TestAPlainDocumentIsReadAsByWayOfJSON(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop, labels: {app: shop}}\n"
	for document, plain := range map[string]bool{
		head + "spec: {replicas: 2, template: {spec: {containers: [{name: a, args: [], env: null, tty: true}]}}}\n":           true,
		head + "data: {a: on, b: 0o17, c: 017, d: 0x1f, e: 1_000, f: 1:30, g: ~, h: 2026-01-01, i: '1', j: \"\\u2028<&>\"}\n": true,
		head + "data: {a: !!str 1, b: !!binary aGVsbG8=, c: |-\n    text\n    more\n  , d: *none}\n":                          false,
		head + "a: &a {b: c}\nd: *a\ne: {<<: *a, f: g}\n":                                                                     true,
		head + "data: {a: 9223372036854775807, b: -9223372036854775808}\n":                                                    true,
		head + "data: {a: 9223372036854775808}\n":                                                                             false,
		head + "data: {a: 1.0}\n":                                            false,
		head + "data: {a: 1.5}\n":                                            false,
		head + "data: {a: .inf}\n":                                           false,
		head + "data: {1: a}\n":                                              false,
		head + "data: {true: a}\n":                                           false,
		head + "data: {a: !!binary /w==}\n":                                  false,
		head + "data: {a: !!timestamp 2026-01-01}\n":                         true,
		"kind: List\napiVersion: v1\nmetadata: {name: a}\nitems: [{a: b}]\n": true,
		"kind: Thing\nmetadata: {name: a}\n":                                 true,
		"apiVersion: a/b/c\nkind: Thing\nmetadata: {name: a}\n":              false,
		"apiVersion: v1\nmetadata: {name: a}\n":                              false,
		"kind: 3\n":                                                          false,
		"[a]\n":                                                              false,
		"text\n":                                                             false,
		"# none\n":                                                           false,
		"":                                                                   false,
		"a: {\n":                                                             false,
	} {
		got := plainObjectIn([]byte(document))
		require.Equal(t, plain, got != nil, document)
		if got == nil {
			continue
		}
		raw, err := yaml.YAMLToJSON([]byte(document))
		require.NoError(t, err, document)
		var want unstructured.Unstructured
		require.NoError(t, want.UnmarshalJSON(raw), document)
		require.Equal(t, want.Object, got.Object, document)
	}
}
