// Package tree prints a status as people read it: request, environment, cluster, object, and on the way which release waits
// for which gate, how far a rollout is and which failed.
//
// In come a status from the daemon and a moment to count from; out go lines, one for all that is healthy. It asks nobody and
// decides nothing.
package tree

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Printer prints a status as people read it: request, environment, cluster, object; all that is healthy in one line.
type Printer struct {
	W     io.Writer
	Paint terminal.Paint
	Open  bool // down to the objects even where all is healthy
	All   bool // with Open: every object, and not only how many are healthy
	Now   time.Time

	inside    string            // the environment of the instance that is being printed
	about     string            // its request
	away      map[string]bool   // clusters that do not answer, as the first lines say
	said      map[string]string // Problems that were printed, with the request at which
	wave      map[string]string // by ENVIRONMENT/CLUSTER
	waveOrder map[string]int    // by ENVIRONMENT/WAVE
}

// Status prints everything. Narrowed leaves out the lines that concern nobody in particular.
func (t *Printer) Status(s status.Status, narrowed bool) {
	t.indexClusters(s.Environments)
	t.said = map[string]string{}
	t.platform(s.Platform, s.Leader)
	for _, e := range s.Environments {
		t.environment(e)
	}
	t.requests(s.Instances)
	if len(s.Instances) == 0 {
		why := Unread(s)
		if why == "" && len(s.Environments) == 0 {
			why = "no environments: is this the platform repository, and its branch? \"transom init\" writes a platform to begin with"
		}
		if why == "" {
			why = "no requests: merge one below requests/ and it appears here"
		}
		fmt.Fprintln(t.W, "\n"+why)
	}
	if !narrowed {
		t.problems(s)
	}
	t.footer(s)
}

// shownRequests is how many requests are printed one by one although nothing is unusual about them.
const shownRequests = 40

// requests prints every request, or, of more than a few, those that are worth a look.
func (t *Printer) requests(instances []status.Instance) {
	var all [][]status.Instance
	for _, in := range instances {
		if n := len(all); n > 0 && all[n-1][0].Request == in.Request {
			all[n-1] = append(all[n-1], in)
		} else {
			all = append(all, []status.Instance{in})
		}
	}
	rest := func(of []status.Instance) bool {
		return !slices.ContainsFunc(of, func(in status.Instance) bool { return !t.isAtRest(in) || t.pending(in) != "" })
	}
	slices.SortStableFunc(all, func(a, b []status.Instance) int { return severity(b) - severity(a) })
	folded := 0
	for _, of := range all {
		if len(all) > shownRequests && rest(of) {
			folded++
			continue
		}
		t.request(of)
	}
	if folded > 0 {
		fmt.Fprintf(t.W, "\n%s: healthy, and nothing waits %s\n", terminal.Count(folded, "request"),
			t.Paint.Faint("(TEAM or TEAM/REQUEST narrows, --verbose lists all)"))
	}
}

// Unread says which platform commit has yet to be read before the daemon can say of anything that it is not there; empty:
// none.
func Unread(s status.Status) string {
	if s.Platform.Commit == "" {
		return "the daemon has not loaded the platform yet"
	}
	if behind := s.Behind(); len(behind) > 0 {
		return fmt.Sprintf("platform commit %s has yet to be taken in by %s", terminal.Short(s.Platform.Commit), strings.Join(behind, ", "))
	}
	return ""
}

func (t *Printer) platform(p status.Platform, leader string) {
	line := t.Paint.Bold("platform") + " " + p.URL
	if p.Commit != "" {
		line += " at " + terminal.Short(p.Commit)
	}
	if leader != "" {
		line += t.Paint.Faint(", led by " + leader)
	}
	fmt.Fprintln(t.W, line)
	if p.Error != "" {
		fmt.Fprintf(t.W, "  %s\n", t.Paint.Red(p.Error))
	}
	if p.Frozen != "" {
		fmt.Fprintf(t.W, "  %s\n", t.Paint.Red(p.Frozen))
	}
	for _, part := range slices.Sorted(maps.Keys(p.Forge)) {
		if why := p.Forge[part]; why != "" {
			fmt.Fprintf(t.W, "  %s\n", t.Paint.Yellow("the forge is not told ("+part+"): "+why))
		}
	}
}

