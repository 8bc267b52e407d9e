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
	_ "golang.org/x/crypto/x509roots/fallback" // for machines without certificates of authorities, such as a container

	"transom.dev/reconciler/notify"
	"transom.dev/render/worker"
)

func main() {
	worker.Main()
	notify.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// run executes one command line. The error that it returns is printed on stderr already.
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

Exits with 0 when all is well, with 1 for an error, after an interruption or where what is to be merged has Problems, and
with 2 where --exit-code was given and something would change. status answers with 0 whatever it shows, but for --wait.`,
		Example: `  transom demo
  transom check ./platform
  transom status payments/orders-db`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newTopics()...)
	root.SetHelpCommand(newHelp())
	group(root,
		newServe(),
		newToken(),
		newDemo(run),
		newInstall(),
		newUninstall(),
		newCheck(),
		newRender(),
		newPlan(),
		newStatus(),
		newReconcile(),
		newNotify(),
		newExplain(),
		newLogs(),
		newEvents(),
		newOpen(),
		newHistory(),
		newVerify(),
		newCatalog(),
		newUsage(),
		newCluster(),
		newPromote(),
		newHold(),
		newPin(),
		newRollback(),
		newTidy(),
		newSet(),
		newSecret(),
		newInit(),
		newImport(),
		newNew(),
		newDiff(),
		newExport(),
		newVersion(),
	)
	interruptible(root, endingTime)
	return root
}
