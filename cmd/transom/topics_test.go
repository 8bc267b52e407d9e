package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryPageIsATopicOfHelp(t *testing.T) {
	names, err := fs.Glob(documents(), "*.md")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := fs.ReadFile(documents(), name)
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"help", strings.TrimSuffix(name, ".md")}, nil, &out, io.Discard))
		require.Equal(t, strings.TrimSpace(string(text)), strings.TrimSpace(out.String()))
	}
}

func TestHelpAboutNothingIsMisuse(t *testing.T) {
	for args, want := range map[string]string{
		"oprator":       `there is no help about "oprator"; did you mean "operator"?`,
		"new reqest":    `there is no help about "reqest"; did you mean "request"?`,
		"status orders": `there is no help about "orders"`,
	} {
		var out, told bytes.Buffer
		err := run(t.Context(), append([]string{"help"}, strings.Fields(args)...), nil, &out, &told)
		require.Equal(t, 1, exitCode(err))
		require.Equal(t, "transom: "+want+"\nrun \"transom help --help\" for how it is used\n", told.String())
		require.Empty(t, out.String())
	}
}

// TestRunbookNamesMessagesThatThereAre: the table of the operator's page quotes what the code says.
func TestRunbookNamesMessagesThatThereAre(t *testing.T) {
	text, err := fs.ReadFile(documents(), "operator.md")
	require.NoError(t, err)
	code := sources(t)
	_, section, found := strings.Cut(string(text), "## By message")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	quotes := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(section, -1)
	require.GreaterOrEqual(t, len(quotes), 10)
	for _, quote := range quotes {
		require.Contains(t, code, quote[1])
	}
}

// sources are all Go files outside tests, one after the other.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, root := range []string{"..", "../../reconciler", "../../fleet", "../../render"} {
		require.NoError(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			content, err := os.ReadFile(name)
			all.Write(content)
			return err
		}))
	}
	return all.String()
}
