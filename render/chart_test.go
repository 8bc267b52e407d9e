package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestVersionsWithTheSameFilesPrintForThemselves: a version that is a copy of the one before it is its own, with its own places.
func TestVersionsWithTheSameFilesPrintForThemselves(t *testing.T) {
	var r render.Renderer
	for environment, number := range map[string]string{"dev": "2.0.0", "prod": "2.1.0"} {
		files := map[string][]byte{shopFile: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\n" +
			"spec: {offering: note, version: " + number + ", environments: {" + environment + ": {}}}\n")}
		for _, n := range []string{"2.0.0", "2.1.0"} {
			dir := "offerings/note/" + n + "/"
			files[dir+"version.yaml"] = []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec: {chart: {path: chart}}\n")
			files[dir+"chart/Chart.yaml"] = []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")
			files[dir+"chart/templates/a.yaml"] = []byte("apiVersion: v1\nkind: ConfigMap\n" +
				"metadata: {name: \"{{ .Release.Name }}\", namespace: \"{{ .Release.Namespace }}\"}\n")
		}
		state, err := r.Render(with(t, files), environment, nil)
		require.NoError(t, err)
		require.Empty(t, problemsOf(state.Problems), number)
	}
	prints, skeletons, bound := r.PrintsKept()
	require.Greater(t, prints, 100)
	require.Greater(t, skeletons, 100)
	require.Positive(t, bound)
	require.LessOrEqual(t, bound, 256<<20)
}

// TestHooksOfAnInstallationComeAgainUntilOneWasHealthy: a first release that fails has not installed what they are for. Jobs are
// replaced then, since the first one's may be there.
func TestHooksOfAnInstallationComeAgainUntilOneWasHealthy(t *testing.T) {
	platformOf := func(text string) *platform.Platform {
		dir := "offerings/note/2.0.0/"
		return with(t, map[string][]byte{
			shopFile: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: shop}\n" +
				"spec: {offering: note, version: 2.0.0, parameters: {text: " + text + "}, environments: {dev: {}}}\n"),
			dir + "version.yaml":     []byte("apiVersion: transom.dev/v1alpha1\nkind: Version\nmetadata: {name: note}\nspec: {parameters: {type: object, properties: {text: {type: string}}}, chart: {path: chart, values: {text: parameters.text}}}\n"),
			dir + "chart/Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n"),
			dir + "chart/templates/a.yaml": []byte("apiVersion: batch/v1\nkind: Job\nmetadata: {name: setup, annotations: {helm.sh/hook: pre-install}}\n" +
				"spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: \"a:{{ .Values.text }}\"}]}}}\n"),
			dir + "chart/templates/b.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {text: \"{{ .Values.text }}\"}\n"),
		})
	}
	repo := &repository{}
	failing := func() render.Direction {
		record := *repo.released(t, shop)
		record.Promotion.Rollout = &state.Rollout{Cause: state.CauseRelease}
		return render.Direction{Records: map[platform.RequestKey]*state.Release{shop: &record}}
	}
	requireNoProblems := func(s *render.State) { require.Empty(t, problemsOf(s.Problems)) }

	requireNoProblems(repo.render(t, platformOf("one"), "dev"))
	require.Contains(t, repo.manifest("dev", shop), "image: a:one")
	require.NotContains(t, repo.manifest("dev", shop), "transom.dev/replace")

	requireNoProblems(repo.direct(t, platformOf("two"), "dev", failing()))
	require.Contains(t, repo.manifest("dev", shop), "image: a:two")
	require.Contains(t, repo.manifest("dev", shop), "transom.dev/replace")
	requireNoProblems(repo.direct(t, platformOf("three"), "dev", failing()))
	require.Contains(t, repo.manifest("dev", shop), "image: a:three")

	record := *repo.released(t, shop)
	record.Promotion.Rollout = nil
	healthy := render.Direction{Records: map[platform.RequestKey]*state.Release{shop: &record}}
	repo.direct(t, platformOf("three"), "dev", healthy)
	require.Contains(t, repo.manifest("dev", shop), "image: a:three", "what runs stays")
	requireNoProblems(repo.render(t, platformOf("four"), "dev"))
	require.NotContains(t, repo.manifest("dev", shop), "kind: Job")
	requireNoProblems(repo.direct(t, platformOf("five"), "dev", failing()))
	require.NotContains(t, repo.manifest("dev", shop), "kind: Job")
}
