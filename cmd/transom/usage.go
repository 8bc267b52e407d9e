package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/usage"
	"transom.dev/cmd/transom/internal/workspace"
)

func newUsage() *cobra.Command {
	var o struct {
		output output
		in     platformDir
		from   states.From
	}
	cmd := &cobra.Command{
		Use:   "usage OFFERING",
		Short: "Show who runs which version, and what keeps a version from being retired",
		Long: `Show which team's request runs which version of an offering in which environment, and, for each version, what keeps
it from being retired: requests that no other version would satisfy, and environments that run it still.

The platform's work tree says what each request resolves to. ` + statesHelp + `
Where nobody looked, the output says so, and no version counts as removable.`,
		Example: `  transom usage postgres
  transom usage postgres --state ./state
  transom usage web -o json | jq -r '.versions[] | select(.removable) | .version'`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			offering, err := workspace.OfferingNamed(p, args[0])
			if err != nil {
				return err
			}
			running, err := o.from.Read(cmd.Context(), o.in.dir, p)
			if err != nil {
				return err
			}
			result := usage.Of(p, offering, running, time.Now())
			w := cmd.OutOrStdout()
			return o.output.print(w, result, func(w io.Writer) { result.Text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.ValidArgsFunction = completeOfferings(&o.in)
	return cmd
}
