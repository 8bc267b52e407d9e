package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// The measures of the picture of a pipeline, in pixels.
const (
	stageWidth  = 210
	stageHead   = 62
	stageLine   = 20
	stageGap    = 150 // between two columns; the gates stand there
	stageApart  = 26  // between two stages of a column
	mostInStage = 6   // clusters that a stage shows each by itself
)

// A pipeline is the picture of a request's way through the environments: a stage for each, with the release that it has and its clusters
// in their waves, and an arrow from each to the next, with the gates that are closed.
type pipeline struct {
	Width, Height int
	Stages        []*stage
	Arrows        []arrow
}

// A stage is an environment in a pipeline.
type stage struct {
	In                  *status.Instance
	X, Y, Width, Height int
	Verdict             verdict // the worst of its placements
	Link                string
	Chosen              bool
	Version             string
	Image               string
	Lines               []stageCluster
	More                int // clusters that do not fit
}

// A stageCluster is a cluster in a stage.
type stageCluster struct {
	Y       int
	Name    string
	Wave    string
	Verdict verdict
	Pending bool
	Version string // where it is not the stage's
}

// An arrow leads from a stage to one that takes its releases.
type arrow struct {
	Path    string
	X, Y    int // of its text
	Verdict verdict
	Text    string // the closed gates; empty: all are open
	Title   string
	File    string // that decides about its gates
	Version string // that waits
	At      time.Time
}

// pipelineOf draws the way of a request. The chosen environment is marked.
func (m *model) pipelineOf(r *row, chosen string) *pipeline {
	p := &pipeline{}
	orders := map[int][]*stage{}
	byName := map[string]*stage{}
	for _, in := range r.Instances {
		e := m.byName[in.Environment]
		if e == nil {
			continue
		}
		s := m.stageOf(in, e)
		s.Chosen = in.Environment == chosen
		orders[e.Order] = append(orders[e.Order], s)
		byName[in.Environment] = s
		p.Stages = append(p.Stages, s)
	}
	x := 2
	for _, in := range r.Instances {
		if len(in.Waiting) > 0 && len(m.nearest(in.Environment, byName, nil)) == 0 {
			x = stageGap // its gates stand before it
		}
	}
	for _, order := range sortedKeys(orders) {
		y := 8
		for _, s := range orders[order] {
			s.X, s.Y = x, y
			y += s.Height + stageApart
			for i := range s.Lines {
				s.Lines[i].Y = s.Y + stageHead + i*stageLine + 4
			}
		}
		p.Height = max(p.Height, y)
		x += stageWidth + stageGap
	}
	p.Width = x - stageGap + 8
	for _, s := range p.Stages {
		p.Arrows = append(p.Arrows, m.arrowsTo(s, byName)...)
	}
	return p
}

