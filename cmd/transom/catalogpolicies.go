package main

import (
	"io"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/terminal"
)

func newCatalogPolicies() *cobra.Command {
	var o struct {
		output output
		in     platformDir
	}
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "Show the rules that everything rendered must keep",
		Long: `Show the rules that everything rendered must keep: the platform's own Policy files, and those that are built in.
What violates a rule whose action is deny is a Problem of that request; warn only shows.`,
		Example: `  transom catalog policies
  transom catalog policies -C ./platform -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			all := catalog.RulesOf(p)
			w := cmd.OutOrStdout()
			return o.output.print(w, all, func(w io.Writer) { all.Text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	return cmd
}
