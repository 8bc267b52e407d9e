package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tidy"
)

// tidied is the result of tidy.
type tidied struct {
	Removed []tidy.Obsolete `json:"removed"`
	DryRun  bool            `json:"dryRun,omitempty"`
	Notes   []string        `json:"notes,omitempty"`
}

func newTidy() *cobra.Command {
	var o struct {
		output output
		in     platformDir
		from   states.From
		dryRun bool
	}
	cmd := &cobra.Command{
		Use:   "tidy",
		Short: "Remove the files of decisions that decide nothing any more",
		Long: `Remove, from the work tree, the files of decisions that decide nothing any more: Approvals of releases, removals, versions and
plans that the Release files of their environment record as used by all whom they concern, and Pins, Holds and Overrides whose
"until" is past. An Approval of many items goes once each of them is used. The rest stays: an Approval of an
environment whose state is not read, and one of deletions, adoptions, or of a state or platform commit.

Nothing is committed: the removal is merged like any change, and Git keeps the files. --dry-run shows what would go.

` + statesHelp,
		Example: `  transom tidy --dry-run
  transom tidy -C ./platform && git -C ./platform commit -am "decisions: tidy"
  transom tidy --state ./state --dry-run -o json`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.in.load()
			if err != nil {
				return fmt.Errorf("%w; run this in a clone of the platform repository, or name one with -C", err)
			}
			running, err := o.from.Read(cmd.Context(), o.in.dir, p)
			if err != nil {
				return err
			}
			result := tidied{Removed: tidy.Find(p, running, time.Now()), DryRun: o.dryRun}
			if unknown := running.Unknown(); unknown != "" {
				result.Notes = append(result.Notes, unknown+": their Approvals stay")
			}
			if !o.dryRun {
				for i, l := range result.Removed {
					if err := os.Remove(filepath.Join(o.in.dir, filepath.FromSlash(l.File))); err != nil {
						return fmt.Errorf("remove %s: %w; %s removed before it", l.File, err, terminal.Count(i, "file"))
					}
				}
			}
			return o.output.print(cmd.OutOrStdout(), result, result.text)
		},
	}
	o.output.flag(cmd)
	o.in.flag(cmd)
	statesFlags(cmd, &o.from)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would be removed, and remove nothing")
	return cmd
}

// text prints which files went, and why.
func (t tidied) text(w io.Writer) {
	verb := "removed"
	if t.DryRun {
		verb = "would remove"
	}
	for _, l := range t.Removed {
		fmt.Fprintf(w, "%s %s (%s): %s\n", verb, l.File, l.Kind, l.Reason)
	}
	if len(t.Removed) == 0 {
		fmt.Fprintln(w, "every decision may still decide something")
	}
	for _, note := range slices.Compact(t.Notes) {
		fmt.Fprintln(w, "note: "+note)
	}
}
