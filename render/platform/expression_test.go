package platform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// Each expression is one that ranges over a map of many keys, in all the ways that there are.
func TestExpressionsSeeMapsSorted(t *testing.T) {
	var pairs []string
	for i := range 40 {
		pairs = append(pairs, fmt.Sprintf("k%02d: %d", i, i))
	}
	literal := "{" + strings.ReplaceAll(strings.Join(pairs, ", "), "k", "'k")
	literal = strings.ReplaceAll(literal, ": ", "': ") + "}"
	p := load(t, map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version(`
  parameters: {type: object, x-kubernetes-preserve-unknown-fields: true}
  computed:
    keys: 'parameters.free.map(k, k)'
    filtered: 'parameters.free.filter(k, k > "k10")'
    pairs: 'parameters.free.transformList(k, v, k + string(v))'
    folded: 'parameters.free.transformMap(k, v, v * 2).map(k, k)'
    inverted: 'parameters.free.transformMapEntry(k, v, {"x" + k: v}).transformList(k, v, k)'
    literal: '` + strings.ReplaceAll(literal, "'", "''") + `.map(k, k)'
    either: '(parameters.free.size() > 3 ? ` + strings.ReplaceAll(literal, "'", "''") + ` : {}).map(k, k)'
    nested: '[parameters.free].map(m, m.map(k, k))'
    labels: 'cluster.labels.map(k, k)'
    values: 'environment.values.deep[0].map(k, k)'
`),
		"requests/payments/orders-db.yaml": request("{free: {" + strings.Join(pairs, ", ") + "}}"),
		"clusters/dev.yaml":                "apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: dev, labels: {environment: dev, z: a, y: a, x: a, w: a, a: a}}\nspec: {}\n",
		"environments/dev.yaml":            environment("dev") + "  values: {deep: [{" + strings.Join(pairs, ", ") + "}]}\n",
	})
	i := instance(t, p, "dev", "payments/orders-db")
	first, problems := i.Inputs(i.Clusters[0], nil)
	require.Empty(t, problems)
	require.Equal(t, []any{"a", "environment", "w", "x", "y", "z"}, first.Computed["labels"])
	keys := first.Computed["keys"].([]any)
	require.Len(t, keys, 40)
	require.IsIncreasing(t, texts(keys))
	require.Equal(t, keys, first.Computed["folded"])
	require.Equal(t, keys, first.Computed["literal"])
	require.Equal(t, keys, first.Computed["either"])
	require.Equal(t, keys, first.Computed["values"])
	require.Equal(t, []any{keys}, first.Computed["nested"])
	require.IsIncreasing(t, texts(first.Computed["pairs"].([]any)))
	require.IsIncreasing(t, texts(first.Computed["inverted"].([]any)))
	for range 50 {
		again, _ := i.Inputs(i.Clusters[0], nil)
		require.Equal(t, first, again)
	}
}

func texts(list []any) (out []string) {
	for _, v := range list {
		out = append(out, v.(string))
	}
	return out
}

func TestExpressionsMayNameTheNamespace(t *testing.T) {
	p := load(t, map[string]string{"offerings/postgres/1.5.0/version.yaml": version(`
  parameters: {type: object, properties: {storage: {type: string}}}
  computed:
    plain: 'namespace'
    text: '"namespace" + '' namespace '' + r"\namespace" + namespace'
    twice: 'namespace + "." + namespace // the namespace'
    selected: '{"namespace": namespace}.namespace'
`)})
	i := instance(t, p, "dev", "payments/orders-db")
	in, problems := i.Inputs(i.Clusters[0], nil)
	require.Empty(t, problems)
	require.Equal(t, map[string]any{
		"plain": "payments", "text": `namespace namespace \namespacepayments`, "twice": "payments.payments", "selected": "payments",
	}, in.Computed)
}

