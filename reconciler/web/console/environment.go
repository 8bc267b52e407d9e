package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// An environmentPage is one environment: its clusters in their waves, its decisions, and the releases that wait there.
type environmentPage struct {
	*status.Environment
	Counts  []count
	Waiting []waits
	More    int
	Fleet   string
	Latest  []status.Event
	ToEnvs  []string // that take releases from here
	Set     *configuration
}

// A waits is an instance whose next release waits before an environment.
type waits struct {
	In   *status.Instance
	Link string
}

func (c *Console) environment(r *http.Request, m *model) (*view, error) {
	name := r.PathValue("name")
	e := m.byName[name]
	if e == nil {
		return nil, missing("The platform has no environment " + name + ".")
	}
	page := &environmentPage{Environment: e, Fleet: filter{Environment: name}.link()}
	for _, sum := range m.stageSums() {
		if sum.Name == name {
			page.Counts = sum.Counts
		}
	}
	for _, row := range m.rows {
		if in := row.on(name); in != nil && len(in.Waiting) > 0 {
			page.Waiting = append(page.Waiting, waits{in.Instance, requestLink(in.Request, name)})
		}
	}
	page.More = max(len(page.Waiting)-mostListed, 0)
	page.Waiting = page.Waiting[:len(page.Waiting)-page.More]
	for _, other := range m.Environments {
		if slices.Contains(other.PromotesFrom, name) {
			page.ToEnvs = append(page.ToEnvs, other.Name)
		}
	}
	page.Latest = latest(c.Board.History(), func(e status.Event) bool { return e.Environment == name }, mostListed)
	page.Set = configurationOf(m.Platform.Offers(), e, c.Now())
	return &view{template: "environment", title: name, section: "fleet", main: page, until: page.Set.next()}, nil
}

// latest are the newest events that are kept, the newest first.
func latest(history []status.Event, keep func(status.Event) bool, most int) []status.Event {
	var found []status.Event
	told := map[string]bool{}
	for _, e := range slices.Backward(history) {
		if len(found) == most {
			break
		}
		if !keep(e) {
			continue
		}
		about := e.Environment + " " + e.Cluster
		if e.Request != nil {
			about += " " + e.Request.String()
		}
		if onTheWay := strings.HasPrefix(e.Message, "Applied, Progressing"); onTheWay && told[about] {
			continue // of many steps on the way the last one matters
		}
		told[about] = true
		found = append(found, e)
	}
	return found
}

// A clusterPage is one cluster: whether it answers, how it is reached, and the requests that run there.
type clusterPage struct {
	*status.Cluster
	Environments []string
	Trouble      string
	Runs         []running
	More         int
	Drift        []running
	Fleet        string
	Latest       []status.Event
}

// Several says whether the cluster is in more than one environment.
func (p *clusterPage) Several() bool { return len(p.Environments) > 1 }

// A running is a placement on a cluster.
type running struct {
	In      *status.Instance
	At      *status.Placement
	Verdict verdict
	Link    string
}

// mostRunning is how many placements the page of a cluster lists.
const mostRunning = 200

func (c *Console) cluster(r *http.Request, m *model) (*view, error) {
	name := r.PathValue("name")
	found, environments := m.clusterOf(name)
	if found == nil {
		return nil, missing("No environment has a cluster " + name + ".")
	}
	page := &clusterPage{Cluster: found, Environments: environments, Trouble: strings.TrimPrefix(troubleOf(*found), "cluster "+name+" is not reachable: "), Fleet: filter{Cluster: name}.link()}
	for _, row := range m.rows {
		for _, in := range row.Instances {
			for i := range in.Placements {
				if p := &in.Placements[i]; p.Cluster == name {
					one := running{in.Instance, p, verdictOf(in.Instance, p), requestLink(in.Request, in.Environment)}
					page.Runs = append(page.Runs, one)
					if len(p.Drift)+len(p.Added) > 0 {
						page.Drift = append(page.Drift, one)
					}
				}
			}
		}
	}
	slices.SortStableFunc(page.Runs, func(a, b running) int { return cmp.Compare(a.Verdict.rank(), b.Verdict.rank()) })
	page.More = max(len(page.Runs)-mostRunning, 0)
	page.Runs = page.Runs[:len(page.Runs)-page.More]
	page.Latest = latest(c.Board.History(), func(e status.Event) bool { return e.Cluster == name }, mostListed)
	return &view{template: "cluster", title: name, section: "fleet", main: page}, nil
}

// A problemsPage lists every Problem and Warning once, Problems first.
type problemsPage struct {
	Problems []platform.Problem
	Warnings []platform.Problem
	More     int
}

// mostProblems is how many of each kind the page lists.
const mostProblems = 300

func (c *Console) problems(_ *http.Request, m *model) (*view, error) {
	page := m.problems()
	for _, list := range []*[]platform.Problem{&page.Problems, &page.Warnings} {
		more := max(len(*list)-mostProblems, 0)
		*list = (*list)[:len(*list)-more]
		page.More += more
	}
	return &view{template: "problems", title: "Problems", section: "problems", main: page}, nil
}

// problems are all Problems and Warnings, each once.
func (m *model) problems() *problemsPage {
	page := &problemsPage{}
	told := map[string]bool{}
	see := func(list []platform.Problem) {
		for _, p := range list {
			if p.Request != nil && m.byKey[*p.Request] == nil {
				p.Request = nil // it came to no environment, and has no page
			}
			switch key := p.String(); {
			case told[key]:
			case p.Warning:
				told[key] = true
				page.Warnings = append(page.Warnings, p)
			default:
				told[key] = true
				page.Problems = append(page.Problems, p)
			}
		}
	}
	see(m.Platform.Problems)
	for _, e := range m.Environments {
		see(e.Problems)
	}
	for i := range m.Instances {
		see(m.Instances[i].Problems)
	}
	return page
}
