package terminal_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/terminal"
)

func TestColoursAreForTerminalsOnly(t *testing.T) {
	var buffer bytes.Buffer
	require.False(t, terminal.PaintFor(&buffer).On)
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	require.False(t, terminal.PaintFor(file).On, "a file is no terminal")
	require.NoError(t, file.Close())

	require.Equal(t, "plain", terminal.Paint{}.Red("plain"))
	require.Equal(t, "\x1b[31mred\x1b[0m", terminal.Paint{On: true}.Red("red"))
	require.Empty(t, terminal.Paint{On: true}.Red(""))
}

func TestAScreenRedrawsOnlyWhereSomebodyWatches(t *testing.T) {
	var out bytes.Buffer
	plain := &terminal.Screen{W: &out}
	plain.Show("a", "b")
	plain.Show("a", "c")
	plain.Show("a", "c")
	plain.End()
	require.Equal(t, "a\nb\nc\n", out.String(), "a line is printed when it is new")

	out.Reset()
	live := &terminal.Screen{W: &out, Live: true}
	live.Show("a", "b")
	live.Show("c")
	live.End()
	require.Equal(t, "a\nb\n\x1b[2A\x1b[Jc\n\x1b[1A\x1b[J", out.String(), "a frame replaces the one before")
}

func TestALineFitsTheTerminal(t *testing.T) {
	shown := func(line string) string {
		var out bytes.Buffer
		(&terminal.Screen{W: &out, Live: true}).Show(line)
		return strings.TrimSuffix(out.String(), "\n")
	}
	long := strings.Repeat("é", 100)
	require.Equal(t, "short", shown("short"))
	require.Equal(t, strings.Repeat("é", 79), shown(long), "one that wraps could not be redrawn")
	require.Equal(t, "\x1b[31m"+strings.Repeat("é", 79)+"\x1b[0m", shown(terminal.Paint{On: true}.Red(long)), "colours take no room and always end")
	require.NotContains(t, shown(strings.Repeat("a\n", 3)), "\n")
}
