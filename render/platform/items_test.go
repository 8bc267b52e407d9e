package platform_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

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

// TestADecisionThatIsNotReadMayHold its environment, and no other, by whatever mistake it is not read: R116.
func TestADecisionThatIsNotReadMayHold(t *testing.T) {
	for at, c := range map[string]struct {
		content string
		holds   []string // the files by which prod is held
	}{
		"decisions/prod/a.yaml":     {written("Hold", "a", "reasons: loud"), []string{"decisions/prod/a.yaml"}},
		"decisions/prod/b.yaml":     {"half of a file: [\n", []string{"decisions/prod/b.yaml"}},
		"decisions/prod/c.yaml":     {written("hold", "c", ""), []string{"decisions/prod/c.yaml"}},
		"decisions/prod/d.yml":      {written("Hold", "d", ""), []string{"decisions/prod/d.yml"}},
		"decisions/prod/e.yml":      {written("Pin", "e", "offering: web, version: 1.0.0"), []string{"decisions/prod/e.yml"}},
		"decisions/prod/f.yml":      {written("Approval", "f", "offering: web, version: 1.0.0"), nil},
		"decisions/prod/g.yaml":     {written("Override", "g", "skips: [hold]"), nil},
		"decisions/prod/README.yml": {written("Hold", "a", ""), nil},
		"decisions/prod/old/h.yaml": {written("Hold", "h", ""), nil},
		"decisions/prd/i.yaml":      {written("Hold", "i", "reasons: loud"), nil},
	} {
		files := repository(t, &txtar.Archive{})
		files[at] = &fstest.MapFile{Data: []byte(c.content)}
		p, err := platform.Load(files)
		require.NoError(t, err)
		var holds []string
		for _, d := range p.Decisions {
			if d.Environment == "prod" && d.MayHold() {
				require.True(t, d.Broken)
				holds = append(holds, d.File)
			}
		}
		require.Equal(t, c.holds, holds, at)
		problem := func(problem platform.Problem) bool { return !problem.Warning && problem.File == at }
		require.True(t, len(holds) == 0 || slices.ContainsFunc(p.Problems, problem), at)
	}

	files := repository(t, &txtar.Archive{})
	for _, name := range []string{"freeze.yml", "freeze.yaml"} {
		files["decisions/prod/"+name] = &fstest.MapFile{Data: []byte(written("Hold", "freeze", "reason: the sale"))}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(p.Problems, func(problem platform.Problem) bool {
		return problem.File == "decisions/prod/freeze.yml" && strings.HasSuffix(problem.Message, "delete one of them; until then all of prod waits")
	}), "%v", p.Problems)
}
