package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// statusOptions are the flags of status.
type statusOptions struct {
	client      client.Client
	output      output
	environment string
	commit      string
	wait        bool
	watch       bool
	timeout     time.Duration
	verbose     bool
	offering    string
}

func newStatus() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [TEAM[/REQUEST]]",
		Short: "Show where every request stands, on which cluster, and why",
		Long: `Show where every request stands: environment, cluster, object, state and why.

What is healthy takes one line; anything else is opened down to the object that is the reason. Of more than forty
requests those that are at rest are counted. The last line counts what runs, and the requests that have a Problem or wait. Naming a request, or --verbose, opens everything: its path through the
environments in promotion order, with the gates that it waits for, how far its rollout is, what failed, and the
decisions that bind it; of objects that are well it gives the number, and --verbose lists them. --offering shows version skew instead. Whatever it shows, it exits with 0: it was asked, and answered.

With --wait the command follows one environment until --commit, or whatever is merged now, is live and healthy there; it
exits with 1 if a person has to mend something, or at the timeout. With --watch it shows the same as without it again and
again: redrawn on a terminal, elsewhere once for each change.`,
		Example: `  transom status
  transom status payments
  transom status payments/orders-db --environment prod
  transom status --offering postgres
  transom status payments --watch
  transom status -o json | jq '.instances[].placements[] | select(.health != "Healthy")'

  # In a pipeline, after the merge
  transom status payments/orders-db --commit "$(git rev-parse HEAD)" --environment dev --wait --timeout 5m`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			team, request, err := parseTeam(args)
			if err != nil {
				return err
			}
			if err := o.check(args); err != nil {
				return err
			}
			if o.offering != "" {
				return o.showSkew(cmd.Context(), cmd.OutOrStdout())
			}
			if o.wait {
				return o.follow(cmd, team, request)
			}
			if o.watch {
				return o.watchStatus(cmd.Context(), cmd.OutOrStdout(), team, request)
			}
			return o.show(cmd.Context(), cmd.OutOrStdout(), team, request)
		},
	}
	serverFlag(cmd, &o.client)
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "only this environment")
	f.StringVar(&o.commit, "commit", "", "the platform commit to wait for; abbreviations are not known")
	f.BoolVar(&o.wait, "wait", false, "wait until it is live and healthy in --environment")
	f.BoolVarP(&o.watch, "watch", "w", false, "show it again whenever it changes, until Ctrl-C")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait")
	f.StringVar(&o.offering, "offering", "", "instead, which versions of this offering run where: desired, applied, healthy")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "open what is healthy too")
	return cmd
}

// check refuses flags that do not go together.
func (o *statusOptions) check(args []string) error {
	isOther := o.wait || o.offering != ""
	narrowed := o.wait || len(args) > 0
	switch {
	case o.watch && isOther:
		return misuse("--watch goes with neither --wait, which follows one commit, nor --offering")
	case o.offering != "" && narrowed:
		return misuse("--offering looks at a whole fleet: it goes with --environment and -o only")
	case o.wait && o.environment == "":
		return misuse("--wait needs --environment: say where it shall be healthy")
	case o.commit != "" && !o.wait:
		return misuse("--commit goes with --wait: say that you want to wait for it")
	case o.timeout <= 0:
		return misuse("--timeout %s: it is a time to wait, such as 5m", o.timeout)
	}
	return nil
}

// parseTeam reads the argument TEAM[/REQUEST].
func parseTeam(args []string) (team, request string, err error) {
	if len(args) == 0 {
		return "", "", nil
	}
	if key, err := platform.ParseRequestKey(args[0]); err == nil {
		return key.Team, key.Name, nil
	}
	if args[0] == "" || strings.Contains(args[0], "/") {
		return "", "", misuse("%q is not of the form TEAM or TEAM/REQUEST", args[0])
	}
	return args[0], "", nil
}

// show prints the status once.
func (o *statusOptions) show(ctx context.Context, w io.Writer, team, request string) error {
	s, err := o.ask(ctx, team, request)
	if err != nil {
		return err
	}
	return o.output.print(w, s, o.text(w, s, team, request))
}

// ask asks the daemon for as much of the status as is printed.
func (o *statusOptions) ask(ctx context.Context, team, request string) (status.Status, error) {
	about := client.Selection{Team: team, Request: request, Environment: o.environment}
	if !o.opens(request) && o.output.String() == "text" {
		about.Objects = "unhealthy" // no other is printed, and there may be a million
	}
	s, err := o.client.Status(ctx, about)
	if err != nil {
		return s, err
	}
	return s, unknown(ctx, o.client, s, about)
}

// opens reports whether healthy instances are shown with their objects.
func (o *statusOptions) opens(request string) bool { return o.verbose || request != "" }

// text returns a function that prints a status for people, with colours if seen is a terminal.
func (o *statusOptions) text(seen io.Writer, s status.Status, team, request string) func(io.Writer) {
	return func(w io.Writer) {
		t := tree.Printer{W: w, Paint: terminal.PaintFor(seen), Open: o.opens(request), All: o.verbose, Now: time.Now()}
		t.Status(s, team != "" || o.environment != "")
	}
}
