package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// TestChangesOfTheExamplesVersions: they are found once, and are those that a reader of both directories finds.
func TestChangesOfTheExamplesVersions(t *testing.T) {
	p, err := workspace.Load("../../examples/acme")
	require.NoError(t, err)
	o := p.Offerings["postgres"]
	found := newComparisons()
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
		long = append(long, "one more line\n"...)
	}
	files := fstest.MapFS{"image.png": {Data: []byte{0x89, 'P', 0}}, "longer": {Data: append(long, long...)}, "lines": {Data: bytes.Repeat([]byte("a\n"), 4001)}}
	for i := range 300 {
		files["a/"+string(rune('a'+i/26))+string(rune('a'+i%26))] = &fstest.MapFile{Data: long}
	}
	old := &platform.Version{Offering: "web", Number: semver.MustParse("1.0.0"), Files: fstest.MapFS{}}
	c, err := newComparisons().changes(old, &platform.Version{Offering: "web", Number: semver.MustParse("1.1.0"), Files: files})
	require.NoError(t, err)
	require.Len(t, c.Files, catalog.MostFiles)
	require.Equal(t, 103, c.More)
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
	c, err = newComparisons().changes(old, &platform.Version{Offering: "web", Number: semver.MustParse("1.1.0"), Files: files})
	require.NoError(t, err)
	require.Equal(t, []api.FileChange{
		{Path: "image.png", Action: "added", Omitted: "it is not text"},
		{Path: "lines", Action: "added", Omitted: "it is too long to be compared line by line"},
		{Path: "longer", Action: "added", Omitted: "it is too long to be compared line by line"},
	}, c.Files)
}

// TestFilesThatAreNotToldAreNotCompared: the time for a version does not grow with the number of its files without end.
func TestFilesThatAreNotToldAreNotCompared(t *testing.T) {
	files := fstest.MapFS{}
	for i := range catalog.MostFiles + 2 {
		files[fmt.Sprintf("%03d", i)] = &fstest.MapFile{Data: []byte("a\n")}
	}
	c, err := catalog.Compare(&platform.Version{Files: fstest.MapFS{}, Number: semver.MustParse("1.0.0")}, &platform.Version{Files: files, Number: semver.MustParse("1.1.0")})
	require.NoError(t, err)
	require.Len(t, c.Files, catalog.MostFiles+2)
	for i, f := range c.Files {
		require.Equal(t, i < catalog.MostFiles, f.Diff != "", f.Path)
		require.Equal(t, i >= catalog.MostFiles, f.Omitted != "", f.Path)
	}
}

// TestAPairThatIsComparedKeepsNobodyElseWaiting: each pair is compared by itself and once, and a new pair takes the place of one old one.
func TestAPairThatIsComparedKeepsNobodyElseWaiting(t *testing.T) {
	version := func(number string, files fs.FS) *platform.Version {
		return &platform.Version{Offering: "web", Number: semver.MustParse(number), Files: files}
	}
	found, old := newComparisons(), version("1.0.0", fstest.MapFS{})
	reading, read := make(chan struct{}), make(chan struct{})
	slow, ended := version("1.1.0", slowFS{fstest.MapFS{}, reading, read}), make(chan error)
	go func() {
		_, err := found.changes(old, slow)
		ended <- err
	}()
	<-reading
	next := version("1.2.0", fstest.MapFS{"a": {Data: []byte("a\n")}})
	c, err := found.changes(old, next)
	require.NoError(t, err, "another pair is being compared")
	close(read)
	require.ErrorIs(t, <-ended, fs.ErrInvalid)
	_, err = found.changes(old, slow)
	require.NoError(t, err, "a failure is not kept")
	for range mostComparisons - 1 {
		_, err := found.changes(version("0.1.0", fstest.MapFS{}), next)
		require.NoError(t, err)
		again, err := found.changes(old, next)
		require.NoError(t, err)
		require.Same(t, &c.Files[0], &again.Files[0], "a pair that is asked for stays")
	}
}

// A slowFS tells that it is read, and fails the first time, once it is told to.
type slowFS struct {
	fs.FS
	reading, read chan struct{}
}

func (f slowFS) Open(name string) (fs.File, error) {
	select {
	case <-f.read:
		return f.FS.Open(name)
	default:
	}
	close(f.reading)
	<-f.read
	return nil, fs.ErrInvalid
}
