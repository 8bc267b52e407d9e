package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// mostListed is how many entries a list of Home has at most.
const mostListed = 25

// A homePage is where a person begins: the changes that wait for somebody, the failures, and how the teams and the environments stand.
type homePage struct {
	Mine     []string // the person's teams, of which the lists tell only; empty: all
	Known    bool     // the person has a name, so that Waiting has the tasks that are theirs
	Waiting  []task
	Others   []task // that others have to approve
	Failed   []task
	More     int // tasks that do not fit
	Debts    []debt
	Teams    []teamSum
	Stages   []stageSum
	Requests int
	Reading  bool
	Stands   bool // the platform's head is not followed: a person has to see to that first
	Offers   bool // there is a catalogue

	approves func(file, team string) (may, named bool, owners []string)
	ways     ways
	failing  map[[2]string]int // where in Failed each is, by About and Text
}

// A task is something that a person has to see to.
type task struct {
	About   string
	Where   string
	Link    string
	Verdict verdict
	Text    string
	Changes []platform.Difference
	Command string
	Step    *nextStep        // nil: the command is all there is to do
	Next    *status.Instance // whose next release an Approval lets in; nil: it is about something else
	Since   time.Time
	Owners  []string // who may approve it, where the person may not
}

// A debt is a decision that somebody has to take back one day.
type debt struct {
	Environment string
	status.Decision
}

// A teamSum counts the placements of a team by verdict.
type teamSum struct {
	Team     string
	Requests int
	Counts   []count
	Link     string
}

// A stageSum is an environment with its counts.
type stageSum struct {
	*status.Environment
	Counts      []count
	Unreachable int
	Waiting     int
}

func (c *Console) home(r *http.Request, m *model) (*view, error) {
	who := c.Person(r)
	page := &homePage{Mine: who.Teams, Reading: len(m.Behind()) > 0, Stands: m.Platform.Frozen != "" || m.Platform.Error != "", Offers: m.Platform.Offers() != nil, Known: who.Name != "", approves: who.Approves, ways: waysOf(c, r, m), failing: map[[2]string]int{}}
	if t := r.URL.Query().Get("team"); t != "" {
		page.Mine = []string{t}
	}
	chosen := r.URL.Query().Get("team")
	for _, row := range m.rows {
		mine := page.isMine(row.Key.Team)
		if mine {
			page.Requests++
		}
		if mine || chosen == "" {
			page.add(row, mine)
		}
	}
	page.broken(m)
	page.environments(m)
	until := page.ended(m, c.Now(), chosen != "")
	page.Teams = m.teamSums(page.Mine)
	page.Stages = m.stageSums()
	page.More = cut(&page.Waiting) + cut(&page.Others) + cut(&page.Failed)
	return &view{template: "home", title: "Home", section: "home", main: page, until: until}, nil
}

// isMine says whether the lists tell of a team.
func (p *homePage) isMine(team string) bool { return len(p.Mine) == 0 || slices.Contains(p.Mine, team) }

// cut shortens a list of tasks and returns how many it omitted.
func cut(list *[]task) int {
	slices.SortStableFunc(*list, func(a, b task) int { return cmp.Or(a.Verdict.rank()-b.Verdict.rank(), a.Since.Compare(b.Since)) })
	more := max(len(*list)-mostListed, 0)
	*list = (*list)[:len(*list)-more]
	return more
}

// wait lists a task that a decision ends, whose file begins with a name: among those of the person if they may approve it or, where it is about a
// team of theirs, among those of others. mine says that it is about no other team.
func (p *homePage) wait(one task, environment, team, name string, mine bool) {
	may, named := true, true
	var owners []string
	if p.approves != nil {
		may, named, owners = p.approves("decisions/"+environment+"/"+name+".yaml", team)
	}
	switch {
	case may && (mine || named):
		p.Waiting = append(p.Waiting, one)
	case mine:
		one.Owners = owners
		p.Others = append(p.Others, one)
	}
}

// add lists the tasks of a request. Of one that is not mine, those are listed that the person may approve.
func (p *homePage) add(r *row, mine bool) {
	for _, in := range r.Instances {
		if !mine && len(in.Waiting) == 0 {
			continue
		}
		one := task{About: r.Key.String(), Where: in.Environment, Link: requestLink(r.Key, in.Environment)}
		if waits := slices.IndexFunc(in.Waiting, opensByPerson); waits >= 0 {
			one.fill(in.Instance, in.Waiting[waits])
			switch {
			case one.Verdict == rejected && !mine:
			case one.Verdict == rejected:
				one.Text += " — merge a fix or another version, or let it in again:"
				one.Step = p.ways.toPlan(in.Instance)
				p.fail(one)
			case !slices.ContainsFunc(in.Waiting, isUnhealthy):
				one.Step = cmp.Or(p.ways.toPlan(in.Instance), &nextStep{"See what it waits for.", one.Link + "#waiting", "Its gates"})
				p.wait(one, in.Environment, r.Key.Team, r.Key.Team+"-"+r.Key.Name, mine)
			}
			continue
		}
		if !mine {
			continue
		}
		if failed := p.ways.firstFailure(in.Instance); failed != nil {
			one.Verdict, one.Text, one.Step = failed.Verdict, failed.Text, failed.Step
			p.fail(one)
		}
		for _, at := range in.Placements {
			if at.Adoption != nil {
				adopts := one
				adopts.Verdict, adopts.Where = waiting, in.Environment+", "+at.Cluster
				adopts.Text = "its adoption waits, and nothing is written until it is approved"
				adopts.Step = &nextStep{"Look at what it would take over, then approve it.", adopts.Link + "#on-" + at.Cluster, "What it takes over"}
				adopts.Command = "transom promote --adoption " + at.Adoption.Digest + " --environment " + in.Environment
				p.wait(adopts, in.Environment, r.Key.Team, "adoption-"+short(at.Adoption.Digest), true)
			}
		}
	}
}

