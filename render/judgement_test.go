package render_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// costly is a policy that takes some 50,000 steps for each object, as often as it validates.
func costly(action string, validations int) []byte {
	counting := strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 4) + `object.kind != ""` + strings.Repeat(")", 4)
	return []byte("apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: costly}\nspec:\n  match: {kinds: [{kind: ConfigMap}]}\n  validations:\n" +
		strings.Repeat("  - {expression: 'request.name == \"b\" || "+counting+"', message: never said}\n", validations) + "  action: " + action + "\n")
}

// many are requests that differ by their names, and nineteen policies for which there is nothing to do: an equal part of the steps is theirs.
func many(count int) map[string][]byte {
	files := map[string][]byte{}
	for n := range count {
		name := fmt.Sprintf("r%02d", n)
		files["requests/payments/"+name+".yaml"] = request(name, "  parameters: {text: hello}\n  environments: {dev: {}}\n")
	}
	for n := range 19 {
		name := fmt.Sprintf("idle%d", n)
		files["policies/"+name+".yaml"] = []byte(strings.NewReplacer("brief", name, "ConfigMap", "Pod").Replace(brief))
	}
	return files
}

// ended are the requests with a Problem or Warning of a policy that took too many steps.
func ended(problems []platform.Problem) (keys []string, said map[string]bool) {
	said = map[string]bool{}
	for _, p := range problems {
		if p.Rule == "too-much-work" {
			keys = append(keys, p.Request.Name)
			said[p.String()] = true
		}
	}
	slices.Sort(keys)
	return keys, said
}

// TestPolicyHasAnAllowanceForAllRequests: a policy that takes little of each request and very much of all of them is ended at a number
// of steps, at the same request in every pass. What it did not judge is denied and what runs stays; other policies go on.
func TestPolicyHasAnAllowanceForAllRequests(t *testing.T) {
	files := many(20)
	files["policies/costly.yaml"], files[policyFile] = costly("deny", 1), []byte(brief)
	repo := &repository{}
	p := with(t, files)
	first := repo.render(t, p, "dev")
	keys, said := ended(first.Problems)
	require.Len(t, said, 1)
	require.Contains(t, fmt.Sprint(said), "policies/costly.yaml: judging all requests in dev takes more than 182,857 steps of CEL, so that payments/"+keys[0]+
		" and those after it are not judged: what runs stays as it is, and what changes is denied; let the expressions look at less, or match fewer kinds or environments")
	require.Equal(t, "r19", keys[len(keys)-1], "it goes by the names of requests")
	require.Greater(t, len(keys), 10)
	require.Less(t, len(keys), 20)
	briefly := 0
	for _, problem := range first.Problems {
		if strings.Contains(problem.Message, "be brief") {
			briefly++
		}
	}
	require.Equal(t, 20, briefly, "another policy judges every request")

	var fresh render.Renderer
	again, err := fresh.Render(p, "dev", &render.Base{})
	require.NoError(t, err)
	require.Equal(t, first.Problems, again.Problems)
}

// TestSpentPolicyDeniesWhatChangesAndLeavesWhatRuns: a policy that came later takes nothing from anybody, and lets no more in than it
// judges, pass after pass.
func TestSpentPolicyDeniesWhatChangesAndLeavesWhatRuns(t *testing.T) {
	files := many(20)
	repo := &repository{}
	repo.render(t, with(t, files), "dev")
	files["policies/costly.yaml"] = costly("deny", 1)
	p := with(t, files)
	state := repo.render(t, p, "dev")
	require.Empty(t, state.Changes)
	running, _ := ended(state.Problems)
	require.NotEmpty(t, running)
	for _, problem := range state.Problems {
		require.True(t, problem.Warning, problem.String())
	}

	files["requests/payments/r00.yaml"] = request("r00", "  parameters: {text: x}\n  environments: {dev: {}}\n")
	files["requests/payments/r19.yaml"] = request("r19", "  parameters: {text: x}\n  environments: {dev: {}}\n")
	p = with(t, files)
	for range 3 {
		state = repo.render(t, p, "dev")
		keys, _ := ended(state.Problems)
		require.Equal(t, running, keys)
		require.Contains(t, repo.manifest("dev", platform.RequestKey{Team: "payments", Name: "r00"}), "text: x", "its turn comes before the policy is spent")
		require.NotContains(t, repo.manifest("dev", platform.RequestKey{Team: "payments", Name: "r19"}), "text: x")
	}

	files["policies/costly.yaml"] = costly("warn", 1)
	repo.render(t, with(t, files), "dev")
	require.Contains(t, repo.manifest("dev", platform.RequestKey{Team: "payments", Name: "r19"}), "text: x", "a policy that warns holds nothing up")
}

// TestOneRequestTakesHalfOfAnAllowance at most: the rest is for its neighbours.
func TestOneRequestTakesHalfOfAnAllowance(t *testing.T) {
	files := many(0)
	files["requests/payments/a.yaml"] = request("a", "  parameters: {text: hello}\n  environments: {dev: {}}\n")
	files["requests/payments/b.yaml"] = request("b", "  environments: {dev: {}}\n")
	files["policies/costly.yaml"] = costly("deny", 8)
	repo := &repository{}
	state := repo.render(t, with(t, files), "dev")
	require.Len(t, state.Problems, 1)
	require.Equal(t, "policies/costly.yaml: judging payments/a takes more than 77,000 steps of CEL, at the ConfigMap payments/a-note; "+
		"let the expressions look at less, or match fewer kinds", state.Problems[0].String())
	require.NotEmpty(t, repo.manifest("dev", platform.RequestKey{Team: "payments", Name: "b"}))
}
