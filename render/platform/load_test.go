package platform_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"transom.dev/render/platform"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata want")

// Each archive is laid over base.txtar, a platform without a mistake: a file replaces or adds one, and "NAME removed",
// "NAME symlink" and "NAME submodule" do what they say. The file want has the lines of the Problems, and then the state of
// each request in each environment: its version, or broken.
func TestLoadSaysWhatIsWrongAndWhatGoesOn(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.Greater(t, len(cases), 30)
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			p, err := platform.Load(repository(t, archive))
			require.NoError(t, err)
			got := lines(p.Problems) + "\n" + outcome(p)
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			require.Equal(t, wanted(archive), got)
		})
	}
}

// repository lays an archive over the base.
func repository(t testing.TB, archive *txtar.Archive) fstest.MapFS {
	t.Helper()
	base, err := txtar.ParseFile("testdata/base.txtar")
	require.NoError(t, err)
	fsys := fstest.MapFS{}
	for _, f := range slices.Concat(base.Files, archive.Files) {
		name, what, _ := strings.Cut(f.Name, " ")
		switch what {
		case "removed":
			delete(fsys, name)
		case "symlink":
			fsys[name] = &fstest.MapFile{Data: f.Data, Mode: fs.ModeSymlink}
		case "submodule":
			fsys[name] = &fstest.MapFile{Mode: fs.ModeIrregular}
		default:
			fsys[name] = &fstest.MapFile{Data: f.Data}
		}
	}
	delete(fsys, "want")
	return fsys
}

func wanted(archive *txtar.Archive) string {
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
	return string(archive.Files[i].Data)
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, want string) {
	t.Helper()
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
	archive.Files[i].Data = []byte(want)
	require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
}

func lines(problems []platform.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// outcome tells the state of each request in each environment. Requests that are gone but may exist count too.
func outcome(p *platform.Platform) string {
	keys := []platform.RequestKey{{Team: "payments", Name: "orders-db"}}
	for _, r := range p.Requests() {
		keys = append(keys, r.Key)
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	keys = slices.Compact(keys)
	var b strings.Builder
	for _, env := range environments(p) {
		fmt.Fprintf(&b, "%s:", env)
		for _, k := range keys {
			if p.Broken(env, k) {
				fmt.Fprintf(&b, " %s=broken", k)
			}
			for _, i := range p.Instances(env) {
				if i.Request.Key == k {
					fmt.Fprintf(&b, " %s=%s", k, i.Version.Number)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func environments(p *platform.Platform) (names []string) {
	for name := range p.Environments {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
