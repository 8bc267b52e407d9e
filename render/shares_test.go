package render_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/schema"
)

// counting is an expression that takes some 500,000 steps of CEL and is true.
var counting = strings.Repeat("[0,1,2,3,4,5,6,7,8,9].all(i, ", 5) + `request.name != ""` + strings.Repeat(")", 5)

// crowds is the least number of requests that have shares for 32, of which counting takes more.
const crowds = 17

// crowded is a platform with so many requests for a version with these entries.
func crowded(count int, entries string) fstest.MapFS {
	files := amplifying(map[string]string{
		"version.yaml":       noteVersion + entries,
		"kustomization.yaml": noteComponent + "resources: [map.yaml]\n",
		"map.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n",
	}, "{}")
	for n := range count {
		name := fmt.Sprintf("r%03d", n)
		put(files, "requests/payments/"+name+".yaml", []byte(strings.Replace(string(files[shopFile].Data), "name: shop", "name: "+name, 1)))
	}
	delete(files, shopFile)
	return files
}

// costlyOf counts the Problems and Warnings of too much work, and returns the text of the last.
func costlyOf(problems []platform.Problem) (denied, warned int, text string) {
	for _, p := range problems {
		switch {
		case p.Rule == schema.RuleTooMuchWork && p.Warning:
			warned++
		case p.Rule == schema.RuleTooMuchWork:
			denied++
		default:
			continue
		}
		text = p.String()
	}
	return denied, warned, text
}

// TestExpressionsHaveAnAllowanceForAllRequests: an expression that takes little of one request, or makes little, and very much of all
// requests is refused by number where there are that many. The requests that run are warned of and go on, as do all of another offering.
func TestExpressionsHaveAnAllowanceForAllRequests(t *testing.T) {
	for _, test := range []struct{ entries, says, steps string }{
		{"  computed: {v: '" + counting + "'}\n", "spec.computed.v: costs more than 313000 steps of CEL", "costs more than 313000 steps of CEL"},
		{"  outputs: [{name: v, value: '" + counting + "'}]\n", "spec.outputs[0].value: costs more than 313000 steps of CEL", "costs more than 313000 steps of CEL"},
		{"  computed: {v: 'lists.range(65000)'}\n", "spec.computed.v: costs more than 4198400 bytes of memory, where each field and item counts as 64", "costs more than 4198400 bytes"},
		{"  components: [{path: c, when: '" + counting + "'}]\n", "spec.components[0].when: costs more than 313000 steps of CEL", ""},
	} {
		few, many := crowded(2, test.entries), crowded(crowds, test.entries)
		for _, files := range []fstest.MapFS{few, many} {
			put(files, "offerings/note/2.0.0/c/kustomization.yaml", []byte(noteComponent+"commonAnnotations: {a: b}\n"))
		}
		first := renderAll(t, load(t, few), "dev", nil)
		require.Empty(t, first.Problems, test.says)
		require.Contains(t, first.Changes, "clusters/dev/payments/r001.yaml")

		p := load(t, many)
		anew := renderAll(t, p, "dev", nil)
		denied, warned, text := costlyOf(anew.Problems)
		require.Equal(t, [2]int{crowds, 0}, [2]int{denied, warned}, test.says)
		require.Contains(t, text, "offerings/note/2.0.0/version.yaml:")
		require.Contains(t, text, test.says+", as much as each placement of note may cost by how many dev has; let the expressions do less")
		require.Contains(t, anew.Changes, "clusters/dev/payments/neighbour.yaml")

		base, err := render.ReadBase(commit(nil, first.Changes))
		require.NoError(t, err)
		put(many, "requests/payments/r000.yaml", []byte(strings.Replace(string(many["requests/payments/r000.yaml"].Data), "parameters: {}", "parameters: {text: other}", 1)))
		after := renderAll(t, load(t, many), "dev", base)
		denied, warned, _ = costlyOf(after.Problems)
		require.Equal(t, crowds-2, denied, "requests that are new")
		require.Contains(t, after.Changes, "releases/payments/r000.yaml", "what runs can change")
		if test.steps != "" {
			require.Equal(t, 2, warned, "requests that run")
			require.Contains(t, fmt.Sprint(problemsOf(after.Problems)), "; the version runs already, so it may cost ten times as much")
		}
	}
}

// TestAmountsHaveAnAllowanceForAllRequests is the same for quotas: the quota is the Problem.
func TestAmountsHaveAnAllowanceForAllRequests(t *testing.T) {
	quota := []byte("apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: few}\nspec:\n  action: deny\n  quotas:\n" +
		"  - {each: environment, amount: '" + counting + " ? 1 : 2', most: 5000, message: ask for less}\n")
	for count, want := range map[int]int{2: 0, crowds: crowds + 1} {
		files := crowded(count, "")
		put(files, "policies/few.yaml", quota)
		state := renderAll(t, load(t, files), "dev", nil)
		require.Len(t, state.Problems, want, problemsOf(state.Problems))
		for _, problem := range state.Problems {
			require.Contains(t, problem.String(), "policies/few.yaml:")
			require.Contains(t, problem.Message, "costs more than 312700 steps of CEL, as much as the amount of each request in dev may cost by how many there are; let it do less")
		}
	}
}

// TestAShareIsTheSameInEveryPass: a pass that continues another one comes to the same as a fresh one where the share of each placement
// shrank in between.
func TestAShareIsTheSameInEveryPass(t *testing.T) {
	entries := "  computed: {v: '" + counting + "'}\n"
	var r render.Renderer
	base := &render.Base{}
	first, err := r.Render(load(t, crowded(2, entries)), "dev", base)
	require.NoError(t, err)
	base.Advance(first, commit(nil, first.Changes))
	p := load(t, crowded(crowds, entries))
	fresh, err := new(render.Renderer).Render(p, "dev", base)
	require.NoError(t, err)
	next, err := r.Render(p, "dev", base)
	require.NoError(t, err)
	require.Equal(t, problemsOf(fresh.Problems), problemsOf(next.Problems))
	_, warned, _ := costlyOf(next.Problems)
	require.Equal(t, 2, warned)
}

// TestDeferredRequestsCountForTheSharesOfOthers has those that a load resolves first refused as if all were there.
func TestDeferredRequestsCountForTheSharesOfOthers(t *testing.T) {
	entries := "  computed: {v: '" + counting + "'}\n"
	many := crowded(crowds, entries)
	l := &platform.Loader{AtOnce: 9}
	_, err := l.Load(crowded(0, entries))
	require.NoError(t, err)
	for _, resolved := range []int{9, crowds} {
		p, err := l.Load(many)
		require.NoError(t, err)
		require.Equal(t, crowds-resolved, p.Deferred())
		denied, _, _ := costlyOf(renderAll(t, p, "dev", nil).Problems)
		require.Equal(t, resolved, denied)
	}
}

// TestKeysOfAllThatWaitAreRemembered asks about more instances than a cache has by itself, pass after pass, as promotion does while they
// have a Problem.
func TestKeysOfAllThatWaitAreRemembered(t *testing.T) {
	p := load(t, crowded(33_000, ""))
	var r render.Renderer
	for pass := range 2 {
		for _, i := range p.Instances("dev") {
			require.True(t, pass == 0 || r.RemembersKeys(i), i.Request.Key)
			_, problems := r.Keys(p, "dev", nil, i)
			require.Empty(t, problems)
		}
	}
}
