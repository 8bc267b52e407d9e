package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// versionChanges are some between any two versions.
func versionChanges(from, to *platform.Version) (resource.VersionChanges, error) {
	return resource.VersionChanges{
		Offering: to.Offering, Version: to.Number.String(), From: from.Number.String(),
		Contract: []resource.ContractChange{
			{Kind: "parameter", Name: "image", Action: "added", To: "string"}, {Kind: "output", Name: "url", Action: "changed", From: "a", To: "<b>"},
		},
		Files: []resource.FileChange{
			{Path: "config.yaml", Action: "changed", Diff: "@@ -1 +1 @@\n-a: 1\n+a: <script>2</script>\n"}, {Path: "logo.png", Action: "removed", Omitted: "it is not text"},
		},
		More: 3,
	}, nil
}

// TestChangesOfAVersionAreAskedFor: against the one before, or against another; where there is none, the answer says why.
func TestChangesOfAVersionAreAskedFor(t *testing.T) {
	s := serve(t, busy(t))
	const of = "/api/v1/offerings/web/versions/"
	c := getJSON[resource.VersionChanges](t, s, of+"1/changes")
	require.Equal(t, []string{"web", "1.2.0", "1.1.0"}, []string{c.Offering, c.Version, c.From})
	require.Equal(t, "@@ -1 +1 @@\n-a: 1\n+a: <script>2</script>\n", c.Files[0].Diff)
	c = getJSON[resource.VersionChanges](t, s, of+"1.1.0/changes?from=1.2.0")
	require.Equal(t, []string{"1.1.0", "1.2.0"}, []string{c.Version, c.From})
	for path, want := range map[string]string{
		of + "1.1.0/changes":                       "web has no version before 1.1.0",
		of + "1.2.0/changes?from=7":                "web has no version 7",
		of + "9/changes":                           "web has no version 9",
		of + "1/changes?against=1":                 "against",
		"/api/v1/offerings/wbe/versions/1/changes": `did you mean \"web\"?`,
	} {
		code, body := get(t, s, path)
		require.NotEqual(t, http.StatusOK, code, path)
		require.Contains(t, body, want, path)
	}
	without := busy(t)
	without.Changes = nil
	code, body := get(t, serve(t, without), of+"1/changes")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "run transom diff in a clone of the platform repository")
	_, body = get(t, serve(t, without), "/catalog/web")
	require.NotContains(t, body, "against 1.1.0")
}

// TestAVersionsPageShowsItsChanges, as text; the first version has none.
func TestAVersionsPageShowsItsChanges(t *testing.T) {
	s := serve(t, busy(t))
	_, body := get(t, s, "/catalog/web")
	require.Contains(t, body, "Changes of 1.2.0 against 1.1.0")
	require.Contains(t, body, `<span class="action added">added</span> parameter <code>image</code> <ins>string</ins>`)
	require.Contains(t, body, `<del>a</del> <ins>&lt;b&gt;</ins>`)
	require.Contains(t, body, "a: &lt;script&gt;2&lt;/script&gt;")
	require.Contains(t, body, "it is not text")
	require.Contains(t, body, "7 changes against 1.1.0")
	_, body = get(t, s, "/catalog/web?version=1.1.0")
	require.NotContains(t, body, "Changes of 1.1.0")
	require.Contains(t, body, "7 changes against 1.1.0", "of the other version")
}

// TestLinesOfVersionsAreForDevelopers: a viewer is told which files changed, and not how.
func TestLinesOfVersionsAreForDevelopers(t *testing.T) {
	for role, shown := range map[access.Role]bool{access.Viewer: false, access.Developer: true, access.Operator: true} {
		o := busy(t)
		var err error
		o.Access, err = access.New(access.Options{Unknown: role})
		require.NoError(t, err)
		s := serve(t, o)
		for _, path := range []string{"/api/v1/offerings/web/versions/1/changes", "/catalog/web"} {
			_, body := get(t, s, path)
			require.Contains(t, body, "config.yaml")
			require.Equal(t, shown, !strings.Contains(body, "its lines are for developers"), "%v %s", role, path)
			require.Equal(t, shown, strings.Contains(body, "-a: 1"), "%v %s", role, path)
		}
	}
}
