package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// ranThen is what an environment was to run at a time.
type ranThen struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	State       string    `json:"state"`     // the state commit of that time
	Committed   time.Time `json:"committed"` // when it was made
	Platform    string    `json:"platform"`  // the last accepted platform commit
	Placements  []ranOn   `json:"placements"`
}

// ranOn is one instance on one cluster.
type ranOn struct {
	Cluster  string              `json:"cluster"`
	Request  platform.RequestKey `json:"request"`
	Offering string              `json:"offering"`
	Version  string              `json:"version"`
	Release  string              `json:"release"`
	Revision string              `json:"revision"`
	Commit   string              `json:"commit,omitempty"` // the platform commit that yielded the release
}

// then prints what was to run at a time: what the state said, and its clusters were brought to.
func (o *explainOptions) then(cmd *cobra.Command, args []string) error {
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return misuse("--at %s: it is a time such as 2026-11-22T10:00:00Z", o.at)
	}
	if o.environment == "" || len(args) > 1 {
		return misuse("--at takes --environment, and at most TEAM/REQUEST")
	}
	var only *platform.RequestKey
	if len(args) == 1 {
		key, err := platform.ParseRequestKey(args[0])
		if err != nil {
			return usageError{err}
		}
		only = &key
	}
	found, err := o.ran(cmd.Context(), at)
	if err != nil {
		return err
	}
	found.Placements = slices.DeleteFunc(found.Placements, func(r ranOn) bool {
		return o.cluster != "" && r.Cluster != o.cluster || only != nil && r.Request != *only
	})
	return o.output.print(cmd.OutOrStdout(), found, found.text)
}

// ran reads the state of the environment as it was at a time.
func (o *explainOptions) ran(ctx context.Context, at time.Time) (*ranThen, error) {
	state, err := o.records.open(ctx, o.environment)
	if err != nil {
		return nil, err
	}
	log, err := state.Log(ctx, ".", everything)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(log, func(c gitrepo.CommitInfo) bool { return !c.When.After(at) && len(c.Trailer(platformTrailer)) > 0 })
	if i < 0 {
		return nil, fmt.Errorf("%s had no state at %s: its first commit is of %s", o.environment, o.at, log[len(log)-1].When.UTC().Format(time.RFC3339))
	}
	snapshot, err := state.At(ctx, log[i].Commit)
	if err != nil {
		return nil, err
	}
	base, err := render.ReadBase(snapshot)
	if err != nil {
		return nil, fmt.Errorf("state commit %s: %w", terminal.Short(log[i].Commit), err)
	}
	found := &ranThen{
		Environment: o.environment, At: at, State: log[i].Commit, Committed: log[i].When,
		Platform: base.Fleet.Platform, Placements: []ranOn{},
	}
	for _, release := range base.Releases {
		found.add(release)
	}
	slices.SortFunc(found.Placements, func(x, y ranOn) int {
		return cmp.Or(strings.Compare(x.Cluster, y.Cluster), x.Request.Compare(y.Request))
	})
	return found, nil
}

// add lists the placements of a Release file. A cluster whose wave was still to come had what its entry says.
func (r *ranThen) add(release *platform.Release) {
	for cluster, placed := range release.Clusters {
		on := ranOn{
			Cluster: cluster, Request: release.Key, Offering: release.Offering, Version: cmp.Or(placed.Version, release.Version),
			Release: cmp.Or(placed.Release, release.Digest), Revision: placed.Revision,
		}
		if placed.Release == "" {
			on.Commit = release.Commit
		}
		r.Placements = append(r.Placements, on)
	}
}

func (r *ranThen) text(w io.Writer) {
	fmt.Fprintf(w, "%s at %s: state %s, committed %s, of platform commit %s\n", r.Environment, r.At.Local().Format(time.DateTime),
		terminal.Short(r.State), r.Committed.Local().Format(time.DateTime), terminal.Short(r.Platform))
	if len(r.Placements) == 0 {
		fmt.Fprintln(w, "nothing was to run there")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLUSTER\tREQUEST\tVERSION\tRELEASE\tREVISION\tPLATFORM")
	for _, p := range r.Placements {
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\t%s\n", p.Cluster, p.Request, p.Offering, p.Version, terminal.Short(p.Release), terminal.Short(p.Revision), terminal.Short(p.Commit))
	}
	_ = table.Flush() // w is the terminal or a pipe; what is lost of it is nobody's concern
}
