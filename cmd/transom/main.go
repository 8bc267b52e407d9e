package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// run executes one command line. What it returns has been told on stderr already.
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
per environment, and applies that to a fleet of Kubernetes clusters.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
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
	)
	return root
}

// outcome is an exit code whose reason has been told.
type outcome int

// The outcomes that are no error.
const (
	unwell  outcome = 1 // Problems, or what was waited for did not come about
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

// atMost is the argument rule of commands that take up to n arguments, named in their usage line.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return misuse("%s takes %q, not %d arguments", cmd.CommandPath(), cmd.Use, len(args))
		}
		return nil
	}
}
