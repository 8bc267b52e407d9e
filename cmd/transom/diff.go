package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/diff"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

func newDiff() *cobra.Command {
	var o struct {
		output  output
		in      platformDir
		verbose bool
		from    states.From
	}
	cmd := &cobra.Command{
		Use:   "diff OFFERING@VERSION OFFERING@VERSION",
		Short: "Show what one version of an offering changes against another",
		Long: `Show what the second version changes against the first: parameters, computed values, components, bindings and outputs,
the version's files, and what its objects become for every request that runs the first version now, or that resolves to it.
Where none does, an example of a request shows it.

` + statesHelp + `

"transom plan" shows what merging a new version does instead.`,
		Example: `  transom diff postgres@1.4.2 postgres@1.5.0
  transom diff web@1.0.0 web@1.1.0 -C ./platform -o json | jq '.contract'`,
		Args: takes(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			running, err := o.from.Read(cmd.Context(), o.in.dir, p)
			if err != nil {
				return err
			}
			offering, from, err := versionOf(p, args[0])
			if err != nil {
				return err
			}
			other, to, err := versionOf(p, args[1])
			if err != nil {
				return err
			}
			if offering != other {
				return misuse("%s and %s are versions of different offerings", from, to)
			}
			result, err := diff.Versions(p, o.in.dir, running, offering, from, to)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return o.output.print(w, result, func(w io.Writer) { result.Text(w, terminal.PaintFor(w), o.verbose) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full, and every request")
	return cmd
}

// versionOf finds OFFERING@VERSION.
func versionOf(p *platform.Platform, name string) (*platform.Offering, *platform.Version, error) {
	offering, number, ok := strings.Cut(name, "@")
	if !ok || number == "" {
		return nil, nil, misuse("%q is not of the form OFFERING@VERSION", name)
	}
	o, err := workspace.OfferingNamed(p, offering)
	if err != nil {
		return nil, nil, err
	}
	v, err := workspace.VersionNamed(o, number)
	if err == nil && v.Broken {
		err = fmt.Errorf("%s has a Problem; \"transom check\" says which", v)
	}
	return o, v, err
}
