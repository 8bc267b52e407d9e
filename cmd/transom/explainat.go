package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/audit"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

// showPast prints the placements that were to run at a time, by the state to which its clusters were brought then.
func (o *explainOptions) showPast(cmd *cobra.Command, args []string) error {
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return misuse("--at %s: it is a time such as 2026-11-22T10:00:00Z", o.at)
	}
	if o.environment == "" || len(args) > 1 {
		return misuse("--at takes --environment, and at most TEAM/REQUEST")
	}
	var only *platform.RequestKey
	if len(args) == 1 {
		key, err := platform.ParseRequestKey(args[0])
		if err != nil {
			return usageError{err}
		}
		only = &key
	}
	state, err := o.records.open(cmd.Context(), o.environment)
	if err != nil {
		return err
	}
	found, err := audit.At(cmd.Context(), state, o.environment, at)
	if err != nil {
		return err
	}
	found.Placements = slices.DeleteFunc(found.Placements, func(r audit.RanOn) bool {
		otherCluster := o.cluster != "" && r.Cluster != o.cluster
		otherRequest := only != nil && r.Request != *only
		return otherCluster || otherRequest
	})
	return o.output.print(cmd.OutOrStdout(), found, func(w io.Writer) { ranText(w, found) })
}

// ranText prints the placements that were to run at a time.
func ranText(w io.Writer, r *audit.Then) {
	fmt.Fprintf(w, "%s at %s: state %s, committed %s, of platform commit %s\n", r.Environment, r.At.Local().Format(time.DateTime),
		terminal.Short(r.State), r.Committed.Local().Format(time.DateTime), terminal.Short(r.Platform))
	if len(r.Placements) == 0 {
		fmt.Fprintln(w, "nothing was to run there")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLUSTER\tREQUEST\tVERSION\tRELEASE\tREVISION\tPLATFORM")
	for _, p := range r.Placements {
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\t%s\n", p.Cluster, p.Request, p.Offering, p.Version, terminal.Short(p.Release), terminal.Short(p.Revision), terminal.Short(p.Commit))
	}
	_ = table.Flush() // w is the terminal or a pipe; nobody needs to know of lost output
}
