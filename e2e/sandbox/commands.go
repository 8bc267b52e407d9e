package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func stopCommand() *cobra.Command {
	return changeCommand("stop", "Take a cluster away: its API server no longer answers")
}

func startCommand() *cobra.Command {
	return changeCommand("start", "Bring a stopped cluster back on the same port and wait until it is ready")
}

func changeCommand(verb, short string) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     verb + " CLUSTER --dir D",
		Short:   short,
		Example: "  sandbox " + verb + " prod-eu-1 --dir /tmp/sandbox",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := ask(cmd.Context(), layout(dir), http.MethodPost, "/clusters/"+args[0]+"/"+verb)
			return err
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func statusCommand() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "status --dir D",
		Short:   "Print the state of each cluster",
		Example: "  sandbox status --dir /tmp/sandbox -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := ask(cmd.Context(), layout(dir), http.MethodGet, "/clusters")
			if err != nil {
				return err
			}
			return printStatus(cmd.OutOrStdout(), body, output)
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().StringVarP(&output, "output", "o", "", `"json", or a table when absent`)
	return cmd
}

func printStatus(w io.Writer, body []byte, output string) error {
	if output == "json" {
		_, err := w.Write(body)
		return err
	}
	var all []Status
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CLUSTER\tSTATE\tSERVER\tWHY")
	for _, c := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Cluster, c.State, c.Server, c.Why)
	}
	return table.Flush()
}
