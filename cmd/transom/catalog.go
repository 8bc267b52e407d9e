package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/usage"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// catalogOptions are the flags of catalog.
type catalogOptions struct {
	output  output
	in      platformDir
	from    states.From
	version string
}

func newCatalog() *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "catalog [OFFERING]",
		Short: "Show what can be requested, and how",
		Long: `Show what can be requested: every offering with its versions, its owner and who may request it; or all about one
offering: its versions and their lifecycle, parameters, outputs, what changed since the version before, an example request, and who
uses it.

` + statesHelp + ` Who uses an
offering is who runs it there. Where nobody looked, the output says so, and shows the versions that requests resolve to.`,
		Example: `  transom catalog
  transom catalog postgres
  transom catalog postgres --version 1.4.2
  transom catalog postgres --state ./state
  transom catalog -C ./platform -o json | jq -r '.[].name'
  transom catalog policies`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if len(args) == 0 && (o.from != states.From{}) {
				return misuse("--state and --offline go with OFFERING: they say where to look for who uses it")
			}
			if len(args) == 0 {
				all := catalog.Offerings(p, time.Now())
				return o.output.print(w, all, func(w io.Writer) { catalog.Table(w, all) })
			}
			return o.show(cmd, p, args[0])
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.Flags().StringVar(&o.version, "version", "", "show this version instead of the one that is recommended")
	cmd.ValidArgsFunction = completeOfferings(&o.in)
	cmd.AddCommand(newCatalogPolicies())
	return cmd
}

// show shows the page of an offering.
func (o *catalogOptions) show(cmd *cobra.Command, p *platform.Platform, name string) error {
	offering, err := workspace.OfferingNamed(p, name)
	if err != nil {
		return err
	}
	version, err := workspace.VersionNamed(offering, o.version)
	if err != nil {
		return err
	}
	running, err := o.from.Read(cmd.Context(), o.in.dir, p)
	if err != nil {
		return err
	}
	page, err := catalog.Describe(p, offering, version, usage.Running(p, offering, running), running, time.Now())
	if err != nil {
		return err
	}
	return o.output.print(cmd.OutOrStdout(), page, func(w io.Writer) { page.Text(w, terminal.PaintFor(w)) })
}
