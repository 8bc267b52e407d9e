package wording_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

func TestCleanTextCannotSteerATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\nof two lines, Größe ✓": "plain\ttext\nof two lines, Größe ✓",
		"\x1b[31mred\x1b]0;title\a":          "\ufffd[31mred\ufffd]0;title\ufffd",
		"gone\rback\b\x00\x7f\u009b2J":       "gone\ufffdback\ufffd\ufffd\ufffd\ufffd2J",
		"gpj.\u202etxt":                      "gpj.\ufffdtxt",
		"half \xff":                          "half \ufffd",
	} {
		require.Equal(t, want, wording.Clean(in))
	}
}

func TestLongTextIsCutAndCounted(t *testing.T) {
	for _, unit := range []string{"a", "ö", "✓", "\x01", "\xff"} {
		cut := wording.Clean(strings.Repeat(unit, 60_000))
		require.LessOrEqual(t, len(cut), wording.MaxMessage)
		require.True(t, utf8.ValidString(cut))
		require.Regexp(t, `… \(\d+ more bytes\)$`, cut)
	}
	fits := strings.Repeat("a", wording.MaxMessage)
	require.Equal(t, fits, wording.Clean(fits))
	require.LessOrEqual(t, len(wording.Clean(strings.Repeat("\x1b", wording.MaxMessage))), wording.MaxMessage, "U+FFFD is longer")
}

// TestProblemsCannotSteerATerminal: text of files is repeated in Problems, with its file names.
func TestProblemsCannotSteerATerminal(t *testing.T) {
	files := fstest.MapFS{
		"requests/payments/a\x1b[2J.yaml": {Data: []byte("kind: Request\n")},
		"requests/payments/b.yaml": {Data: []byte("apiVersion: transom.dev/v1alpha1\nkind: Request\nmetadata: {name: b}\n" +
			"spec: {offering: \"x\\e[31m\", version: \"1\", environments: {\"" + strings.Repeat("e", 60_000) + "\": {}}}\n")},
	}
	p, err := platform.Load(files)
	require.NoError(t, err)
	require.NotEmpty(t, p.Problems)
	for _, problem := range p.Problems {
		require.NotContains(t, problem.String(), "\x1b")
		require.LessOrEqual(t, len(problem.String()), 2*wording.MaxMessage)
	}
}