func TestExpressionsResultInPlainValues(t *testing.T) {
	p := load(t, map[string]string{"offerings/postgres/1.5.0/version.yaml": version(`
  parameters: {type: object, properties: {storage: {type: string}}}
  computed:
    whole: '1 + 2'
    real: '1.5'
    both: '[dyn(1), dyn("a"), dyn(true), dyn(null), dyn({"a": [1u]})]'
    when: 'dyn(timestamp("2027-01-01T00:00:00Z"))'
    keyed: 'dyn({1: "a"})'
    none: 'environment.values.domain'
    costly: '[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, [1,2,3,4,5,6,7,8,9].map(d, [1,2,3,4,5,6,7,8,9].map(e, [1,2,3,4,5,6,7,8,9].map(f, a))))))'
`)})
	i := instance(t, p, "dev", "payments/orders-db")
	in, problems := i.Inputs(i.Clusters[0], nil)
	require.Equal(t, map[string]any{
		"whole": int64(3), "real": 1.5, "both": []any{int64(1), "a", true, nil, map[string]any{"a": []any{int64(1)}}},
	}, in.Computed)
	require.Equal(t, `offerings/postgres/1.5.0/version.yaml:13:5: spec.computed.costly: operation cancelled: actual cost limit exceeded
offerings/postgres/1.5.0/version.yaml:11:5: spec.computed.keyed: results in a map with a key of type int; keys must be strings
offerings/postgres/1.5.0/version.yaml:12:5: spec.computed.none: no such key: domain
offerings/postgres/1.5.0/version.yaml:10:5: spec.computed.when: results in a google.protobuf.Timestamp, which has no form in YAML; use string()
`, lines(problems))
	require.Equal(t, "dev", problems[0].Environment)
	require.Equal(t, "payments/orders-db", problems[0].Request.String())
}

// CEL sees the type that the schema says, however the request writes the value.
func TestExpressionsSeeTheTypesOfTheSchema(t *testing.T) {
	p := load(t, map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version(`
  parameters:
    type: object
    properties:
      storage: {type: string}
      ratio: {type: number}
      ratios: {type: array, items: {type: number}}
      size: {x-kubernetes-int-or-string: true}
      none: {type: string, nullable: true}
      at: {type: string, format: date-time}
      limits: {type: object, properties: {cpu-limit: {type: string}, memory: {type: string}}}
      free: {type: object, x-kubernetes-preserve-unknown-fields: true}
  computed:
    half: 'parameters.ratio / 2.0'
    halves: 'parameters.ratios.map(r, r / 2.0)'
    size: 'type(parameters.size) == int ? string(parameters.size) : parameters.size'
    none: 'parameters.none == null'
    at: 'parameters.at + "!"'
    limit: 'parameters.limits["cpu-limit"]'
    limits: 'parameters.limits'
    memory: 'has(parameters.limits.memory)'
    free: 'parameters.free.a.b'
    quantity: 'quantity("1Gi").isGreaterThan(quantity("1Mi"))'
    semver: 'semver("1.2.3").major()'
    text: '"a-1".find("[0-9]+") + url("https://a.example.com/x").getHost() + string(ip("10.0.0.1").family()) + "%d".format([3])'
    sorted: '[3, 1, 2].isSorted() || [1, 2].sum() == 3'
    conf: 'file("conf/postgres.conf")'
    either: 'file("conf/" + (parameters.ratio > 1.0 ? "postgres" : "none") + ".conf").size()'
`),
		"offerings/postgres/1.5.0/conf/postgres.conf": "max_connections = 100\n",
		"requests/payments/orders-db.yaml": request(
			`{ratio: 3, ratios: [1, 2.5], size: 3, none: null, at: "2027-01-01T00:00:00Z", limits: {cpu-limit: 100m}, free: {a: {b: 1}}}`),
	})
	i := instance(t, p, "dev", "payments/orders-db")
	in, problems := i.Inputs(i.Clusters[0], nil)
	require.Empty(t, lines(problems))
	require.Equal(t, map[string]any{
		"half": 1.5, "halves": []any{0.5, 1.25}, "size": "3", "none": true, "at": "2027-01-01T00:00:00Z!", "limit": "100m",
		"limits": map[string]any{"cpu-limit": "100m"}, "memory": false, "free": int64(1), "quantity": true, "semver": int64(1),
		"text": "1a.example.com43", "sorted": true, "conf": "max_connections = 100\n", "either": int64(22),
	}, in.Computed)
}

func TestFilesThatExpressionsReadAreBounded(t *testing.T) {
	files := map[string]string{
		"offerings/postgres/1.5.0/version.yaml": version("\n  computed: {big: 'file(\"big.txt\")', binary: 'file(\"binary\")'}\n"),
		"offerings/postgres/1.5.0/big.txt":      strings.Repeat("x", 256<<10+1),
		"offerings/postgres/1.5.0/binary":       "\xff\xfe",
	}
	p, err := platform.Load(with(t, files))
	require.NoError(t, err)
	require.Contains(t, lines(p.Problems), `version.yaml:5:14: spec.computed.big: file("big.txt") is larger than 256 KiB`)
	require.Contains(t, lines(p.Problems), `version.yaml:5:38: spec.computed.binary: file("binary") is no UTF-8 text`)
	files["offerings/postgres/1.5.0/big.txt"] = strings.Repeat("x", 256<<10)
	p, err = platform.Load(with(t, files))
	require.NoError(t, err)
	require.NotContains(t, lines(p.Problems), "big.txt")
}
