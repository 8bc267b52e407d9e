package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version, and what it renders with and writes",
		Long: `Show the version of this binary and the commit that it was built from, the Kustomize that it renders with, the renderer
that it names in Release files, and the format of state repositories that it writes: a newer one is refused.`,
		Example: `  transom version
  transom version -o json | jq -r .format`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			return o.print(cmd.OutOrStdout(), b, func(w io.Writer) {
				commit := ""
				if b.Commit != "" {
					commit = ", commit " + b.Commit
				}
				if b.Modified {
					commit += " with changes"
				}
				fmt.Fprintf(w, "transom %s%s\nkustomize %s, renderer %q, state format %d, %s\n",
					b.Version, commit, b.Kustomize, b.Renderer, b.Format, b.Go)
			})
		},
	}
	o.flag(cmd)
	return cmd
}
