package platform_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata want")

// Each archive is a platform repository; its file want has the lines of its Problems.
func TestLoadSaysWhatIsWrong(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			fsys, want := split(t, archive)
			p, err := platform.Load(fsys)
			require.NoError(t, err)
			got := lines(p.Problems)
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func lines(problems []platform.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func split(t *testing.T, archive *txtar.Archive) (fs.FS, string) {
	t.Helper()
	var want string
	files := &txtar.Archive{}
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
		} else {
			files.Files = append(files.Files, f)
		}
	}
	fsys, err := txtar.FS(files)
	require.NoError(t, err)
	return fsys, want
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, want string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name == "want" {
			archive.Files[i].Data = []byte(want)
		}
	}
	require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
}
