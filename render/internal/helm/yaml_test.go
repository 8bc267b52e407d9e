package helm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/internal/helm"
)

// TestAKeptChartPrintsAnyValuesAsTheSDKDoes: values of all types and odd texts, some of them again and again, some changed by a template.
func TestAKeptChartPrintsAnyValuesAsTheSDKDoes(t *testing.T) {
	files := chartOf(map[string]string{
		"values.yaml": "given: {b: {c: [1, 2.5, \"3\"], d: null}}\nresources: {requests: {cpu: 10m}, limits: {}}\n",
		"templates/a.yaml": "a: {{- toYaml .Values | nindent 2 }}\nb: {{ toYaml .Values.given | quote }}\nc: {{- toYaml .Values.resources | nindent 2 }}\n" +
			"d: {{ tpl \"{{ toYaml .Values.odd | quote }}\" . }}\n",
		"templates/b.yaml": "{{ $_ := set .Values.given \"name\" .Release.Name }}{{ $_ := unset .Values \"odd\" }}a: {{- toYaml .Values | nindent 2 }}\n" +
			"b: {{ toYaml (dict \"a\" (list 1 .Values.given)) | sha256sum }}\n",
	})
	chance := rand.New(rand.NewPCG(13, 2))
	var charts helm.Charts
	for n := range 200 {
		call := helm.Call{Release: fmt.Sprintf("shop-%d", n%7), Namespace: "payments", Kubernetes: []string{"1.33", "1.34"}[n%2], APIVersions: []string{"v1"}}
		call.Values = map[string]any{"odd": anyValue(chance, 0), "given": map[string]any{"a": anyValue(chance, 1)}}
		requireAsTheSDK(t, &charts, files, call)
	}
}

// TestALargeNumberIsPrintedAsTheSDKDoes of those that fit only into 64 bits without a sign, which YAML knows as such.
func TestALargeNumberIsPrintedAsTheSDKDoes(t *testing.T) {
	files := chartOf(map[string]string{
		"values.yaml":      "most: 18446744073709551615\nmore: 18446744073709551616\nless: 9223372036854775808\nleast: -9223372036854775809\nfloat: 1e19\nbig: 1e+19\n",
		"templates/a.yaml": "a: {{- toYaml .Values | nindent 2 }}\nb: {{ toYaml 1e19 }}\nc: {{ mulf 1e9 1e10 | toYaml }}\n",
	})
	var charts helm.Charts
	for range 3 { // by the engine itself, and by a session
		call := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1"}, Values: map[string]any{"given": 1e19}}
		requireAsTheSDK(t, &charts, files, call)
	}
}

// TestKeysHaveOneOrder has keys for which the SDK has several: a checksum over them is to be the same in each process.
func TestKeysHaveOneOrder(t *testing.T) {
	files := chartOf(map[string]string{
		"values.yaml":      "keep: {1d: a, 7d: b, 14d: c, é: d}\n",
		"templates/a.yaml": "a: {{- toYaml .Values.keep | nindent 2 }}\nb: {{ mustToYaml .Values.keep | sha256sum }}\nc: {{ toYaml (omit .Values.keep \"é\") | sha256sum }}\n",
	})
	encoded, err := helm.Call{Release: "shop", Namespace: "payments", Kubernetes: "1.33", APIVersions: []string{"v1"}}.Encode()
	require.NoError(t, err)
	first, err := helm.Render(files, encoded)
	require.NoError(t, err)
	for range 100 {
		again, err := helm.Render(files, encoded)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

// requireAsTheSDK requires that a call prints what the SDK prints.
func requireAsTheSDK(t *testing.T, charts *helm.Charts, files map[string][]byte, call helm.Call) {
	t.Helper()
	encoded, err := call.Encode()
	require.NoError(t, err)
	call.Values = decoded(t, encoded)
	got, err := charts.Render(files, encoded)
	require.NoError(t, err)
	require.Equal(t, sdk(t, files, call), got)
}

// anyValue is a value as a request may have it, with texts that YAML has to quote, to fold or to refuse.
func anyValue(chance *rand.Rand, depth int) any {
	odd := []any{
		nil, true, int64(0), int64(1 << 60), 0.1, 1e21, 1e19, 1e7, 1.5e-9, "", " ", "yes", "0x1F", "1e3", "2026-11-30", "<<", "=", "~", "a: b", "- a", "# a", "a\tb", "a\nb\n",
		"\u0085", "\u009f", "\x7f", "\ufffe", "\u2028", "ä \U0001F600", "</script>&", "{{ .Values }}", "%", "!!int 3", "'", "\"", "\\", "null", strings.Repeat("long words ", 40), strings.Repeat("x", 20_000),
	}
	switch n := chance.IntN(8); {
	case depth < 4 && n == 0:
		list := make([]any, chance.IntN(4))
		for n := range list {
			list[n] = anyValue(chance, depth+1)
		}
		return list
	case depth < 4 && n < 4:
		table := map[string]any{}
		for range chance.IntN(5) {
			table[fmt.Sprint(odd[chance.IntN(len(odd)-2)])] = anyValue(chance, depth+1)
		}
		return table
	}
	return odd[chance.IntN(len(odd))]
}

// decoded are the values of an encoded call, with numbers as templates get them.
func decoded(t *testing.T, encoded []byte) map[string]any {
	t.Helper()
	var call helm.Call
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&call))
	var number func(any) any
	number = func(value any) any {
		switch v := value.(type) {
		case json.Number:
			if n, err := v.Int64(); err == nil {
				return n
			}
			n, err := v.Float64()
			require.NoError(t, err)
			return n
		case map[string]any:
			for key := range v {
				v[key] = number(v[key])
			}
		case []any:
			for n := range v {
				v[n] = number(v[n])
			}
		}
		return value
	}
	values, _ := number(call.Values).(map[string]any)
	return values
}