// fail lists a failure, once for all environments that have it.
func (p *homePage) fail(one task) {
	of := [2]string{one.About, one.Text}
	if i, known := p.failing[of]; known {
		p.Failed[i].Where += ", " + one.Where
		return
	}
	p.failing[of] = len(p.Failed)
	p.Failed = append(p.Failed, one)
}

// isUnhealthy says whether a gate waits for the release to be well upstream first.
func isUnhealthy(g status.Gate) bool { return g.Name == gate.Health || g.Name == gate.Problem }

// fill describes a gate that a person opens.
func (t *task) fill(in *status.Instance, g status.Gate) {
	t.Verdict, t.Text, t.Since = waitingVerdict(in), g.Reason, g.Since
	if c := in.Candidate; c != nil {
		t.Changes = c.Changes
		t.Next = in
		t.Command = "transom promote " + in.Request.String() + " --environment " + in.Environment
		if g.Name == gate.Approval && c.Version != "" {
			t.Text = c.Offering + " " + c.Version + ": " + g.Reason
		}
	}
}

// firstFailure is the worst placement of an instance that no time mends; nil: there is none.
func (w ways) firstFailure(in *status.Instance) *task {
	var worst *task
	see := func(v verdict, text string, p *status.Placement) {
		if v.needsSomebody() && (worst == nil || v.rank() < worst.Verdict.rank()) {
			worst = &task{Verdict: v, Text: text, Step: w.after(in, p)}
		}
	}
	if len(in.Placements) == 0 {
		see(verdictOf(in, nil), reason(in, nil), nil)
	}
	for i := range in.Placements {
		p := &in.Placements[i]
		text := reason(in, p)
		if text != "" && len(in.Problems) == 0 && p.Cluster != in.Environment {
			text = p.Cluster + ": " + text
		}
		see(verdictOf(in, p), text, p)
	}
	if in.Rollout != nil && in.Rollout.Stopped != "" {
		see("Failed", "stopped: "+in.Rollout.Stopped, nil)
	}
	return worst
}

// environments lists the changes and deletions of environments that wait, and the decisions in force that no other team alone
// has to see to.
func (p *homePage) environments(m *model) {
	for i := range m.Environments {
		e := &m.Environments[i]
		link := "/environments/" + e.Name
		if e.Plan != "" {
			p.wait(task{About: e.Name, Link: link, Verdict: waiting, Text: "a change of the environment waits", Step: &nextStep{"Look at whose objects it changes, then approve it.", link, "What waits"}, Command: "transom promote --plan " + e.Plan + " --environment " + e.Name}, e.Name, "", "plan-"+short(e.Plan), true)
		}
		if e.Deletions != "" {
			p.wait(task{About: e.Name, Link: link, Verdict: waiting, Text: "more deletions than its deletionLimit wait; an Approval of deletions " + e.Deletions + " lets them through", Step: &nextStep{"Look at the requests that are gone, then approve it, or revert the merge.", link, "The Approval"}}, e.Name, "", "deletions-"+short(e.Deletions), true)
		}
		for _, d := range e.Decisions {
			if d.Team == "" || p.isMine(d.Team) {
				p.Debts = append(p.Debts, debt{e.Name, d})
			}
		}
	}
}

func (m *model) teamSums(mine []string) []teamSum {
	counts := map[string]map[verdict]int{}
	requests := map[string]int{}
	for _, r := range m.rows {
		if counts[r.Key.Team] == nil {
			counts[r.Key.Team] = map[verdict]int{}
		}
		requests[r.Key.Team]++
		for _, in := range r.Instances {
			for _, v := range in.verdicts {
				counts[r.Key.Team][v]++
			}
		}
	}
	var all []teamSum
	for _, team := range m.teams {
		if len(mine) == 0 || slices.Contains(mine, team) {
			all = append(all, teamSum{team, requests[team], countsOf(counts[team], filter{Team: team}), filter{Team: team}.link()})
		}
	}
	return all
}

func (m *model) stageSums() []stageSum {
	counts := map[string]map[verdict]int{}
	for _, r := range m.rows {
		for _, in := range r.Instances {
			if counts[in.Environment] == nil {
				counts[in.Environment] = map[verdict]int{}
			}
			for _, v := range in.verdicts {
				counts[in.Environment][v]++
			}
		}
	}
	var all []stageSum
	for i := range m.Environments {
		e := &m.Environments[i]
		sum := stageSum{Environment: e, Counts: countsOf(counts[e.Name], filter{Environment: e.Name}), Waiting: counts[e.Name][waiting]}
		for _, one := range e.Clusters {
			if !one.Reachable {
				sum.Unreachable++
			}
		}
		all = append(all, sum)
	}
	return all
}

// countsOf are the verdicts that occur, with the address that shows each.
func countsOf(n map[verdict]int, f filter) []count {
	var all []count
	for _, v := range verdicts {
		if n[v] > 0 {
			f.States = []string{string(v)}
			all = append(all, count{Verdict: v, N: n[v], Link: f.link()})
		}
	}
	return all
}
