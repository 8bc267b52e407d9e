package platform_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestAnApprovalOfManyIsOneOfEach reads a file that approves many things: one Approval for each, which stays the same decision when
// another is added, and is another decision in another file.
func TestAnApprovalOfManyIsOneOfEach(t *testing.T) {
	const a, b = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	approvals := func(name, items string) []*platform.Decision {
		files := fstest.MapFS{"decisions/prod/" + name + ".yaml": {Data: []byte(
			"apiVersion: transom.dev/v1alpha1\nkind: Approval\nmetadata: {name: " + name + "}\nspec: {items: [" + items + "]}\n")}}
		files["environments/prod.yaml"] = &fstest.MapFile{Data: []byte(
			"apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec: {state: {url: ../prod.git}, clusters: {matchLabels: {a: b}}}\n")}
		p, err := platform.Load(files)
		require.NoError(t, err)
		for _, problem := range p.Problems {
			require.True(t, problem.Warning, "%s", problem)
		}
		return p.Decisions
	}
	const items = "{request: t/one, release: '" + a + "'}, {offering: web, version: 1.0.0}, {plan: '" + b + "'}, {deletions: '" + a + "'}, {adoption: '" + b + "'}"
	all := approvals("x", items)
	require.Len(t, all, 5)
	require.Equal(t, "t/one", all[0].Request.String())
	require.Equal(t, a, all[0].Release)
	require.Equal(t, "web 1.0.0", all[1].Offering+" "+all[1].Version)
	require.Equal(t, []string{b, a, b}, []string{all[2].Plan, all[3].Deletions, all[4].Adoption})
	for _, d := range all {
		require.Equal(t, "decisions/prod/x.yaml", d.File)
	}
	more, elsewhere := approvals("x", items+", {request: t/two, release: '"+a+"'}"), approvals("y", items)
	require.Len(t, more, 6)
	for i, d := range all {
		require.Equal(t, d.Digest, more[i].Digest)
		require.NotEqual(t, d.Digest, elsewhere[i].Digest)
	}
}
