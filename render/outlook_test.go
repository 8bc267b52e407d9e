package render_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// promoting is the common platform with prod after dev, and a value that its notes are prefixed with.
func promoting(t *testing.T, prefix string, requests map[string][]byte) *platform.Platform {
	t.Helper()
	files := map[string][]byte{
		"environments/prod.yaml": []byte(head("Environment", "prod") + "spec:\n  state: {url: https://git.example.com/state-prod.git}\n" +
			"  clusters: {matchLabels: {environment: prod}}\n  promotesFrom: [dev]\n  values: {prefix: " + prefix + "}\n"),
	}
	for name, content := range requests {
		files[name] = content
	}
	return with(t, files)
}

func text(changes []render.Change) (text string) {
	for _, c := range changes {
		text += c.Cluster + " " + string(c.Action) + " " + c.Object() + "\n" + c.Diff
	}
	return text
}

// TestAnOutlookKeepsApartWhatIsPromoted from what an environment takes at once: its own changes, for what it has.
func TestAnOutlookKeepsApartWhatIsPromoted(t *testing.T) {
	var r render.Renderer
	old := promoting(t, "a", texted("old"))
	state, err := r.Render(old, "prod", nil)
	require.NoError(t, err)
	files := commit(fstest.MapFS{}, state.Changes)

	requests := texted("new")
	requests["requests/payments/more.yaml"] = request("more", "  environments: {prod: {}}\n")
	next := promoting(t, "b", requests)
	base := readBase(t, files)
	outlook, err := r.Outlook(next, "prod", base)
	require.NoError(t, err)
	require.Equal(t, state.Releases[shop].Digest, outlook.Entered.Releases[shop].Digest)
	require.NotEqual(t, state.Releases[shop].Clusters, outlook.Entered.Releases[shop].Clusters, "the inputs have another value")
	now, err := render.Plan(base, outlook.Now)
	require.NoError(t, err)
	require.Empty(t, now, "the value is not in the bytes")
	later, err := render.Plan(outlook.Entered, outlook.Promoted)
	require.NoError(t, err)
	require.Contains(t, text(later), "prod-us added ConfigMap payments/more-note")
	require.Contains(t, text(later), "-  text: old\n+  text: new")
	require.Len(t, later, 4)

	whole, err := r.Render(next, "prod", readBase(t, files))
	require.NoError(t, err)
	require.Equal(t, texts(commit2(files, whole)), texts(commit2(commit(files, outlook.Now.Changes), outlook.Promoted)), "in two steps it comes to the same")

	require.Empty(t, outlook.Anticipated(old))
	require.Len(t, outlook.Anticipated(next), 2)
	root, err := r.Outlook(next, "dev", &render.Base{})
	require.NoError(t, err)
	require.Nil(t, root.Promoted)
	require.NotEmpty(t, root.Now.Changes)
}

// commit2 is the files of a state below clusters/ once another state is committed.
func commit2(files fstest.MapFS, state *render.State) map[string][]byte {
	all := map[string][]byte{}
	for name, file := range commit(files, state.Changes) {
		all[name] = file.Data
	}
	return all
}

// TestAnOutlookSaysWhatCannotBeHadAnyMore of what an environment runs, and keeps it.
func TestAnOutlookSaysWhatCannotBeHadAnyMore(t *testing.T) {
	var r render.Renderer
	state, err := r.Render(promoting(t, "a", texted("old")), "prod", nil)
	require.NoError(t, err)
	requests := texted("old")
	requests["offerings/note/1.0.0/extra.yaml"] = []byte("a: b\n")
	outlook, err := r.Outlook(promoting(t, "b", requests), "prod", readBase(t, commit(fstest.MapFS{}, state.Changes)))
	require.NoError(t, err)
	require.Empty(t, outlook.Now.Changes)
	require.Contains(t, problemsOf(outlook.Now.Problems)[0], "note@1.0.0 was changed after it had been released")
}
