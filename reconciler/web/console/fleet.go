package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/state"
)

const (
	pageRows = 100 // requests on one page
	// mostColumns is how many clusters of an environment have a column each. Of more, the environment has one column, which counts.
	mostColumns = 6
)

// A filter narrows the fleet. Its empty value selects all.
type filter struct {
	Words                                string
	Team, Offering, Environment, Cluster string
	Version                              string // that runs
	States                               []string
	Page                                 int
}

func filterOf(q url.Values) filter {
	page, _ := strconv.Atoi(q.Get("page")) // anything else is the first one
	return filter{
		Words: q.Get("q"), Team: q.Get("team"), Offering: q.Get("offering"), Environment: q.Get("environment"), Cluster: q.Get("cluster"),
		Version: q.Get("version"), States: q["state"], Page: max(page, 1),
	}
}

// link is the address of the fleet under a filter.
func (f filter) link() string {
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Words, "team": f.Team, "offering": f.Offering, "environment": f.Environment, "cluster": f.Cluster, "version": f.Version} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for _, s := range f.States {
		q.Add("state", s)
	}
	if f.Page > 1 {
		q.Set("page", strconv.Itoa(f.Page))
	}
	if len(q) == 0 {
		return "/fleet"
	}
	return "/fleet?" + q.Encode()
}

// keeps says whether a filter selects a row.
func (f filter) keeps(r *row) bool {
	if f.Team != "" && f.Team != r.Key.Team || f.Offering != "" && f.Offering != r.Offering {
		return false
	}
	for _, word := range strings.Fields(strings.ToLower(f.Words)) {
		if !strings.Contains(r.text, word) {
			return false
		}
	}
	return slices.ContainsFunc(r.Instances, f.keepsInstance)
}

func (f filter) keepsInstance(in *instance) bool {
	if f.Environment != "" && f.Environment != in.Environment {
		return false
	}
	if f.Cluster != "" && !slices.ContainsFunc(in.Placements, func(p status.Placement) bool { return p.Cluster == f.Cluster }) {
		return false
	}
	if f.Version != "" && !slices.Contains(in.runs(), f.Version) {
		return false
	}
	return len(f.States) == 0 || slices.ContainsFunc(in.verdicts, func(v verdict) bool { return slices.Contains(f.States, string(v)) })
}

// A count is a button that narrows the fleet to a verdict.
type count struct {
	Verdict verdict
	N       int
	Chosen  bool
	Link    string
}

// A fleetPage is the matrix of requests by environment and cluster.
type fleetPage struct {
	Filter    filter
	Counts    []count
	Columns   []column
	Skew      []skewOf
	Groups    []teamRows
	Teams     []string
	Offerings []string
	All, Kept int
	Pages     int
	Earlier   string
	Later     string
	Reading   bool // the daemon has yet to read the state of its environments
	Width     int
}

// A column is an environment with the clusters that have a column of their own; one without a name stands for all of them.
type column struct {
	*status.Environment
	Shown []status.Cluster
}

// A teamRows is a team with its rows of the matrix.
type teamRows struct {
	Team string
	Rows []line
}

// A line is a row of the matrix.
type line struct {
	*row
	Cells []cell
}

// Amiss is the worst verdict of a row; empty: none is worse than waiting. A telephone shows it beside the name, since the cell may be out of
// sight there.
func (l line) Amiss() verdict {
	if l.rank > waiting.rank() {
		return ""
	}
	return verdicts[l.rank]
}

// A cell is an instance on a cluster, or on all of them.
type cell struct {
	In        *status.Instance // nil: nothing is there
	Placement *status.Placement
	Verdict   verdict
	Reason    string
	Span      int
	Edge      bool // the first one of its environment
	Next      bool // the release that waits is told here
	Healthy   int  // of an environment that has one column
	Total     int
}

func (c *Console) fleet(r *http.Request, m *model) (*view, error) {
	f := filterOf(r.URL.Query())
	kept := m.selected(f)
	pages := (len(kept) + pageRows - 1) / pageRows
	f.Page = min(f.Page, max(pages, 1))
	page := fleetPage{Filter: f, Kept: len(kept), Pages: pages, Teams: m.teams, Offerings: m.offerings(), All: len(m.rows), Reading: len(m.Behind()) > 0, Width: 1}
	counts := m.countsUnder(f)
	for _, v := range verdicts {
		toggled := f
		toggled.Page = 0
		chosen := slices.Contains(f.States, string(v))
		if chosen {
			toggled.States = slices.DeleteFunc(slices.Clone(f.States), func(s string) bool { return s == string(v) })
		} else {
			toggled.States = append(slices.Clone(f.States), string(v))
		}
		if n := counts[v]; n > 0 || chosen || v == healthy {
			page.Counts = append(page.Counts, count{v, n, chosen, toggled.link()})
		}
	}
	for i := range m.Environments {
		if e := &m.Environments[i]; f.Environment == "" || f.Environment == e.Name {
			page.Columns = append(page.Columns, columnOf(e, f.Cluster))
			page.Width += len(page.Columns[len(page.Columns)-1].Shown)
		}
	}
	page.Skew = skewUnder(m, f)
	first := (f.Page - 1) * pageRows
	page.Groups = groups(kept[first:min(first+pageRows, len(kept))], page.Columns)
	around := f
	if around.Page = f.Page - 1; around.Page > 0 {
		page.Earlier = around.link()
	}
	if around.Page = f.Page + 1; around.Page <= page.Pages {
		page.Later = around.link()
	}
	return &view{template: "fleet", title: "Fleet", section: "fleet", main: page}, nil
}

