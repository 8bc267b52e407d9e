package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/diff"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render/platform"
)

// diffOptions are the flags of diff.
type diffOptions struct {
	output  output
	in      platformDir
	verbose bool
	from    states.From
	live    bool
	daemon  client.Client
	about   client.Selection
}

func newDiff() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff OFFERING@VERSION OFFERING@VERSION | TEAM/REQUEST --live",
		Short: "Show what one version changes against another, or how a cluster differs from what is committed",
		Long: `Show what the second version changes against the first: parameters, computed values, components, bindings and outputs,
the version's files, and what its objects become for every request that runs the first version now, or that resolves to it.
Where none does, an example of a request shows it.

` + statesHelp + `

"transom plan" shows what merging a new version does instead.

With --live, show how the objects of a request on a cluster differ from what is committed, by way of the daemon: the fields that the
manifests set, and those that somebody set beside them, with who did and when. It is for developers of the team and operators.`,
		Example: `  transom diff postgres@1.4.2 postgres@1.5.0
  transom diff web@1.0.0 web@1.1.0 -C ./platform -o json | jq '.contract'
  transom diff payments/shop --live -e prod --cluster prod-eu-1`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.live && len(args) != 1:
				return misuse("--live takes one TEAM/REQUEST")
			case o.live:
				return o.showLive(cmd, args[0])
			case len(args) != 2:
				return misuse("diff takes two OFFERING@VERSION, or TEAM/REQUEST with --live")
			}
			return o.showVersions(cmd, args[0], args[1])
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	placementFlags(cmd, &o.daemon, &o.about)
	cmd.Flag("environment").Usage = "with --live: the environment"
	cmd.Flag("cluster").Usage = "with --live: the cluster, where the request is on several"
	cmd.Flags().BoolVar(&o.live, "live", false, "compare a request's objects on a cluster with what is committed")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full, and every request")
	return cmd
}

// showLive shows how the objects of a request differ from what is committed.
func (o *diffOptions) showLive(cmd *cobra.Command, request string) error {
	if err := readPlacement(&o.about, request); err != nil {
		return err
	}
	found, err := readLiveDiff(cmd.Context(), o.daemon, o.about)
	if err != nil {
		return err
	}
	return o.output.print(cmd.OutOrStdout(), found, func(w io.Writer) { found.text(w, terminal.PaintFor(w)) })
}

// showVersions shows what one version changes against another.
func (o *diffOptions) showVersions(cmd *cobra.Command, first, second string) error {
	p, err := o.in.load()
	if err != nil {
		return err
	}
	running, err := o.from.Read(cmd.Context(), o.in.dir, p)
	if err != nil {
		return err
	}
	offering, from, err := versionOf(p, first)
	if err != nil {
		return err
	}
	other, to, err := versionOf(p, second)
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
	return o.output.print(cmd.OutOrStdout(), result, func(w io.Writer) { result.Text(w, terminal.PaintFor(w), o.verbose) })
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
