package render_test

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render"
	"transom.dev/render/platform"
)

func sinks(t *testing.T) fstest.MapFS {
	files := common()
	a, err := txtar.ParseFile("testdata/golden/binding-removed-together.txtar")
	require.NoError(t, err)
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "offerings/") {
			put(files, f.Name, f.Data)
		}
	}
	return files
}

func sinkRequest(files fstest.MapFS, name, rest string) {
	put(files, "requests/payments/"+name+".yaml", []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: "+name+"}\nspec: {"+rest+", version: \"1\", environments: {dev: {}}}\n"))
}

// turns loads after in turns of so many on top of before, and renders each; it returns the Problems of each turn.
func turns(t *testing.T, before, after fstest.MapFS, atOnce int) (all [][]string) {
	l := &platform.Loader{AtOnce: atOnce}
	p, err := l.Load(before)
	require.NoError(t, err)
	var r render.Renderer
	base := &render.Base{}
	files := fstest.MapFS{}
	pass := func(p *platform.Platform) []string {
		p.Commit = "c0ffee"
		state, err := r.Render(p, "dev", base)
		require.NoError(t, err)
		files = commit(files, state.Changes)
		base.Advance(state, files)
		return problemsOf(state.Problems)
	}
	pass(p)
	for {
		p, err = l.Load(after)
		require.NoError(t, err)
		all = append(all, pass(p))
		if p.Deferred() == 0 {
			return all
		}
	}
}

// TestABindingToADeferredRequestIsNoProblem: nobody is told to wait for a provider that only comes in a later turn, or whose removal does.
func TestABindingToADeferredRequestIsNoProblem(t *testing.T) {
	before := sinks(t)
	sinkRequest(before, "k-sink", "offering: sink, bindings: {from: y-source}")
	sinkRequest(before, "y-source", "offering: source")
	after := maps.Clone(before)
	sinkRequest(after, "a-sink", "offering: sink, bindings: {from: z-source}")
	sinkRequest(after, "z-source", "offering: source")
	sinkRequest(after, "k-sink", "offering: sink, bindings: {from: z-source}")
	delete(after, "requests/payments/y-source.yaml")
	whole := turns(t, before, after, 0)
	require.Equal(t, [][]string{nil}, whole)
	inTurns := turns(t, before, after, 1)
	for _, problems := range inTurns {
		require.Empty(t, problems)
	}
}

// TestDeferredRequestsThatCountForNothing: a crowd of requests that come to no placement takes no share from others before it is resolved.
func TestDeferredRequestsThatCountForNothing(t *testing.T) {
	entries := "  computed: {v: '" + counting + "'}\n"
	many := crowded(20, entries)
	for name, f := range many { // the version of the later ones is not there
		if strings.HasPrefix(name, "requests/payments/r0") && name >= "requests/payments/r002.yaml" {
			put(many, name, []byte(strings.Replace(string(f.Data), "version: 2.0.0", "version: 9.0.0", 1)))
		}
	}
	whole := renderAll(t, load(t, many), "dev", nil)
	denied, _, _ := costlyOf(whole.Problems)
	require.Zero(t, denied, "all at once")
	l := &platform.Loader{AtOnce: 2}
	_, err := l.Load(crowded(0, entries))
	require.NoError(t, err)
	for range 3 {
		p, err := l.Load(many)
		require.NoError(t, err)
		denied, _, text := costlyOf(renderAll(t, p, "dev", nil).Problems)
		require.Zero(t, denied, text)
	}
}
