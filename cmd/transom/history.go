package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// historyOptions are the flags of history.
type historyOptions struct {
	output      output
	records     records
	environment string
	limit       int
}

func newHistory() *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history TEAM/REQUEST --environment ENVIRONMENT",
		Short: "Show what a request has run in an environment, and why",
		Long: `Show what a request has run in an environment: when, which release, why, what gates it passed with which figures and
decisions, and who asked for it. It is read from the log of the request's Release file in the state repository, which
is the audit trail; no daemon is needed.`,
		Example: `  transom history payments/orders-db --environment prod
  transom history payments/orders-db -e prod --limit 0 -o json | jq '.[] | select(.cause == "rollback")'
  transom history payments/orders-db -e prod --state https://git.example.com/acme/state-prod.git`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := platform.ParseRequestKey(args[0])
			if err != nil {
				return usageError{err}
			}
			if o.environment == "" {
				return misuse("history needs --environment: say where it ran")
			}
			entries, err := o.read(cmd.Context(), key)
			if err != nil {
				return err
			}
			return o.output.print(cmd.OutOrStdout(), entries, func(w io.Writer) { historyText(w, terminal.PaintFor(w), entries) })
		},
	}
	o.output.flag(cmd)
	o.records.flag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.environment, "environment", "e", "", "the environment (required)")
	f.IntVar(&o.limit, "limit", 20, "how many commits to show, the newest; 0 is all")
	return cmd
}

// read reads the releases that a request has run, and when they were merged where the platform repository is at hand.
func (o *historyOptions) read(ctx context.Context, key platform.RequestKey) ([]*audit.Entry, error) {
	state, err := o.records.open(ctx, o.environment)
	if err != nil {
		return nil, err
	}
	entries, err := audit.History(ctx, state, o.environment, key, o.limit)
	if err != nil {
		return nil, err
	}
	if source, err := o.records.platformPast(ctx); err == nil {
		audit.Merged(ctx, source, entries)
	}
	return entries, nil
}

// historyText prints the history, the newest commit first.
func historyText(w io.Writer, p terminal.Paint, entries []*audit.Entry) {
	for _, e := range entries {
		fmt.Fprintf(w, "%s  %s", p.Faint(e.When.Local().Format(time.DateTime)), p.Bold(e.Events[0]))
		fromMerge := !slices.Contains([]state.Cause{"", state.CauseRollback, state.CausePin}, e.Cause) // and not from something that was merged long before
		if fromMerge && !e.Healthy.IsZero() && !e.Merged.IsZero() {
			fmt.Fprintf(w, "%s", p.Faint("  healthy "+e.Healthy.Sub(e.Merged).Round(time.Second).String()+" after its merge"))
		}
		fmt.Fprintln(w)
		for _, d := range e.Changes {
			fmt.Fprintf(w, "%21s%s\n", "", d)
		}
		for _, event := range e.Events[1:] {
			fmt.Fprintf(w, "%21s%s\n", "", event)
		}
		for _, g := range e.Gates {
			fmt.Fprintf(w, "%21spassed %s\n", "", tree.PassedGate(g))
		}
		trail := "state " + p.Yellow(terminal.Short(e.State))
		if e.Platform != "" {
			trail += ", platform " + p.Yellow(terminal.Short(cmp.Or(e.Changed, e.Platform)))
		}
		if e.Author != "" {
			trail += ", " + e.Author
		}
		fmt.Fprintf(w, "%21s%s\n", "", trail)
	}
}
