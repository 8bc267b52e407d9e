package main

import (
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// TestChangesOfTheExamplesVersions: they are found once, and are those that a reader of both directories finds.
func TestChangesOfTheExamplesVersions(t *testing.T) {
	p, err := workspace.Load("../../examples/acme")
	require.NoError(t, err)
	o := p.Offerings["postgres"]
	found := &comparisons{}
	c, err := found.changes(o.Version("1.4.2"), o.Version("1.5.0"))
	require.NoError(t, err)
	require.Equal(t, []string{"postgres", "1.4.2", "1.5.0"}, []string{c.Offering, c.From, c.Version})
	require.Contains(t, c.Contract, api.ContractChange{Kind: "parameter", Name: "size", Action: "added", To: "string, default small, one of small, medium, large"})
	require.Contains(t, c.Contract, api.ContractChange{
		Kind: "output", Name: "host", Action: "changed", From: `"%s-postgres.%s.svc".format([request.name, namespace])`, To: "computed.host",
	})
	var cronjob api.FileChange
	for _, f := range c.Files {
		if f.Path == "components/backup/cronjob.yaml" {
			cronjob = f
		}
	}
	require.Equal(t, "added", cronjob.Action)
	require.Contains(t, cronjob.Diff, "+kind: CronJob\n")
	again, err := found.changes(o.Version("1.4.2"), o.Version("1.5.0"))
	require.NoError(t, err)
	require.Same(t, &c.Files[0], &again.Files[0], "compared once")
}

// TestChangesAreBounded: files that are long, many or no text do not make a page that nobody can load.
func TestChangesAreBounded(t *testing.T) {
	long := make([]byte, 0, 60<<10)
	for len(long) < 50<<10 {
		long = append(long, "line\n"...)
	}
	files := fstest.MapFS{"image.png": {Data: []byte{0x89, 'P', 0}}, "longer": {Data: append(long, long...)}}
	for i := range 300 {
		files["a/"+string(rune('a'+i/26))+string(rune('a'+i%26))] = &fstest.MapFile{Data: long}
	}
	old := &platform.Version{Offering: "web", Number: semver.MustParse("1.0.0"), Files: fstest.MapFS{}}
	c, err := new(comparisons).changes(old, &platform.Version{Offering: "web", Number: semver.MustParse("1.1.0"), Files: files})
	require.NoError(t, err)
	require.Len(t, c.Files, mostChangedFiles)
	require.Equal(t, 102, c.More)
	var total int
	for _, f := range c.Files {
		total += len(f.Diff)
		require.Equal(t, "more lines differ than are shown", f.Omitted)
	}
	require.Greater(t, total, 64<<10)
	require.LessOrEqual(t, total, 128<<10)
	delete(files, "a/aa")
	for name := range files {
		if len(name) == 4 {
			delete(files, name)
		}
	}
	c, err = new(comparisons).changes(old, &platform.Version{Offering: "web", Number: semver.MustParse("1.1.0"), Files: files})
	require.NoError(t, err)
	require.Equal(t, []api.FileChange{
		{Path: "image.png", Action: "added", Omitted: "it is not text"}, {Path: "longer", Action: "added", Omitted: "it is too long to be compared line by line"},
	}, c.Files)
}
