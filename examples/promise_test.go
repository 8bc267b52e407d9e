package examples_test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/render/edits"
	"transom.dev/render/golden"
	"transom.dev/render/platform"
)

// TestMinimalIsUnderFortyLinesOfYAML counts the lines that a person writes; the state beside it is rendered.
func TestMinimalIsUnderFortyLinesOfYAML(t *testing.T) {
	lines := 0
	err := fs.WalkDir(os.DirFS("minimal"), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".state":
			return fs.SkipDir
		case path.Ext(name) == ".yaml":
			content, err := os.ReadFile(path.Join("minimal", name))
			lines += strings.Count(strings.TrimSuffix(string(content), "\n"), "\n") + 1
			return err
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, lines)
	require.Less(t, lines, 40)
}

// TestAcmeUsesWhatPlatformTeamsCanDo: values, computed values, conditions, rules, outputs, policies, golden tests and
// upgrades, so that whoever looks for one finds it in use.
func TestAcmeUsesWhatPlatformTeamsCanDo(t *testing.T) {
	files := os.DirFS("acme")
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.NotEmpty(t, p.Policies)
	for _, environment := range p.Environments {
		require.NotEmpty(t, environment.Values, environment.Name)
	}
	var computed, conditions, outputs int
	for _, offering := range p.Offerings {
		for _, v := range offering.Versions {
			text, err := fs.ReadFile(files, path.Join(v.Dir, "version.yaml"))
			require.NoError(t, err)
			for word, n := range map[string]*int{"\n  computed:": &computed, " when: ": &conditions, "\n  outputs:": &outputs} {
				*n += strings.Count(string(text), word)
			}
		}
	}
	require.Positive(t, computed)
	require.Positive(t, conditions)
	require.Positive(t, outputs)

	cases, err := golden.Cases(p, files)
	require.NoError(t, err)
	tested := map[string][]string{} // offerings to their versions with cases
	for _, c := range cases {
		require.Empty(t, c.Problems, c.Dir)
		require.Equal(t, string(c.Want), string(c.Got), c.Dir)
		if number := c.Version.Number.String(); !slices.Contains(tested[c.Version.Offering], number) {
			tested[c.Version.Offering] = append(tested[c.Version.Offering], number)
		}
	}
	require.Equal(t, []string{"1.4.2", "1.5.0"}, tested["postgres"], "an upgrade test is one of two versions with cases")
	require.Equal(t, []string{"1.0.0", "1.1.0"}, tested["web"])
}

// TestAcmeTestsItsUpgrades: a next version that replaces the database says so.
func TestAcmeTestsItsUpgrades(t *testing.T) {
	files := os.DirFS("acme")
	changes := map[string][]byte{}
	next := strings.NewReplacer("serviceName: postgres", "serviceName: database", `version: "1.5"`, `version: "1.6"`)
	err := fs.WalkDir(files, "offerings/postgres/1.5.0", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		changes[strings.Replace(name, "1.5.0", "1.6.0", 1)] = []byte(next.Replace(string(content)))
		return err
	})
	require.NoError(t, err)
	edited, err := edits.Over(files, changes)
	require.NoError(t, err)
	p, err := platform.Load(edited)
	require.NoError(t, err)
	cases, err := golden.Cases(p, edited)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(cases, func(c *golden.Case) bool {
		return c.Version.Number.String() == "1.6.0" && slices.ContainsFunc(c.Problems, func(p platform.Problem) bool {
			return p.Rule == "upgrade" && strings.Contains(p.Message, "replaces the StatefulSet")
		})
	}))
}
