package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

const (
	policyFile = "policies/brief.yaml"
	brief      = "apiVersion: transom.dev/v1alpha1\nkind: Policy\nmetadata: {name: brief}\nspec:\n" +
		"  match: {kinds: [{kind: ConfigMap}]}\n  validations: [{expression: 'size(object.data.text) < 3', message: be brief}]\n  action: deny\n"
)

// TestPolicyJudgesOnceWhatStays: a policy that comes later reads the manifests that run, and then remembers its findings,
// pass after pass.
func TestPolicyJudgesOnceWhatStays(t *testing.T) {
	files := map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n")}
	repo := &repository{}
	repo.render(t, with(t, files), "dev")
	files[policyFile] = []byte(brief)
	p := with(t, files)
	base, err := render.ReadBase(repo.files)
	require.NoError(t, err)
	state, err := repo.renderer.Render(p, "dev", base)
	require.NoError(t, err)
	require.Empty(t, state.Changes)
	require.Len(t, state.Problems, 1)
	require.Equal(t, "requests/payments/shop.yaml: warning: policy brief denies the ConfigMap payments/shop-note, which stays as it is until it changes: be brief",
		state.Problems[0].String())
	require.Equal(t, &shop, state.Problems[0].Request)
	require.Equal(t, "dev", state.Problems[0].Environment)

	base.Files = unreadable{base.Files}
	again, err := repo.renderer.Render(p, "dev", base)
	require.NoError(t, err)
	require.Equal(t, state.Problems, again.Problems)

	var fresh render.Renderer
	_, err = fresh.Render(p, "dev", base)
	require.ErrorContains(t, err, "render dev: read clusters/dev/payments/shop.yaml: must not be read", "nothing is concluded from what cannot be read")
}

// TestInstanceShowsWhatPoliciesSay, and the bytes beside it, so that an author sees the mistake in them.
func TestInstanceShowsWhatPoliciesSay(t *testing.T) {
	p := with(t, map[string][]byte{shopFile: request("shop", "  environments: {dev: {}}\n"), policyFile: []byte(brief)})
	shown, problems := render.Instance(p, "dev", shop, "")
	require.Contains(t, string(shown.Manifest), "text: hello")
	require.Len(t, problems, 1)
	require.Equal(t, "requests/payments/shop.yaml: policy brief denies the ConfigMap payments/shop-note: be brief", problems[0].String())
}

// TestPolicyStopsNoRollback: a release that ran before a policy came can be gone back to, and is then warned of.
func TestPolicyStopsNoRollback(t *testing.T) {
	text := func(text string) []byte {
		return request("shop", "  parameters: {text: "+text+"}\n  environments: {dev: {}}\n")
	}
	repo := &repository{}
	repo.render(t, with(t, map[string][]byte{shopFile: text("long")}), "dev")
	ran, bytes := repo.released(t, shop), repo.manifest("dev", shop)
	repo.render(t, with(t, map[string][]byte{shopFile: text("x")}), "dev")

	p := with(t, map[string][]byte{shopFile: text("x"), policyFile: []byte(brief)})
	state := repo.direct(t, p, "dev", render.Direction{Restore: map[platform.RequestKey]render.Restoration{
		shop: {Release: ran, Manifests: map[string][]byte{"dev": []byte(bytes)}},
	}})
	require.Empty(t, state.Problems)
	require.Equal(t, bytes, repo.manifest("dev", shop))

	state = repo.render(t, with(t, map[string][]byte{shopFile: text("long"), policyFile: []byte(brief)}), "dev")
	require.Len(t, state.Problems, 1)
	require.True(t, state.Problems[0].Warning, state.Problems[0].String())

	state = repo.render(t, with(t, map[string][]byte{shopFile: text("longer"), policyFile: []byte(brief)}), "dev")
	require.Len(t, state.Problems, 1)
	require.False(t, state.Problems[0].Warning, "what enters is denied")
	require.Equal(t, bytes, repo.manifest("dev", shop))
}