func sortedKeys(of map[int][]*stage) []int {
	var keys []int
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (m *model) stageOf(in *instance, e *status.Environment) *stage {
	s := &stage{In: in.Instance, Width: stageWidth, Link: requestLink(in.Request, in.Environment), Version: in.Version, Verdict: healthy}
	if len(in.Placements) == 0 {
		s.Verdict = verdictOf(in.Instance, nil)
	}
	waves := map[string]string{}
	for _, c := range e.Clusters {
		waves[c.Name] = c.Wave
	}
	for i := range in.Placements {
		p := &in.Placements[i]
		v := verdictOf(in.Instance, p)
		if v.rank() < s.Verdict.rank() {
			s.Verdict = v
		}
		if s.Image == "" && len(p.Images) > 0 {
			s.Image = wording.Image(p.Images[0])
		}
		pending := in.Rollout != nil && slices.Contains(in.Rollout.Pending, p.Cluster)
		s.Lines = append(s.Lines, stageCluster{Name: p.Cluster, Wave: waves[p.Cluster], Verdict: v, Pending: pending, Version: p.Version})
	}
	if n := len(s.Lines); n > mostInStage {
		slices.SortStableFunc(s.Lines, func(a, b stageCluster) int { return a.Verdict.rank() - b.Verdict.rank() })
		s.Lines, s.More = s.Lines[:mostInStage-1], n-mostInStage+1
	}
	s.Height = stageHead + stageLine*len(s.Lines) + 6
	if s.More > 0 {
		s.Height += stageLine
	}
	return s
}

// arrowsTo are the arrows that end at a stage. Where a release waits before the first stage, one begins at nothing.
func (m *model) arrowsTo(s *stage, byName map[string]*stage) []arrow {
	var all []arrow
	for _, from := range m.nearest(s.In.Environment, byName, nil) {
		a := m.arrowTo(s)
		x, y := from.X+from.Width, from.Y+stageHead/2
		a.Path = fmt.Sprintf("M%d %d C%d %d %d %d %d %d", x, y, x+stageGap/2, y, s.X-stageGap/2, s.Y+stageHead/2, s.X-7, s.Y+stageHead/2)
		if len(all) > 0 { // the gates are told once
			a.Text, a.Version, a.At = "", "", time.Time{}
		}
		all = append(all, a)
	}
	if len(all) == 0 && len(s.In.Waiting) > 0 {
		a := m.arrowTo(s)
		a.Path = fmt.Sprintf("M%d %d L%d %d", s.X-stageGap+20, s.Y+stageHead/2, s.X-7, s.Y+stageHead/2)
		all = append(all, a)
	}
	return all
}

func (m *model) arrowTo(s *stage) arrow {
	a := arrow{X: s.X - stageGap/2, Y: s.Y + stageHead/2, Verdict: healthy, File: m.fileOf(s.In.Environment), Title: "its gates are open\n"}
	if len(s.In.Waiting) == 0 {
		return a
	}
	a.Verdict, a.Text, a.At, a.Title = waitingVerdict(s.In), gateNames(s.In.Waiting), opensAt(s.In.Waiting), ""
	if file := m.deciding(s.In, s.In.Waiting[0]); file != "" {
		a.File = file
	}
	for _, g := range s.In.Waiting {
		a.Title += string(g.Name) + ": " + g.Reason + "\n"
	}
	if s.In.Candidate != nil {
		a.Version = nextName(s.In)
	}
	return a
}

// nearest are the stages from which an environment takes releases: its upstreams, or, where the request is not there, theirs.
func (m *model) nearest(environment string, byName map[string]*stage, above []string) []*stage {
	e := m.byName[environment]
	if e == nil || slices.Contains(above, environment) {
		return nil
	}
	var found []*stage
	for _, from := range e.PromotesFrom {
		if s := byName[from]; s != nil {
			found = append(found, s)
			continue
		}
		for _, s := range m.nearest(from, byName, append(above, environment)) {
			if !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
	}
	return found
}

// keyOf is the request that a page's address names.
func keyOf(team, name string) platform.RequestKey { return platform.RequestKey{Team: team, Name: name} }

// A closedGate is a gate that is closed, with the file of the platform repository that decides about it.
type closedGate struct {
	status.Gate
	File string // empty: none is known
}

// closedGates are those of an instance.
func (m *model) closedGates(in *status.Instance) (all []closedGate) {
	for _, g := range in.Waiting {
		all = append(all, closedGate{g, m.deciding(in, g)})
	}
	return all
}

// deciding is the file that decides about a closed gate: the decision that it names, the request's where the fault is in it, and else the
// environment's.
func (m *model) deciding(in *status.Instance, g status.Gate) string {
	if e := m.byName[in.Environment]; e != nil {
		for _, d := range e.Decisions {
			if strings.Contains(g.Reason+" "+g.Opens+" ", d.File) {
				return d.File
			}
		}
	}
	if g.Name == gate.Rejected { // the release alone
		return ""
	}
	ofRequest := g.Name == gate.Problem || g.Name == gate.Binding || in.File != "" && strings.Contains(g.Reason, in.File)
	if ofRequest {
		return in.File
	}
	return m.fileOf(in.Environment)
}

// fileOf is the file of an environment; empty: the platform has none of that name.
func (m *model) fileOf(environment string) string {
	p := m.Platform.Offers()
	if p == nil || p.Environments[environment] == nil {
		return ""
	}
	return p.Environments[environment].File
}
