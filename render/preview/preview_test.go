package preview_test

import (
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

var shop = platform.RequestKey{Team: "payments", Name: "shop"}

const shopFile = "requests/payments/shop.yaml"

func request(name, rest string) []byte {
	return []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: " + name + "}\n" +
		"spec:\n  offering: note\n  version: \"1\"\n" + rest)
}

// with returns the platform that rendering is tested with, with further files; an empty one is removed.
func with(t *testing.T, more map[string][]byte) *platform.Platform {
	t.Helper()
	archive, err := txtar.ParseFile("../testdata/common.txtar")
	require.NoError(t, err)
	contents := map[string][]byte{}
	for _, f := range archive.Files {
		contents[f.Name] = f.Data
	}
	maps.Copy(contents, more)
	files := fstest.MapFS{}
	for name, content := range contents {
		if len(content) > 0 {
			files[name] = &fstest.MapFile{Data: content}
		}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	p.Commit = "c0ffee"
	return p
}

// A repository is an environment's state across several renderings.
type repository struct {
	renderer render.Renderer
	files    fstest.MapFS
}

func (r *repository) render(t *testing.T, p *platform.Platform, environment string) *render.State {
	t.Helper()
	if r.files == nil {
		r.files = fstest.MapFS{}
	}
	base, err := render.ReadBase(maps.Clone(r.files))
	require.NoError(t, err)
	state, err := r.renderer.Render(p, environment, base)
	require.NoError(t, err)
	after := maps.Clone(r.files)
	for name, content := range state.Changes {
		if delete(after, name); content != nil {
			after[name] = &fstest.MapFile{Data: content}
		}
	}
	r.files = after
	return state
}

// TestAPreviewHasWhatIsTakenNowAndWhatIsPromoted: an environment that promotes takes its own file at once, and a release
// once that is promoted.
func TestAPreviewHasWhatIsTakenNowAndWhatIsPromoted(t *testing.T) {
	files := func(text, promotesFrom string) map[string][]byte {
		return map[string][]byte{
			shopFile: request("shop", "  parameters: {text: "+text+"}\n  environments: {dev: {}, prod: {}}\n"),
			"environments/prod.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec:\n" +
				"  state: {url: https://git.example.com/state-prod.git}\n  clusters: {matchLabels: {environment: prod}}\n" + promotesFrom),
		}
	}
	for promotesFrom, promoted := range map[string]bool{"": false, "  promotesFrom: [dev]\n": true} {
		repo := &repository{}
		repo.render(t, with(t, files("old", promotesFrom)), "prod")
		base, err := render.ReadBase(repo.files)
		require.NoError(t, err)
		effect, err := preview.Of(&repo.renderer, with(t, files("new", promotesFrom)), "prod", base)
		require.NoError(t, err)
		require.Empty(t, effect.Problems())
		require.Equal(t, promoted, len(effect.Now.Changes) == 0)
		require.Equal(t, promoted, effect.Promoted != nil && len(effect.Promoted.Changes) > 0)
	}
}

// TestARequestGoesTogetherWithItsOffering: what an environment runs until the removal has come there needs no offering, and is no Problem of
// the merge.
func TestARequestGoesTogetherWithItsOffering(t *testing.T) {
	files := map[string][]byte{
		shopFile: request("shop", "  environments: {dev: {}, prod: {}}\n"),
		"environments/prod.yaml": []byte("apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec:\n" +
			"  state: {url: https://git.example.com/state-prod.git}\n  clusters: {matchLabels: {environment: prod}}\n  promotesFrom: [dev]\n"),
	}
	repo := &repository{}
	p := with(t, files)
	repo.render(t, p, "prod")
	base, err := render.ReadBase(repo.files)
	require.NoError(t, err)
	files[shopFile] = nil
	for _, v := range p.Offerings["note"].Versions {
		files[v.Dir+"/version.yaml"], files[v.Dir+"/kustomization.yaml"], files[v.Dir+"/note.yaml"] = nil, nil, nil
	}
	files["offerings/note/offering.yaml"] = nil
	p = with(t, files)
	require.Nil(t, p.Offerings["note"])
	effect, err := preview.Of(&repo.renderer, p, "prod", base)
	require.NoError(t, err)
	require.Empty(t, effect.Problems())
	require.NotNil(t, effect.Promoted, "the removal is on its way")
}
