package e2e_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateCases = flag.Bool("update-cases", false, "rewrite what transom check is expected to say of testdata/cases")

// cases are small platforms that once went wrong. Each has its end in check, and the others one on a cluster:
// TestCasesComeToTheirEnds sees to it.
var cases = map[string]struct {
	problems  bool     // check refuses it
	elsewhere bool     // its kinds are on no cluster of the tests, so that its end is in check
	beside    []string // files that are added, whose names no tool for source code likes
}{
	"adopt-all":     {},
	"adopt-drop":    {},
	"anti":          {},
	"crdcr":         {},
	"drift":         {},
	"ds-ondelete":   {},
	"dup-env":       {problems: true},
	"env-int":       {problems: true},
	"envfile":       {},
	"finalizer":     {},
	"hpa-replicas":  {},
	"job-suspended": {},
	"job-ttl":       {problems: true},
	"names":         {elsewhere: true},
	"nullish":       {},
	"opsel":         {},
	"quantity":      {},
	"strategy":      {},
	"strategy-two":  {},
	"sts-rollback":  {}, // and TestARollbackOfAStatefulSetTakes
	"svc-headless":  {},
	"uname":         {beside: []string{"offerings/uname/1.0.0/Größe.md", "offerings/uname/1.0.0/README (copy).md"}},
	"webhook":       {},
}

// TestCases checks the messages of check for each case against its file expect.
func TestCases(t *testing.T) {
	folders, err := os.ReadDir("testdata/cases")
	require.NoError(t, err)
	bin := binaries(t)
	for _, folder := range folders {
		if name := folder.Name(); folder.IsDir() && name != "_common" {
			t.Run(name, func(t *testing.T) {
				want, known := cases[name]
				require.True(t, known, "say in the table what it comes to")
				check := exec.Command(filepath.Join(bin, "transom"), "check", ".")
				check.Dir = caseDir(t, name)
				out, err := check.Output()
				require.Equal(t, want.problems, err != nil, "%s", out)
				expect := filepath.Join("testdata/cases", name, "expect")
				if *updateCases {
					require.NoError(t, os.WriteFile(expect, out, 0o644))
				}
				expected, err := os.ReadFile(expect)
				require.NoError(t, err)
				require.Equal(t, string(expected), string(out))
			})
		}
	}
	for name := range cases {
		require.DirExists(t, filepath.Join("testdata/cases", name))
	}
}

// caseDir is a directory of its own for a case.
func caseDir(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	layCase(t, name, dir)
	return dir
}

// layCase lays a case over the files that all cases have in common, in a directory.
func layCase(t testing.TB, name, dir string) {
	t.Helper()
	for _, from := range []string{"_common", name} {
		require.NoError(t, filepath.WalkDir(filepath.Join("testdata/cases", from), func(file string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			rel := strings.TrimPrefix(strings.TrimPrefix(file, filepath.Join("testdata/cases", from)), string(filepath.Separator))
			if rel == "expect" || rel == "pre.yaml" {
				return nil
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			to := filepath.Join(dir, rel)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			return os.WriteFile(to, content, 0o644)
		}))
	}
	for _, file := range cases[name].beside {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte("x\n"), 0o644))
	}
}
