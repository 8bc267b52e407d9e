package render_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// TestFormatComesWithAChange: state of format 1 stays byte for byte as it is until something else changes, and then only the
// bytes that were made anew name their renderer.
func TestFormatComesWithAChange(t *testing.T) {
	request := func(text string) []byte {
		return request("shop", "  environments: {dev: {parameters: {text: "+text+"}}}\n")
	}
	repo := &repository{}
	before := map[string][]byte{shopFile: request("a"), "requests/payments/rests.yaml": bareRequest("rests")}
	repo.render(t, with(t, before), "dev")
	for name, file := range repo.files {
		lines := strings.SplitAfter(string(file.Data), "\n")
		kept := lines[:0]
		for _, line := range lines {
			if !strings.Contains(line, "renderer: ") && !strings.Contains(line, "format: ") {
				kept = append(kept, line)
			}
		}
		repo.files[name] = &fstest.MapFile{Data: []byte(strings.Join(kept, ""))}
	}

	require.Empty(t, repo.render(t, with(t, before), "dev").Changes, "a new binary is no reason to commit")

	after := map[string][]byte{shopFile: request("b"), "requests/payments/rests.yaml": bareRequest("rests")}
	state := repo.render(t, with(t, after), "dev")
	require.ElementsMatch(t, []string{"fleet.yaml", "releases/payments/shop.yaml", "clusters/dev/payments/shop.yaml"}, keysOf(state.Changes))
	require.Equal(t, 2, state.Fleet.Format)
	require.Equal(t, render.RendererID, state.Releases[shop].Clusters["dev"].Renderer)
}

// TestIdentityIsGivenOnce: a state repository keeps the identity that it was given first.
func TestIdentityIsGivenOnce(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: bareRequest("shop")})
	base := &render.Base{Identity: "first"}
	state := renderOn(t, p, base)
	require.Equal(t, "first", state.Fleet.Identity)
	base, err := render.ReadBase(commit(fstest.MapFS{}, state.Changes))
	require.NoError(t, err)
	base.Identity = "second"
	require.Empty(t, renderOn(t, p, base).Changes)
}

// TestNewerFormatIsRefused: nothing is concluded from state that a newer Transom wrote.
func TestNewerFormatIsRefused(t *testing.T) {
	_, err := render.ReadBase(fstest.MapFS{"fleet.yaml": {Data: []byte(
		"apiVersion: transom.dev/v1alpha1\nkind: Fleet\nmetadata: {name: fleet}\nspec: {format: 3, platform: c0ffee, else: 1}\n")}})
	require.EqualError(t, err, "fleet.yaml: the state repository has format 3, and this Transom reads formats up to 2: "+
		"run the newer Transom that wrote it")
}

func bareRequest(name string) []byte { return request(name, "  environments: {dev: {}}\n") }

func renderOn(t *testing.T, p *platform.Platform, base *render.Base) *render.State {
	t.Helper()
	var r render.Renderer
	state, err := r.Render(p, "dev", base)
	require.NoError(t, err)
	return state
}

func keysOf(changes map[string][]byte) (names []string) {
	for name := range changes {
		names = append(names, name)
	}
	return names
}
