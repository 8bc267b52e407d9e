package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/platform"
)

func newCatalog() *cobra.Command {
	var o struct {
		output  output
		in      platformDir
		version string
	}
	cmd := &cobra.Command{
		Use:   "catalog [OFFERING]",
		Short: "Show what can be requested, and how",
		Long: `Show what can be requested: every offering with its versions, its owner and who may request it; or all about one
offering: its versions and their lifecycle, parameters, outputs, an example request, and who uses it.`,
		Example: `  transom catalog
  transom catalog postgres
  transom catalog postgres --version 1.4.2
  transom catalog -C ./platform -o json | jq -r '.[].name'
  transom catalog policies`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.in.load()
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if len(args) == 0 {
				all := offeringsOf(p)
				return o.output.print(w, all, func(w io.Writer) { offeringTable(w, all) })
			}
			one, err := describeOffering(p, args[0], o.version)
			if err != nil {
				return err
			}
			return o.output.print(w, one, func(w io.Writer) { one.text(w, terminal.PaintFor(w)) })
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	cmd.Flags().StringVar(&o.version, "version", "", "show this version instead of the one that is recommended")
	cmd.ValidArgsFunction = completeOfferings(&o.in)
	cmd.AddCommand(newCatalogPolicies())
	return cmd
}

// offeringEntry is a line of the catalogue.
type offeringEntry struct {
	Name     string         `json:"name"`
	Title    string         `json:"title,omitempty"`
	Owner    string         `json:"owner,omitempty"`
	Teams    []string       `json:"teams"` // empty: every team
	Versions []versionEntry `json:"versions"`
}

// versionEntry is a published version.
type versionEntry struct {
	Version     string `json:"version"`
	Lifecycle   string `json:"lifecycle"`
	Reason      string `json:"reason,omitempty"`
	RemoveAfter string `json:"removeAfter,omitempty"`
	Problem     bool   `json:"problem,omitempty"` // it cannot be used; check says why
}

func offeringsOf(p *platform.Platform) []offeringEntry {
	all := []offeringEntry{}
	for _, name := range slices.Sorted(maps.Keys(p.Offerings)) {
		all = append(all, entryOf(p.Offerings[name]))
	}
	return all
}

func entryOf(o *platform.Offering) offeringEntry {
	e := offeringEntry{Name: o.Name, Title: o.Title, Owner: o.Owner, Teams: append([]string{}, o.Teams...), Versions: []versionEntry{}}
	for _, v := range slices.Backward(o.Versions) {
		e.Versions = append(e.Versions, versionEntry{
			Version: v.Number.String(), Lifecycle: string(v.Lifecycle), Reason: v.Reason, RemoveAfter: v.RemoveAfter, Problem: v.Broken,
		})
	}
	return e
}

// offeringTable prints the catalogue, a line per offering.
func offeringTable(w io.Writer, all []offeringEntry) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no offerings: \"transom new offering NAME\" starts one")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "OFFERING\tTITLE\tVERSIONS\tFOR\tOWNER")
	for _, e := range all {
		var versions []string
		for _, v := range e.Versions {
			versions = append(versions, v.brief())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Title, orDash(strings.Join(versions, ", ")), e.audience(), orDash(e.Owner))
	}
	_ = t.Flush() // fails where w does, and then nobody reads
	fmt.Fprintln(w, "\n\"transom catalog OFFERING\" shows its parameters and an example.")
}

// brief is a version with its lifecycle where that is anything but active.
func (v versionEntry) brief() string {
	switch {
	case v.Problem:
		return v.Version + " (has a Problem)"
	case v.Lifecycle != string(platform.Active):
		return v.Version + " (" + v.Lifecycle + ")"
	}
	return v.Version
}

func (e offeringEntry) audience() string {
	if len(e.Teams) == 0 {
		return "every team"
	}
	return strings.Join(e.Teams, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
