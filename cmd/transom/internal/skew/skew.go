// Package skew says how the versions of an offering lie over the fleet.
//
// In comes a status from the daemon; out comes a Skew, which prints as text or as JSON. It asks nobody.
package skew

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/wording"
)

// A Skew lists the versions of an offering by environment and cluster.
type Skew struct {
	Offering string `json:"offering"`
	Rows     []Row  `json:"rows"`
}

// A Row is one version on one cluster.
type Row struct {
	Environment string      `json:"environment"`
	Cluster     string      `json:"cluster,omitempty"` // empty: nowhere yet
	Version     string      `json:"version"`
	Desired     int         `json:"desired"`           // instances that the state asks for
	Applied     int         `json:"applied"`           // of these, that the cluster has taken
	Healthy     int         `json:"healthy"`           // of these
	Waiting     int         `json:"waiting,omitempty"` // instances that would take it if their gates were open
	Gates       []gate.Name `json:"gates,omitempty"`   // those gates
}

// Of counts the instances of an offering by environment, cluster and version: environments in the order of the status, in
// each the clusters by name, and behind them the versions that wait at its gates.
func Of(s status.Status, offering string) *Skew {
	type position struct{ environment, cluster, version string }
	rows := map[position]*Row{}
	at := func(environment, cluster, version string) *Row {
		k := position{environment, cluster, version}
		if rows[k] == nil {
			rows[k] = &Row{Environment: environment, Cluster: cluster, Version: version}
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
	found := &Skew{Offering: offering}
	for _, row := range rows {
		found.Rows = append(found.Rows, *row)
	}
	order := map[string]int{}
	for i, e := range s.Environments {
		order[e.Name] = i
	}
	slices.SortFunc(found.Rows, func(x, y Row) int {
		return cmp.Or(cmp.Compare(order[x.Environment], order[y.Environment]), strings.Compare(x.Environment, y.Environment),
			orderLast(x.Cluster, y.Cluster), status.CompareVersions(x.Version, y.Version))
	})
	return found
}

func (r *Row) count(p status.Placement) {
	if p.Revision == "" {
		return // being removed
	}
	r.Desired++
	if p.Stage == status.Applied || p.Stage == status.Healthy {
		r.Applied++
	}
	if p.IsHealthy() {
		r.Healthy++
	}
}

func (r *Row) wait(gates []status.Gate) {
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

// Text prints a line for each version on each cluster, for people.
func (s *Skew) Text(w io.Writer, p terminal.Paint) {
	fmt.Fprintln(w, p.Bold(s.Offering))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENVIRONMENT\tCLUSTER\tVERSION\tDESIRED\tAPPLIED\tHEALTHY\tWAITING")
	for _, r := range s.Rows {
		if r.Cluster == "" {
			fmt.Fprintf(table, "%s\t-\t%s\t\t\t\t%d for %s\n", r.Environment, r.Version, r.Waiting, strings.Join(wording.Strings(r.Gates), ", "))
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t\n", r.Environment, r.Cluster, r.Version, r.Desired, r.Applied, r.Healthy)
	}
	_ = table.Flush() // w is the terminal or a pipe; nobody needs to know of lost output
}