// environment prints the unusual facts about an environment and its clusters; where there are none, it prints nothing.
func (t *Printer) environment(e status.Environment) {
	if e.Frozen != "" {
		fmt.Fprintf(t.W, "  %s frozen: %s\n", t.Paint.Bold(e.Name), t.Paint.Red(e.Frozen))
	}
	if e.Deletions != "" {
		fmt.Fprintf(t.W, "  %s deletions wait for an Approval; \"transom promote --deletions %s -e %s\" lets them through\n",
			t.Paint.Bold(e.Name), e.Deletions, e.Name)
	}
	if e.Plan != "" {
		fmt.Fprintf(t.W, "  %s a change of the environment waits; \"transom promote --plan %s -e %s\" approves it\n", t.Paint.Bold(e.Name), e.Plan, e.Name)
	}
	if e.Error != "" {
		fmt.Fprintf(t.W, "  %s is tried again: %s\n", t.Paint.Bold(e.Name), t.Paint.Yellow(e.Error))
	}
	for _, d := range e.Decisions {
		fmt.Fprintf(t.W, "  %s %s\n", t.Paint.Bold(e.Name), t.decision(d))
	}
	for _, c := range e.Clusters {
		if c.Reachable && c.Refusing != "" {
			fmt.Fprintf(t.W, "  %s cluster %s: %s\n", t.Paint.Bold(e.Name), c.Name, t.Paint.Red(c.Refusing))
		}
		if c.Reachable && c.Credential.Warning != "" {
			fmt.Fprintf(t.W, "  %s cluster %s: %s\n", t.Paint.Bold(e.Name), c.Name, t.Paint.Yellow(c.Credential.Warning))
		}
		switch {
		case !c.Reachable:
			since := ""
			if !c.Since.IsZero() {
				since = " for " + t.since(c.Since)
			}
			fmt.Fprintf(t.W, "  %s cluster %s is not reachable%s: %s\n", t.Paint.Bold(e.Name), c.Name, since, t.Paint.Red(orNoAnswer(c.Message)))
		case c.Problem != "":
			fmt.Fprintf(t.W, "  %s %s\n", t.Paint.Bold(e.Name), t.Paint.Red(c.Problem))
		case c.State != "active":
			why := ""
			if c.Reason != "" {
				why = ": " + c.Reason
			}
			fmt.Fprintf(t.W, "  %s cluster %s is %s%s\n", t.Paint.Bold(e.Name), c.Name, t.Paint.Yellow(c.State), why)
		}
	}
}

func orNoAnswer(message string) string {
	if message == "" {
		return "it did not answer yet"
	}
	return message
}

// request prints the instances of one request.
func (t *Printer) request(instances []status.Instance) {
	first := instances[0]
	fmt.Fprintf(t.W, "\n%s  %s\n", t.Paint.Bold(first.Request.String()), t.Paint.Faint(first.Offering))
	for i, in := range instances {
		t.instance(in, Branch(i == len(instances)-1))
	}
}

// Limb is how a line of the tree is led in, and those below it.
type Limb struct{ Lead, Below string }

// Branch leads in one line of several, the last of them or not.
func Branch(last bool) Limb {
	if last {
		return Limb{"└─ ", "   "}
	}
	return Limb{"├─ ", "│  "}
}

func (l Limb) under(o Limb) Limb { return Limb{o.Below + l.Lead, o.Below + l.Below} }

func (t *Printer) instance(in status.Instance, l Limb) {
	head := in.Environment
	if in.Version != "" {
		head += "  " + in.Version
	}
	if about := summaryOf(in); about != "" {
		head += "  " + about
	}
	if t.Open && in.Release != "" {
		head += " " + t.Paint.Faint("("+terminal.Short(in.Release)+")")
	}
	switch {
	case in.Absent:
		head += "  removed"
	case in.Version != "" && len(in.Placements) == 0:
		head += "  " + t.Paint.Faint("on no cluster")
	}
	if t.isAtRest(in) {
		names := make([]string, len(in.Placements))
		for i, p := range in.Placements {
			names[i] = p.Cluster
		}
		fmt.Fprintf(t.W, "%s%s  %s  %s%s\n", l.Lead, head, t.health(state.Healthy, ""), t.Paint.Faint(strings.Join(names, ", ")), t.pending(in))
		return
	}
	fmt.Fprintf(t.W, "%s%s\n", l.Lead, head)
	for _, p := range in.Problems {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.problemOnce(in, p))
	}
	t.promotion(in, l)
	t.inside, t.about = in.Environment, in.Request.String()
	for i, p := range in.Placements {
		t.placement(p, Branch(i == len(in.Placements)-1).under(l))
	}
	if t.Open {
		t.outputs(in, l)
	}
}

// isAtRest says whether an instance is healthy everywhere and takes one line.
func (t *Printer) isAtRest(in status.Instance) bool {
	if t.Open || in.Absent || len(in.Problems) > 0 || len(in.Placements) == 0 || isStopped(in) {
		return false
	}
	for _, p := range in.Placements {
		if !p.IsHealthy() || len(p.Problems)+len(p.Added)+len(p.Leaving)+len(p.Unrecorded()) > 0 {
			return false
		}
	}
	return true
}

