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

// cases are small platforms that once went wrong, each with its end: in check, and on a cluster.
var cases = map[string]struct {
	problems bool     // check refuses it
	cluster  string   // its end there, where that is more than check says
	beside   []string // files that are added, whose names no tool for source code likes
}{
	"adopt-all":     {cluster: "all adopted, endpoints never empty, no pod restarted; without the request all of it stays"},
	"adopt-drop":    {cluster: "the dropped key is gone, as plan says"},
	"anti":          {cluster: "both scheduled: affinity means pods of the own instance"},
	"crdcr":         {cluster: "healthy, and no write at rest"},
	"drift":         {cluster: "what was added by hand is shown with manager and time; taken back only with drift: strict"},
	"ds-ondelete":   {cluster: "settled, said to wait for its pods' deletion; proves nothing downstream"},
	"dup-env":       {problems: true},
	"env-int":       {problems: true},
	"envfile":       {},
	"finalizer":     {cluster: "status says that the dropped object cannot go, and why"},
	"hpa-replicas":  {cluster: "no rescale by us after creation"},
	"job-suspended": {cluster: "settled as asked, with the reason; proves nothing downstream"},
	"job-ttl":       {problems: true},
	"names":         {},
	"nullish":       {cluster: "healthy, and no write at rest"},
	"opsel":         {cluster: "selectors as written; two endpoints; expectedPods: 2; the policy selects both"},
	"quantity":      {cluster: "healthy, and no write at rest"},
	"strategy":      {cluster: "1.1.0 is applied"},
	"strategy-two":  {cluster: "1.1.0 is applied"},
	"sts-rollback":  {cluster: "rolled back to healthy; 1.2.0 is healthy and nothing is blamed on it"},
	"svc-headless":  {cluster: "foretold in plan; healthy, and no write at rest"},
	"uname":         {beside: []string{"offerings/uname/1.0.0/Größe.md", "offerings/uname/1.0.0/README (copy).md"}},
	"webhook":       {cluster: "no fight: zero writes at rest; healthy"},
}

// TestCases holds the messages of check for each case to its file expect. Other tests hold the outcome of the cases on clusters.
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

// caseDir lays a case over the files that all cases have in common, in a directory of its own.
func caseDir(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
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
	return dir
}
