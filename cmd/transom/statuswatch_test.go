package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
)

// watchOf watches answers, one for each look, until there is none left.
func watchOf(t *testing.T, screen *terminal.Screen, out io.Writer, answers ...any) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tick := make(chan time.Time, len(answers))
	w := &statusWatch{
		out: out, tick: tick, screen: screen,
		ask: func(context.Context) (s status.Status, err error) {
			if len(answers) == 0 {
				cancel()
				return s, ctx.Err()
			}
			next := answers[0]
			answers = answers[1:]
			tick <- time.Time{}
			if err, failed := next.(error); failed {
				return s, err
			}
			s.Platform.Commit = next.(string)
			return s, nil
		},
		print: func(out io.Writer, s status.Status) error {
			_, err := fmt.Fprintln(out, "at", s.Platform.Commit)
			return err
		},
	}
	return w.run(ctx)
}

func TestWatchedStatusIsPrintedOncePerChange(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, watchOf(t, nil, &out, "c1", "c1", "c2", errors.New("no daemon"), errors.New("no daemon"), "c2"))
	require.Equal(t, "at c1\n\nat c2\n\ntransom: no daemon\n\nat c2\n", out.String())
}

func TestWatchOfADaemonThatIsNotThereFailsAtOnce(t *testing.T) {
	require.EqualError(t, watchOf(t, nil, io.Discard, errors.New("no daemon")), "no daemon")
}

func TestWatchedStatusIsRedrawnWithinTheTerminal(t *testing.T) {
	var out bytes.Buffer
	screen := &terminal.Screen{W: &out, Live: true}
	require.NoError(t, watchOf(t, screen, &out, "c1", "c2"))
	require.Equal(t, "at c1\n\x1b[1A\x1b[Jat c2\n", out.String())
	lines := strings.Split(strings.Repeat("line\n", 100), "\n")
	require.Len(t, screen.Fitting(lines), 23, "one that scrolls cannot be redrawn")
	require.Equal(t, "… and 79 more lines", screen.Fitting(lines)[22])
}
