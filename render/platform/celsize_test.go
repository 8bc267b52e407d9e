package platform_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// computing is a platform with a request of a version that computes one value.
func computing(t *testing.T, expressions ...string) (*platform.Instance, []platform.Problem) {
	t.Helper()
	computed := ""
	for n, e := range expressions {
		computed += fmt.Sprintf("    v%d: %q\n", n, e)
	}
	p, err := platform.Load(fstest.MapFS{
		"environments/dev.yaml":                {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  state: {url: https://git.example.com/dev.git}\n  clusters: {matchLabels: {e: dev}}\n")},
		"clusters/dev.yaml":                    {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: dev, labels: {e: dev}}\n")},
		"offerings/a/offering.yaml":            {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: a}\nspec: {title: A, description: a, owner: o}\n")},
		"offerings/a/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [a.yaml]\n")},
		"offerings/a/1.0.0/a.yaml":             {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")},
		"offerings/a/1.0.0/version.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: a}\nspec:\n" +
			"  parameters: {type: object, properties: {text: {type: string}}}\n  computed:\n" + computed)},
		"requests/t/r.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: r}\nspec: {offering: a, version: 1.0.0, environments: {dev: {}}, parameters: {text: " +
			strings.Repeat("a", 50_000) + "}}\n")},
	})
	require.NoError(t, err)
	instances := p.Instances("dev")
	if len(instances) == 0 {
		return nil, p.Problems
	}
	_, problems := instances[0].Inputs(p.Clusters["dev"], nil)
	return instances[0], problems
}

// TestValuesAreSizedBeforeTheyAllocate: whatever an expression makes much of little with, it is refused before it does.
func TestValuesAreSizedBeforeTheyAllocate(t *testing.T) {
	doubled := func(start, step string, times int) string { return start + strings.Repeat(step, times) }
	for _, c := range []struct{ expression, says string }{
		{`parameters.text.replace("a", parameters.text)`, "comes to 2500000000 bytes of text; at most 1048576"},
		{`parameters.text.replace("", parameters.text, 1000000)`, "bytes of text; at most 1048576"},
		{`lists.range(10000).map(x, parameters.text).join(",")`, "bytes of text; at most 1048576"},
		{`lists.range(1000).map(x, "a").join(parameters.text)`, ""},
		{`(` + strings.Repeat("parameters.text + ", 30) + `"").replace("b", "")`, ""},
		{`"` + strings.Repeat("%s", 30) + `".format([` + strings.Repeat("parameters.text, ", 29) + `parameters.text])`, "bytes of text"},
		{`"%.999999999f".format([1.5])`, "decimal places; at most 1000"},
		{`string(lists.range(1000000000).size())`, "comes to 1000000000 items; at most 1000000"},
		{doubled(`[parameters.text]`, `.map(x, [x, x])`, 40), "comes to more than 1000000 fields and items"},
		{doubled(`[1]`, `.map(x, {"a": x, "b": x})`, 40), "comes to more than 1000000 fields and items"},
		{doubled(`[[1]]`, `.map(x, x + x)`, 40), "items; at most"},
		{`lists.range(30).map(x, parameters.text)`, "results in more than 1048576 bytes"},
		{`string(parameters.text.matches("((a|b){0,30}.{0,30}){0,30}c"))`, "holds a text of 50000 bytes against a pattern of 6393 steps"},
		{`parameters.text.find("((a|b){0,30}.{0,30}){0,30}" + "((a|b){0,30}.{0,30}){0,30}c")`, "has a pattern of 12783 steps; at most 10000"},
		{`string(lists.range(100000).all(x, !"aaaaaaaaaaaaaaaa".matches("((a|b){0,30}.{0,30}){0,10}c")))`, "cost limit exceeded"},
		{`string(lists.range(100000).distinct().size())`, ""},
		{`string(sets.contains(lists.range(100000), lists.range(100000)))`, ""},
		{`string(lists.range(5000).all(x, lists.range(5000).map(y, dyn([y])) == lists.range(5000).map(y, dyn([y]))))`, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, problems := computing(t, c.expression)
		runtime.ReadMemStats(&after)
		require.Len(t, problems, 1, c.expression)
		require.Equal(t, "offerings/a/1.0.0/version.yaml", problems[0].File, problems[0].String())
		require.Contains(t, problems[0].Message, c.says, c.expression)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(500<<20), c.expression)
	}
	_, problems := computing(t, `parameters.text.replace("aa", "bb")`, `"%s-%s".format([request.name, parameters.text])`, `[parameters.text, "x"].join("-")`)
	require.Empty(t, problems)
}

// TestPatternsMatchAsTheyDo: bounding them changes no result.
func TestPatternsMatchAsTheyDo(t *testing.T) {
	instance, problems := computing(t, `string(parameters.text.matches("^[a-z]([-a-z0-9]*[a-z0-9])?$"))`,
		`parameters.text.findAll("a", 2).join("") + parameters.text.find("a{3}") + string("b".findAll("a").size())`)
	require.Empty(t, problems)
	inputs, _ := instance.Inputs(&platform.Cluster{Name: "dev"}, nil)
	require.Equal(t, map[string]any{"v0": "true", "v1": "aaaaa0"}, inputs.Map()["computed"])
}

// TestAnInstancesValuesHaveABoundTogether, beside the one that each has.
func TestAnInstancesValuesHaveABoundTogether(t *testing.T) {
	each := `lists.range(19).map(x, parameters.text)`
	_, problems := computing(t, each, each, each, each)
	require.Empty(t, problems)
	_, problems = computing(t, each, each, each, each, each)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0].String(), "spec.computed.v4: results in 4")
	require.Contains(t, problems[0].Message, "all may come to 4194304")
}
