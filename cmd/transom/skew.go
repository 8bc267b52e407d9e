package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/Masterminds/semver/v3"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/tree"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/status"
)

// skew is how the versions of an offering lie over the fleet.
type skew struct {
	Offering string    `json:"offering"`
	Rows     []skewRow `json:"rows"`
}

// skewRow is one version on one cluster.
type skewRow struct {
	Environment string   `json:"environment"`
	Cluster     string   `json:"cluster,omitempty"` // empty: nowhere yet
	Version     string   `json:"version"`
	Desired     int      `json:"desired"`           // instances that the state asks for
	Applied     int      `json:"applied"`           // of these, that the cluster has taken
	Healthy     int      `json:"healthy"`           // of these
	Waiting     int      `json:"waiting,omitempty"` // instances that would take it if their gates were open
	Gates       []string `json:"gates,omitempty"`   // those gates
}

// skew prints which versions of an offering are wanted, applied and healthy, by environment and cluster.
func (o *statusOptions) skew(ctx context.Context, w io.Writer) error {
	s, err := o.client.Status(ctx, client.Selection{Environment: o.environment, Objects: "none"})
	if err != nil {
		return err
	}
	if err := o.known(ctx, s, "", ""); err != nil {
		return err
	}
	found := skewOf(s, o.offering)
	if len(found.Rows) == 0 {
		if unread := tree.Unread(s); unread != "" {
			return fmt.Errorf("no request of offering %s known yet: %s", o.offering, unread)
		}
		var there []string
		for _, in := range s.Instances {
			there = append(there, in.Offering)
		}
		slices.Sort(there)
		there = slices.DeleteFunc(slices.Compact(there), func(name string) bool { return name == "" })
		return workspace.Unknown("requested offering", o.offering, there)
	}
	return o.output.print(w, found, func(w io.Writer) { found.text(w, terminal.PaintFor(w)) })
}

func skewOf(s status.Status, offering string) *skew {
	type place struct{ environment, cluster, version string }
	rows := map[place]*skewRow{}
	at := func(environment, cluster, version string) *skewRow {
		k := place{environment, cluster, version}
		if rows[k] == nil {
			rows[k] = &skewRow{Environment: environment, Cluster: cluster, Version: version}
		}
		return rows[k]
	}
	for _, in := range s.Instances {
		if in.Offering != offering {
			continue
		}
		for _, p := range in.Placements {
			at(in.Environment, p.Cluster, cmp.Or(p.Version, in.Version)).count(p)
		}
		if c := in.Candidate; c != nil && !c.Absent && c.Version != in.Version && len(in.Waiting) > 0 {
			at(in.Environment, "", c.Version).wait(in.Waiting)
		}
	}
	found := &skew{Offering: offering}
	for _, row := range rows {
		found.Rows = append(found.Rows, *row)
	}
	order := map[string]int{}
	for i, e := range s.Environments {
		order[e.Name] = i
	}
	slices.SortFunc(found.Rows, func(x, y skewRow) int {
		return cmp.Or(cmp.Compare(order[x.Environment], order[y.Environment]), strings.Compare(x.Environment, y.Environment),
			orderLast(x.Cluster, y.Cluster), compareVersions(x.Version, y.Version))
	})
	return found
}

func (r *skewRow) count(p status.Placement) {
	if p.Revision == "" {
		return // being removed
	}
	r.Desired++
	if p.Stage == status.Applied || p.Stage == status.Healthy {
		r.Applied++
	}
	if p.Stage == status.Healthy && p.Health == "Healthy" {
		r.Healthy++
	}
}

func (r *skewRow) wait(gates []status.Gate) {
	r.Waiting++
	for _, g := range gates {
		if !slices.Contains(r.Gates, g.Name) {
			r.Gates = append(r.Gates, g.Name)
		}
	}
	slices.Sort(r.Gates)
}

// orderLast compares names, with none behind all.
func orderLast(x, y string) int {
	if (x == "") != (y == "") {
		return len(y) - len(x)
	}
	return strings.Compare(x, y)
}

func compareVersions(x, y string) int {
	a, errA := semver.NewVersion(x)
	b, errB := semver.NewVersion(y)
	if errA != nil || errB != nil {
		return strings.Compare(x, y)
	}
	return a.Compare(b)
}

func (s *skew) text(w io.Writer, p terminal.Paint) {
	fmt.Fprintln(w, p.Bold(s.Offering))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tCLUSTER\tVERSION\tDESIRED\tAPPLIED\tHEALTHY\tWAITING")
	for _, r := range s.Rows {
		if r.Cluster == "" {
			fmt.Fprintf(table, "%s\t-\t%s\t\t\t\t%d for %s\n", r.Environment, r.Version, r.Waiting, strings.Join(r.Gates, ", "))
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t\n", r.Environment, r.Cluster, r.Version, r.Desired, r.Applied, r.Healthy)
	}
	_ = table.Flush() // w is the terminal or a pipe; nobody needs to know of lost output
}
