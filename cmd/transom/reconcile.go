package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/reconciler/web"
)

func newReconcile() *cobra.Command {
	var c client.Client
	var o output
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Have the daemon look at its repositories now",
		Long: `Have the daemon ask every Git server at once whether its branch moved, and make a pass over every environment: also over
one whose last pass failed and that would be tried again later.

The daemon finds by itself what is pushed: at once where a web hook tells it, else within some ten seconds (transom serve
--platform-interval). Nothing is changed that would not be changed then, too. Exits with 1 where a repository cannot be asked.`,
		Example: `  transom reconcile
  transom reconcile -o json | jq '.[] | select(.moved)'

  # After the token of a Git server was renewed
  transom reconcile && transom status`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			looked, err := c.Reconcile(cmd.Context())
			if err != nil {
				return err
			}
			if err := o.print(cmd.OutOrStdout(), looked, func(w io.Writer) { printLooked(w, looked) }); err != nil {
				return err
			}
			for _, l := range looked {
				if l.Error != "" {
					return unwell
				}
			}
			return nil
		},
	}
	serverFlag(cmd, &c)
	o.flag(cmd)
	return cmd
}

// printLooked prints a line for each repository, and a summary.
func printLooked(w io.Writer, looked []web.Looked) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range looked {
		result := "as before"
		if l.Moved {
			result = "moved"
		}
		if l.Error != "" {
			result = "not asked: " + l.Error
		}
		whose := l.Environment
		if whose == "" {
			whose = "(platform)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", whose, l.Repository, result)
	}
	_ = table.Flush()
	fmt.Fprintln(w, "a pass is made over every environment now")
}
