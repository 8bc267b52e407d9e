// Command sandbox is a local fleet of real Kubernetes control planes, as plain processes: no container engine, no
// downloads. In comes a list of cluster names; out come kubeconfig files that work, and nothing remains behind when
// it ends.
//
// It is one binary with many calls. "sandbox up" starts itself again as etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler and kwok; each is the component's own command, unchanged. It needs Linux:
// the kernel's parent-death signal takes the children down in any case.
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
	"github.com/spf13/pflag"
)

func main() {
	if len(os.Args) > 1 {
		if component, ok := components[os.Args[1]]; ok {
			os.Args = os.Args[1:] // the component sees only its own arguments
			os.Exit(component())
		}
	}
	dropGlobalFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// run is the command without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "A local fleet of real Kubernetes control planes",
		Long: `A local fleet of real Kubernetes control planes, as plain processes.

Everything lives in one directory, --dir D:
  D/kubeconfigs/CLUSTER.kubeconfig   appears, whole, when that cluster is ready
  D/logs/                            a log per component
  D/data/                            certificates, tokens, etcd; made anew by every "up"
  D/control.sock                     what stop, start and status talk to`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), fakeCommand(), copyCommand(), stopCommand(), startCommand(), statusCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// dropGlobalFlags forgets the global flags that the Kubernetes components linked in here have declared: cobra would
// show them in every help text, and kwok trips over "version".
func dropGlobalFlags() { pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ContinueOnError) }

// dirFlag adds --dir, which every command needs.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "directory of the sandbox")
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(errors.New("the flag above exists: " + err.Error()))
	}
}
