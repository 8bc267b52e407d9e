package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// TestAnInterruptionIsNoSuccess: a command whose context ended says so, whatever it found until then.
func TestAnInterruptionIsNoSuccess(t *testing.T) {
	dir := widgets(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{
		"check", "check -o json", "check -o github", "check -o gitlab", "plan", "plan -o json", "render --out " + t.TempDir(), "diff gear@1.0.0 gear@1.1.0",
		"catalog", "usage gear", "tidy --dry-run", "status", "status --wait", "history", "verify", "explain", "logs store/shop -e dev", "events", "reconcile",
	} {
		t.Run(args, func(t *testing.T) {
			var out, told bytes.Buffer
			all := strings.Fields(args)
			if command, _, _ := strings.Cut(args, " "); command != "check" && command != "plan" && command != "render" {
				t.Chdir(dir)
			} else {
				all = append(all, dir)
			}
			require.Error(t, run(ctx, all, nil, &out, &told))
			require.NotContains(t, out.String()+told.String(), "no Problems")
		})
	}
}

// TestACommandThatSeesNoInterruptionEnds: a command that only computes is left to itself.
func TestACommandThatSeesNoInterruptionEnds(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	ctx, cancel := context.WithCancel(t.Context())
	began, cmd := make(chan struct{}), &cobra.Command{Use: "check", SilenceErrors: true, SilenceUsage: true}
	cmd.RunE = func(*cobra.Command, []string) error {
		close(began)
		<-never
		return nil
	}
	root := &cobra.Command{Use: "transom"}
	root.AddCommand(cmd)
	root.SetArgs([]string{"check"})
	root.SetErr(io.Discard)
	interruptible(root, time.Millisecond)
	go func() {
		<-began
		cancel()
	}()
	require.EqualError(t, root.ExecuteContext(ctx), "transom check was interrupted (context canceled), so it may not have looked at everything; run it again")
}

// TestAWatchEndsByAnInterruption: that is how it ends, and no error.
func TestAWatchEndsByAnInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, []string{"render", "--watch", "--out", t.TempDir(), widgets(t)}, nil, io.Discard, io.Discard))
	require.NoError(t, run(ctx, []string{"status", "--watch", "--server", "http://127.0.0.1:1"}, nil, io.Discard, io.Discard))
}