// selected are the rows that a filter keeps: those that need somebody first, their teams before other teams, and else by name.
func (m *model) selected(f filter) []*row {
	var kept []*row
	worst := map[string]int{}
	for _, r := range m.rows {
		if f.keeps(r) {
			kept = append(kept, r)
			if known, ok := worst[r.Key.Team]; !ok || r.severity() < known {
				worst[r.Key.Team] = r.severity()
			}
		}
	}
	slices.SortStableFunc(kept, func(a, b *row) int {
		if a.Key.Team != b.Key.Team {
			if d := worst[a.Key.Team] - worst[b.Key.Team]; d != 0 {
				return d
			}
			return strings.Compare(a.Key.Team, b.Key.Team)
		}
		return a.severity() - b.severity()
	})
	return kept
}

// severity is the rank of a row as far as it is a matter of order: rows that are only on their way stand by name.
func (r *row) severity() int { return min(r.rank, verdict(state.Progressing).rank()) }

// countsUnder counts the verdicts of the instances that a filter selects but for its states.
func (m *model) countsUnder(f filter) map[verdict]int {
	f.States = nil
	counts := map[verdict]int{}
	for _, r := range m.rows {
		if !f.keeps(r) {
			continue
		}
		for _, in := range r.Instances {
			if f.keepsInstance(in) {
				for _, v := range in.verdicts {
					counts[v]++
				}
			}
		}
	}
	return counts
}

func (m *model) offerings() []string {
	var all []string
	for _, r := range m.rows {
		if r.Offering != "" {
			all = append(all, r.Offering)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func columnOf(e *status.Environment, only string) column {
	c := column{Environment: e}
	for _, one := range e.Clusters {
		if only == "" || only == one.Name {
			c.Shown = append(c.Shown, one)
		}
	}
	if len(c.Shown) == 0 || len(c.Shown) > mostColumns {
		c.Shown = []status.Cluster{{}}
	}
	return c
}

func groups(rows []*row, columns []column) []teamRows {
	var all []teamRows
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].Team != r.Key.Team {
			all = append(all, teamRows{Team: r.Key.Team})
		}
		l := line{row: r}
		for _, c := range columns {
			l.Cells = append(l.Cells, c.cells(r.on(c.Name))...)
		}
		all[len(all)-1].Rows = append(all[len(all)-1].Rows, l)
	}
	return all
}

// cells are an instance's in an environment.
func (c column) cells(in *instance) []cell {
	switch {
	case in == nil:
		all := make([]cell, len(c.Shown))
		all[0].Edge = true
		return all
	case len(in.Placements) == 0:
		return []cell{{In: in.Instance, Verdict: verdictOf(in.Instance, nil), Reason: reason(in.Instance, nil), Span: len(c.Shown), Edge: true, Next: true}}
	case c.Shown[0].Name == "":
		return []cell{summary(in)}
	}
	all := make([]cell, 0, len(c.Shown))
	told := false
	for i, cluster := range c.Shown {
		one := cell{Edge: i == 0}
		for j := range in.Placements {
			if p := &in.Placements[j]; p.Cluster == cluster.Name {
				one.In, one.Placement, one.Verdict, one.Reason = in.Instance, p, verdictOf(in.Instance, p), reason(in.Instance, p)
				one.Next, told = !told, true
			}
		}
		all = append(all, one)
	}
	return all
}

// summary is the cell of an instance that is placed on more clusters than have columns: its worst placement, and how many are healthy.
func summary(in *instance) cell {
	one := cell{In: in.Instance, Edge: true, Next: true, Total: len(in.Placements)}
	for i := range in.Placements {
		p := &in.Placements[i]
		v := verdictOf(in.Instance, p)
		if p.IsHealthy() {
			one.Healthy++
		}
		if one.Placement == nil || v.rank() < one.Verdict.rank() {
			one.Placement, one.Verdict, one.Reason = p, v, reason(in.Instance, p)
		}
	}
	return one
}
