package platform_test

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

// nested is a file system that has, below one folder, ten folders which have ten folders and so on, as a Git tree can that
// names one directory under ten names. At the end of each path there is a file.
type nested struct {
	fstest.MapFS
	below  string
	levels int
	file   fs.DirEntry
}

func (n nested) within(name string) (level int, ok bool) {
	rest, ok := strings.CutPrefix(name, n.below)
	return strings.Count(rest, "/"), ok && (rest == "" || rest[0] == '/')
}

func (n nested) ReadDir(name string) ([]fs.DirEntry, error) {
	level, ok := n.within(name)
	switch {
	case !ok:
		return n.MapFS.ReadDir(name)
	case level >= n.levels:
		return []fs.DirEntry{n.file}, nil
	}
	entries := make([]fs.DirEntry, 10)
	for i := range entries {
		entries[i] = folder{n.file, fmt.Sprintf("d%d", i)}
	}
	return entries, nil
}

func (n nested) ReadFile(name string) ([]byte, error) {
	if level, ok := n.within(name); ok && level > n.levels {
		return n.MapFS.ReadFile(path.Join(n.below, n.file.Name()))
	}
	return n.MapFS.ReadFile(name)
}

type folder struct {
	fs.DirEntry
	name string
}

func (f folder) Name() string      { return f.name }
func (f folder) IsDir() bool       { return true }
func (f folder) Type() fs.FileMode { return fs.ModeDir }

func nestedIn(t *testing.T, below, file string, levels int, content string) nested {
	files := repository(t, &txtar.Archive{})
	files[below+"/"+file] = &fstest.MapFile{Data: []byte(content)}
	entries, err := files.ReadDir(below)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == file {
			return nested{files, below, levels, e}
		}
	}
	panic("no such file")
}

const stalled = 2 * time.Minute

// TestAFolderOfTooMuchCostsOnlyItself: a team, a version and an overlay of 10^10 files are not looked into.
func TestAFolderOfTooMuchCostsOnlyItself(t *testing.T) {
	for below, file := range map[string]string{
		"requests/evil": "a.yaml", "requests/payments": "a.yaml", "offerings/postgres/9.9.9": "version.yaml", "environments/prod/evil": "kustomization.yaml",
		"decisions/prod": "a.yaml",
	} {
		for text, levels := range map[string]int{"a: b\n": 10, strings.Repeat("#", 1<<20): 3} {
			files := nestedIn(t, below, file, levels, text)
			start := time.Now()
			l := &platform.Loader{}
			for range 2 {
				p, err := l.Load(files)
				require.NoError(t, err)
				require.Less(t, time.Since(start), stalled)
				require.Contains(t, lines(p.Problems), below+": holds over 100,000 files and folders, or over 64 MiB: it is not looked into, and what runs of it stays as it is")
				require.Less(t, len(p.Problems), 20)
				require.NotNil(t, instance(t, p, "dev", "search/index"), below)
				if below == "decisions/prod" {
					require.True(t, p.Environments["prod"].Broken, "one of them may be a Hold")
				}
				if below == "requests/payments" {
					require.True(t, p.Broken("prod", platform.RequestKey{Team: "payments", Name: "orders-db"}), "what runs stays")
				}
			}
		}
	}
}

// TestAPlatformOfTooMuchIsNotTakenIn: where no folder of one team is to blame, nothing of the commit is.
func TestAPlatformOfTooMuchIsNotTakenIn(t *testing.T) {
	for _, below := range []string{"policies/evil", "docs/requests/evil", "offerings/evil"} {
		start := time.Now()
		_, err := platform.Load(nestedIn(t, below, "a.yaml", 10, "a: b\n"))
		require.EqualError(t, err, "its folders hold over 500,000 files and folders, or over 512 MiB: nothing of it is taken in, and what runs "+
			"stays as it is; look for a folder or file that is there again and again, and delete it")
		require.Less(t, time.Since(start), stalled)
	}
}

// TestAPlatformOfTooManyFilesOfAKindIsNotTakenIn: to leave some of them out would take away clusters or open gates.
func TestAPlatformOfTooManyFilesOfAKindIsNotTakenIn(t *testing.T) {
	for folder, most := range map[string]int{"clusters": 10_000, "environments": 2_000, "notifications": 5_000, "policies": 5_000} {
		files := repository(t, &txtar.Archive{})
		for n := range most + 1 {
			files[fmt.Sprintf("%s/f%d.yaml", folder, n)] = &fstest.MapFile{Data: []byte("kind: Other\n")}
		}
		_, err := platform.Load(files)
		require.ErrorContains(t, err, folder+"/ has ")
		require.ErrorContains(t, err, fmt.Sprintf("files of %s; at most %d: nothing of the commit is taken in, and what runs stays as it is", folder, most))
	}
}

// TestFoldersTooDeepAreNotLookedInto: a path of 100,000 folders ends at the hundredth.
func TestFoldersTooDeepAreNotLookedInto(t *testing.T) {
	files := repository(t, &txtar.Archive{})
	deep := strings.Repeat("/d", 200)
	for _, dir := range []string{"requests/payments", "offerings/postgres/9.9.9", "docs/requests"} {
		files[dir+deep+"/a.yaml"] = &fstest.MapFile{Data: []byte("a: b\n")}
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.Contains(t, lines(p.Problems), "requests/payments"+strings.Repeat("/d", 99)+": is a folder in 100 others: it is not looked into")
	require.NotNil(t, instance(t, p, "dev", "search/index"))
}
