package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
	"transom.dev/render/worker"
)

func main() {
	worker.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// run executes one command line. An error that it returns has been told on stderr already.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var told outcome
	var misuse usageError
	switch {
	case err == nil || errors.As(err, &told):
	case errors.As(err, &misuse):
		fmt.Fprintf(stderr, "transom: %v\nrun \"%s --help\" for how it is used\n", err, cmd.CommandPath())
	default:
		fmt.Fprintf(stderr, "transom: %v\n", err)
	}
	return err
}

// newRoot returns the whole command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "transom",
		Short: "From merged request files to healthy objects on a fleet of Kubernetes clusters",
		Long: `Transom renders what developers request from what the platform team offers, commits it to a state repository
per environment, and applies that to a fleet of Kubernetes clusters.

Exits with 0 when all is well, with 1 for an error or where there are Problems, and with 2 where --exit-code was given
and something would change.`,
		Example: `  transom demo
  transom check ./platform
  transom status payments/orders-db`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return group(root,
		newServe(),
		newDemo(),
		newCheck(),
		newRender(),
		newPlan(),
		newStatus(),
		newExplain(),
		newHistory(),
		newVerify(),
		newCatalog(),
		newUsage(),
		newPromote(),
		newHold(),
		newPin(),
		newRollback(),
		newSet(),
		newNew(),
		newDiff(),
		newExport(),
		newVersion(),
	)
}

// outcome is an exit code whose reason has been told.
type outcome int

// The outcomes that are no error.
const (
	unwell  outcome = 1 // Problems, or the awaited outcome did not come about
	changes outcome = 2 // something would change, and --exit-code asked to be told
)

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func misuse(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var o outcome
	switch {
	case err == nil:
		return 0
	case errors.As(err, &o):
		return int(o)
	default:
		return 1
	}
}

// takes is the argument rule of commands that take from least to most arguments, named in their usage line.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(args); {
		case n >= least && n <= most:
			return nil
		case most == 0:
			return misuse("%s takes no arguments, not %d", cmd.CommandPath(), n)
		default:
			_, arguments, _ := strings.Cut(cmd.Use, " ")
			arguments, _, _ = strings.Cut(arguments, " --")
			return misuse("%s takes %s, not %s", cmd.CommandPath(), arguments, terminal.Count(n, "argument"))
		}
	}
}

// group makes a command one that only has commands: alone it prints its help.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var there []string
		for _, c := range commands {
			there = append(there, c.Name())
		}
		return misuse("%s has no command %q%s", cmd.CommandPath(), args[0], platform.Suggest(args[0], there))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}
