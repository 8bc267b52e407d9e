package platform_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/expression"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// TestAQuestionIsFilledIn so that a value stays one segment of an address, and within one string of a query, whatever it has.
func TestAQuestionIsFilledIn(t *testing.T) {
	p, err := platform.Load(fstest.MapFS{"environments/prod.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  state: {url: https://git.example.com/acme/state-prod.git}
  clusters: {matchLabels: {environment: prod}}
  values: {tier: 'a/b?c "d"'}
  gates:
    checks:
    - {name: service, url: 'https://slo.example.com/${environment.values.tier}?team=${request.team}'}
    - {name: metrics, prometheus: {url: 'http://prometheus:9090/', query: 'max(up{tier="${environment.values.tier}",v="${release.version == "1.0.0" ? "}" : "x"}"})', is: '>=1'}}
`)}})
	require.NoError(t, err)
	checks := p.Environments["prod"].Gates.Checks
	require.Len(t, checks, 2)
	vars := map[string]any{
		"request": map[string]any{"name": "web", "team": "shop"}, "release": map[string]any{"version": "1.0.0"},
		"environment": map[string]any{"name": "prod", "values": map[string]any{"tier": `a/b?c "d"`}},
	}
	q, err := checks[0].Fill(vars, &expression.Tally{Most: expression.All})
	require.NoError(t, err)
	require.Equal(t, inquiry.Text{URL: "https://slo.example.com/a%2Fb%3Fc%20%22d%22?team=shop"}, q)
	require.Equal(t, "https://slo.example.com", checks[0].Party())
	q, err = checks[1].Fill(vars, &expression.Tally{Most: expression.All})
	require.NoError(t, err)
	require.Equal(t, inquiry.Text{URL: "http://prometheus:9090", Query: `max(up{tier="a/b?c \"d\"",v="}"})`}, q)
	require.Equal(t, ">= 1", checks[1].Prometheus.Is.String())

	vars["environment"] = map[string]any{"values": map[string]any{}}
	_, err = checks[0].Fill(vars, &expression.Tally{Most: expression.All})
	require.EqualError(t, err, "${environment.values.tier}: no such key: tier")
}

// TestAComparisonHolds for each operator that people may write.
func TestAComparisonHolds(t *testing.T) {
	for operator, holds := range map[string][3]bool{
		"<": {true, false, false}, "<=": {true, true, false}, ">": {false, false, true},
		">=": {false, true, true}, "==": {false, true, false}, "!=": {true, false, true},
	} {
		for i, value := range []float64{1, 2, 3} {
			require.Equal(t, holds[i], inquiry.Comparison{Operator: operator, Number: 2}.IsMet(value), "%v %s 2", value, operator)
		}
	}
}

// TestAQuestionOfARolloutHasTheClusterAndTheRevision which a question of a gate has not. One bad answer is no reason to take a release back,
// and a party is waited for as long as a release that does not become healthy.
func TestAQuestionOfARolloutHasTheClusterAndTheRevision(t *testing.T) {
	p, err := platform.Load(fstest.MapFS{"environments/prod.yaml": {Data: []byte(`apiVersion: transom.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  state: {url: https://git.example.com/acme/state-prod.git}
  clusters: {matchLabels: {environment: prod}}
  rollout:
    progressDeadline: 7m
    checks:
    - {name: service, url: 'https://slo.example.com/${cluster.labels.region}?on=${cluster.name}&revision=${revision}'}
    - {name: at-once, url: 'https://slo.example.com/', for: 0s}
`)}})
	require.NoError(t, err)
	checks := p.Environments["prod"].Rollout.Checks
	require.Len(t, checks, 2)
	q, err := checks[0].Fill(map[string]any{
		"cluster": map[string]any{"name": "prod-1", "labels": map[string]string{"region": "eu"}}, "revision": "sha256:abc",
	}, &expression.Tally{Most: expression.All})
	require.NoError(t, err)
	require.Equal(t, "https://slo.example.com/eu?on=prod-1&revision=sha256%3Aabc", q.URL)
	require.Equal(t, time.Minute, checks[0].For)
	require.Zero(t, checks[1].For)
	require.Equal(t, 7*time.Minute, checks[0].Patience)
	require.Equal(t, []string{"at-once", "service"}, p.Environments["prod"].CheckNames())
}

// TestAChecksCostIsBoundedByHowManyThereAre: the same check is within bounds beside few requests, and warned of beside many, with its place.
func TestAChecksCostIsBoundedByHowManyThereAre(t *testing.T) {
	counting := strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 3) + `request.team != ""` + strings.Repeat(")", 3) // some 5,000 steps
	checks := "    checks:\n    - {name: plain, url: 'https://slo.example.com/${request.team}'}\n    - {name: costly, url: 'https://slo.example.com/${" + counting + "}'}\n"
	files := fstest.MapFS{
		"clusters/prod.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod, labels: {environment: prod}}\nspec: {}\n")},
		"environments/prod.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec:\n" +
			"  state: {url: https://git.example.com/acme/state-prod.git}\n  clusters: {matchLabels: {environment: prod}}\n  gates:\n" + checks +
			"  rollout:\n" + strings.NewReplacer("name: plain", "name: plain2", "name: costly", "name: costly2").Replace(checks))},
		"offerings/note/offering.yaml":            {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Offering\nmetadata: {name: note}\nspec: {title: Note}\n")},
		"offerings/note/1.0.0/version.yaml":       {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec: {}\n")},
		"offerings/note/1.0.0/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: []\n")},
	}
	costlyOf := func(requests int) (all []string) {
		for n := range requests {
			files[fmt.Sprintf("requests/shop/r%d.yaml", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: r%d}\n"+
				"spec: {offering: note, version: 1.0.0, environments: {prod: {}}}\n", n)}
		}
		p, err := platform.Load(files)
		require.NoError(t, err)
		require.False(t, p.Environments["prod"].Broken)
		for _, problem := range p.Problems {
			require.True(t, problem.Warning, problem)
			all = append(all, problem.String())
		}
		return all
	}
	require.Empty(t, costlyOf(8))
	const cost = "costs more than 2941 steps of CEL for one release, as much as a check may cost by how many releases and checks prod has; let it do less"
	require.Equal(t, []string{
		"environments/prod.yaml:10:22: spec.gates.checks[1].url: warning: " + cost + ", as a release that is new does not pass it",
		"environments/prod.yaml:14:23: spec.rollout.checks[1].url: warning: " + cost + "; releases that run may cost ten times as much",
	}, costlyOf(1000))
}