func (t *Printer) placement(p status.Placement, l Limb) {
	shown, fine := t.objects(p)
	why := p.Message
	if t.away[t.inside+"/"+p.Cluster] {
		shown, fine, why = nil, 0, "its cluster is not reachable" // why is told above, and how objects are nobody knows
	}
	if len(p.Problems) > 0 || slices.ContainsFunc(shown, func(o status.Object) bool { return o.Message != "" }) {
		why = "" // the following lines say it
	}
	line := l.Lead + p.Cluster + "  "
	if p.Stage != status.Healthy && p.Stage != status.Applied {
		line += string(p.Stage) + ", "
	}
	line += t.health(p.Health, why)
	if p.Version != "" || p.Release != "" {
		line += t.Paint.Faint("  still " + terminal.Release(p.Version, p.Release))
	}
	if p.IsHealthy() && !p.HealthyAt.IsZero() {
		line += t.Paint.Faint("  since " + t.since(p.HealthyAt))
	}
	fmt.Fprintln(t.W, line)
	t.adoption(p, l)
	for _, problem := range p.Problems {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.placedProblem(problem))
	}
	for _, drift := range p.Drift {
		fmt.Fprintf(t.W, "%s%s %s: %s\n", l.Below, t.Paint.Yellow("~ Drift"), drift.Object, drift.Message)
	}
	for _, a := range t.added(p) {
		if a.Agent {
			fmt.Fprintf(t.W, "%s%s %s: %s %s\n", l.Below, t.Paint.Yellow("~ Agent"), a.Object, a.Told(), t.Paint.Faint(t.since(a.At)+" ago"))
			continue
		}
		fmt.Fprintf(t.W, "%s%s %s: %s set %s %s\n", l.Below, t.Paint.Yellow("~ By hand"), a.Object, a.Manager, a.Field, t.Paint.Faint(t.since(a.At)+" ago"))
	}
	for _, leaving := range p.Leaving {
		fmt.Fprintf(t.W, "%s%s %s: %s\n", l.Below, t.Paint.Yellow("~ Leaving"), leaving.Object, leaving.Message)
	}
	for i, o := range shown {
		limb := Branch(i == len(shown)-1 && fine == 0).under(l)
		fmt.Fprintf(t.W, "%s%s %s  %s\n", limb.Lead, o.Kind, o.Name, t.health(o.Health, o.Message))
	}
	if fine > 0 {
		fmt.Fprintf(t.W, "%s%s\n", Branch(true).under(l).Lead, t.Paint.Faint(fmt.Sprintf("%d objects are healthy; --verbose lists them", fine)))
	}
}

// adoption prints the effects of taking over objects, and the objects that were let go.
func (t *Printer) adoption(p status.Placement, l Limb) {
	if a := p.Adoption; a != nil {
		fmt.Fprintf(t.W, "%s%s; \"transom promote --adoption %s -e %s\" writes the Approval\n", l.Below,
			t.Paint.Yellow("its adoption waits, and nothing is written"), a.Digest, t.inside)
		for _, line := range slices.Concat(a.Effects, a.Untried) {
			fmt.Fprintf(t.W, "%s  %s\n", l.Below, line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Outputs)) {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.Paint.Faint(fmt.Sprintf("%s = %v", name, p.Outputs[name])))
	}
	for _, line := range p.Unrecorded() {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.Paint.Yellow(line))
	}
	if len(p.LetGo) > 0 && p.Revision != "" {
		fmt.Fprintf(t.W, "%slet go: %s\n", l.Below, strings.Join(p.LetGo, ", "))
	}
}

func (t *Printer) outputs(in status.Instance, l Limb) {
	for _, one := range in.Links {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.Paint.Faint(one.Name+": "+one.URL))
	}
	for _, name := range slices.Sorted(maps.Keys(in.Outputs)) {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, t.Paint.Faint(fmt.Sprintf("%s = %v", name, in.Outputs[name])))
	}
}

// health is a sign, the word, and why.
func (t *Printer) health(word state.Health, why string) string {
	var text string
	switch word {
	case state.Healthy:
		text = t.Paint.Green("✓ Healthy")
	case state.Progressing:
		text = t.Paint.Yellow("◔ Progressing")
	case state.Suspended:
		text = t.Paint.Yellow("‖ Suspended")
	case state.Failed:
		text = t.Paint.Red("✗ Failed")
	default:
		text = t.Paint.Faint("? " + string(word))
	}
	if why != "" {
		text += ": " + why
	}
	return text
}

func (t *Printer) problem(p platform.Problem) string {
	if p.Warning {
		return t.Paint.Yellow("! Warning ") + strings.Replace(p.String(), "warning: ", "", 1)
	}
	return t.Paint.Red("! Problem ") + p.String()
}

// problems lists those that no instance above shows.
func (t *Printer) problems(s status.Status) {
	shown := map[string]bool{}
	for _, in := range s.Instances {
		for _, p := range in.Problems {
			shown[p.String()] = true
		}
	}
	var warnings []platform.Problem
	all := slices.Clone(s.Platform.Problems)
	for _, e := range s.Environments {
		all = append(all, e.Problems...)
	}
	for _, p := range all {
		text := p.String()
		if shown[text] {
			continue
		}
		shown[text] = true
		if p.Warning {
			warnings = append(warnings, p)
			continue
		}
		fmt.Fprintf(t.W, "\n%s\n", t.problem(p))
	}
	t.warnings(warnings)
}

// since is a time span as people say it.
func (t *Printer) since(at time.Time) string {
	d := max(t.Now.Sub(at), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
