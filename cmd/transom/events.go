package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/reconciler/web/api"
)

func newEvents() *cobra.Command {
	var c client.Client
	var o output
	var about client.Selection
	cmd := &cobra.Command{
		Use:   "events TEAM/REQUEST --environment ENV",
		Short: "Show the Kubernetes Events about a request's objects",
		Long: `Show the Events that a cluster has about the objects of a request, their ReplicaSets and pods, the latest first, by way of the
daemon. They are shown where the environment's file says spec.logs: true, to developers of the team and to operators.`,
		Example: `  transom events payments/shop -e dev
  transom events payments/shop -e prod --cluster eu-1 -o json | jq '.[] | select(.type == "Warning")'`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := readPlacement(&about, args[0]); err != nil {
				return err
			}
			all, err := c.Happenings(cmd.Context(), about)
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), all, func(w io.Writer) { printHappenings(w, all) })
		},
	}
	placementFlags(cmd, &c, &about)
	o.flag(cmd)
	return cmd
}

// printHappenings prints a line for each Event, whose message may be the output of a program in many lines.
func printHappenings(w io.Writer, all []api.Happening) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no events: a cluster keeps them for an hour")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, h := range all {
		times := ""
		if h.Count > 1 {
			times = fmt.Sprintf(" (%d times)", h.Count)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s%s\n", h.At.UTC().Format(time.DateTime), h.Type, h.Reason, h.Object, strings.Join(strings.Fields(h.Message), " "), times)
	}
	_ = table.Flush() // fails where w does, and then nobody reads
}
