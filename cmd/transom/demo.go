package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/demo"
)

// newDemo returns the command demo. Run executes a command line of Transom, as main does: the demo is a user of them.
func newDemo(run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error) *cobra.Command {
	d := demo.Demo{Transom: func(ctx context.Context, args []string, out io.Writer) error {
		return run(ctx, args, strings.NewReader(""), out, out)
	}}
	cmd := &cobra.Command{
		Annotations: map[string]string{untilInterrupted: "true"},

		Use:   "demo",
		Short: "Run everything here: a fleet of real control planes, a sample platform, the daemon",
		Long: `Run everything here: start a local fleet of real Kubernetes control planes, put the sample platform into Git
repositories, run the daemon, and show how every request becomes healthy on every cluster. Then it tells a story: a
version is published, goes to staging by itself and to prod once a file approves it, wave by wave; a bad one is rolled
back where it fails, and so is one that is ready and answers 500. Then it says what to try, prints what happens, and goes on until Ctrl-C. Nothing is left behind,
unless --dir says where to keep it.

With --check nobody has to watch: beside the story, which is read off the API servers, it looks at everything on every
cluster, explains a live object, verifies every environment's state, deletes an object by hand, prints what it saw with
times, and exits with 0 or 1.`,
		Example: `  transom demo
  transom demo --check
  transom demo --dir /tmp/demo --listen 127.0.0.1:8080`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := d.Run(cmd.Context(), cmd.OutOrStdout())
			if cmd.Context().Err() != nil && !d.Check {
				return nil // Ctrl-C is how it ends
			}
			return interruption(cmd.Context(), cmd, err)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&d.Check, "check", false, "check everything unattended and end")
	f.StringVar(&d.Dir, "dir", "", "keep everything in this directory, which must be empty or new; left out, a temporary one")
	f.StringVar(&d.Example, "example", "", "the platform to run; left out, examples/acme")
	f.StringVar(&d.Sandbox, "sandbox", "", "the sandbox binary; left out, the one beside this binary")
	f.StringVar(&d.Listen, "listen", "", "address of the console; left out, "+client.DefaultListen+", or, where that is taken, any free one")
	f.DurationVar(&d.Timeout, "timeout", 5*time.Minute, "how long --check waits for any one thing")
	return cmd
}
