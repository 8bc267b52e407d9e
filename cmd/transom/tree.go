package main

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
)

// tree prints a status as people read it: request, environment, cluster, object; what is healthy in one line.
type tree struct {
	w     io.Writer
	paint terminal.Paint
	open  bool // down to the objects even where all is healthy
	now   time.Time

	wave      map[string]string // by ENVIRONMENT/CLUSTER
	waveOrder map[string]int    // by ENVIRONMENT/WAVE
}

// status prints everything. Narrowed leaves out what concerns nobody in particular.
func (t *tree) status(s status.Status, narrowed bool) {
	t.learn(s.Environments)
	t.platform(s.Platform)
	for _, e := range s.Environments {
		t.environment(e)
	}
	for i, from := 0, 0; i < len(s.Instances); from = i {
		for i < len(s.Instances) && s.Instances[i].Request == s.Instances[from].Request {
			i++
		}
		t.request(s.Instances[from:i])
	}
	if len(s.Instances) == 0 {
		fmt.Fprintln(t.w, "\nno requests: merge one below requests/ and it appears here")
	}
	if !narrowed {
		t.problems(s)
	}
	t.footer(s)
}

func (t *tree) platform(p status.Platform) {
	line := t.paint.Bold("platform") + " " + p.URL
	if p.Commit != "" {
		line += " at " + terminal.Short(p.Commit)
	}
	fmt.Fprintln(t.w, line)
	if p.Error != "" {
		fmt.Fprintf(t.w, "  %s\n", t.paint.Red(p.Error))
	}
}

// environment tells what is unusual about an environment and its clusters; where nothing is, nothing is printed.
func (t *tree) environment(e status.Environment) {
	if e.Frozen != "" {
		fmt.Fprintf(t.w, "  %s frozen: %s\n", t.paint.Bold(e.Name), t.paint.Red(e.Frozen))
	}
	if e.Deletions != "" {
		fmt.Fprintf(t.w, "  %s deletions wait: more than its deletionLimit; \"transom promote --deletions %s -e %s\" lets them through\n",
			t.paint.Bold(e.Name), e.Deletions, e.Name)
	}
	if e.Plan != "" {
		fmt.Fprintf(t.w, "  %s a change of the environment waits; \"transom promote --plan %s -e %s\" approves it\n", t.paint.Bold(e.Name), e.Plan, e.Name)
	}
	if e.Error != "" {
		fmt.Fprintf(t.w, "  %s is tried again: %s\n", t.paint.Bold(e.Name), t.paint.Yellow(e.Error))
	}
	for _, c := range e.Clusters {
		switch {
		case !c.Reachable:
			since := ""
			if !c.Since.IsZero() {
				since = " for " + t.since(c.Since)
			}
			fmt.Fprintf(t.w, "  %s cluster %s is not reachable%s: %s\n", t.paint.Bold(e.Name), c.Name, since, t.paint.Red(orNothing(c.Message)))
		case c.State != "active":
			fmt.Fprintf(t.w, "  %s cluster %s is %s\n", t.paint.Bold(e.Name), c.Name, t.paint.Yellow(c.State))
		}
	}
}

func orNothing(message string) string {
	if message == "" {
		return "it did not answer yet"
	}
	return message
}

// request prints the instances of one request.
func (t *tree) request(instances []status.Instance) {
	first := instances[0]
	fmt.Fprintf(t.w, "\n%s  %s\n", t.paint.Bold(first.Request.String()), t.paint.Faint(first.Offering))
	for i, in := range instances {
		t.instance(in, branch(i == len(instances)-1))
	}
}

// limb is how a line of the tree is led in, and those below it.
type limb struct{ lead, below string }

func branch(last bool) limb {
	if last {
		return limb{"└─ ", "   "}
	}
	return limb{"├─ ", "│  "}
}

func (l limb) under(o limb) limb { return limb{o.below + l.lead, o.below + l.below} }

func (t *tree) instance(in status.Instance, l limb) {
	head := in.Environment
	if in.Version != "" {
		head += "  " + in.Version
	}
	if t.open && in.Release != "" {
		head += " " + t.paint.Faint("("+terminal.Short(in.Release)+")")
	}
	if in.Absent {
		head += "  removed"
	}
	if t.calm(in) {
		names := make([]string, len(in.Placements))
		for i, p := range in.Placements {
			names[i] = p.Cluster
		}
		fmt.Fprintf(t.w, "%s%s  %s  %s%s\n", l.lead, head, t.health("Healthy", ""), t.paint.Faint(strings.Join(names, ", ")), t.pending(in))
		return
	}
	fmt.Fprintf(t.w, "%s%s\n", l.lead, head)
	for _, p := range in.Problems {
		fmt.Fprintf(t.w, "%s%s\n", l.below, t.problem(p))
	}
	t.promotion(in, l)
	for i, p := range in.Placements {
		t.placement(p, branch(i == len(in.Placements)-1).under(l))
	}
	if t.open {
		t.outputs(in, l)
	}
}

// calm says whether one line says all that matters of an instance.
func (t *tree) calm(in status.Instance) bool {
	if t.open || in.Absent || len(in.Problems) > 0 || len(in.Placements) == 0 || in.Rollout != nil && in.Rollout.Stopped != "" {
		return false
	}
	for _, p := range in.Placements {
		if p.Stage != status.Healthy || p.Health != "Healthy" || len(p.Problems) > 0 {
			return false
		}
	}
	return true
}

func (t *tree) placement(p status.Placement, l limb) {
	shown := t.objects(p)
	why := p.Message
	if len(p.Problems) > 0 || slices.ContainsFunc(shown, func(o status.Object) bool { return o.Message != "" }) {
		why = "" // what follows says it
	}
	line := l.lead + p.Cluster + "  "
	if p.Stage != status.Healthy && p.Stage != status.Applied {
		line += string(p.Stage) + ", "
	}
	line += t.health(p.Health, why)
	if p.Version != "" || p.Release != "" {
		line += t.paint.Faint("  still " + release(p.Version, p.Release))
	}
	if p.Stage == status.Healthy && !p.HealthyAt.IsZero() {
		line += t.paint.Faint("  since " + t.since(p.HealthyAt))
	}
	fmt.Fprintln(t.w, line)
	for _, problem := range p.Problems {
		fmt.Fprintf(t.w, "%s%s %s: %s\n", l.below, t.paint.Red("! Problem"), problem.Object, problem.Message)
	}
	for i, o := range shown {
		limb := branch(i == len(shown)-1).under(l)
		fmt.Fprintf(t.w, "%s%s %s  %s\n", limb.lead, o.Kind, o.Name, t.health(o.Health, o.Message))
	}
}

// objects are those of a placement that are worth a line.
func (t *tree) objects(p status.Placement) []status.Object {
	var shown []status.Object
	for _, o := range p.Objects {
		if t.open || o.Health != "Healthy" {
			shown = append(shown, o)
		}
	}
	return shown
}

func (t *tree) outputs(in status.Instance, l limb) {
	for _, name := range slices.Sorted(maps.Keys(in.Outputs)) {
		fmt.Fprintf(t.w, "%s%s\n", l.below, t.paint.Faint(fmt.Sprintf("%s = %v", name, in.Outputs[name])))
	}
}

// health is a sign, the word, and why.
func (t *tree) health(word, why string) string {
	var text string
	switch word {
	case "Healthy":
		text = t.paint.Green("✓ Healthy")
	case "Progressing":
		text = t.paint.Yellow("◔ Progressing")
	case "Failed":
		text = t.paint.Red("✗ Failed")
	default:
		text = t.paint.Faint("? " + word)
	}
	if why != "" {
		text += ": " + why
	}
	return text
}

func (t *tree) problem(p platform.Problem) string {
	if p.Warning {
		return t.paint.Yellow("! Warning ") + p.String()
	}
	return t.paint.Red("! Problem ") + p.String()
}

// problems lists those that no instance above shows.
func (t *tree) problems(s status.Status) {
	shown := map[string]bool{}
	for _, in := range s.Instances {
		for _, p := range in.Problems {
			shown[p.String()] = true
		}
	}
	all := s.Platform.Problems
	for _, e := range s.Environments {
		all = append(all, e.Problems...)
	}
	for _, p := range all {
		if text := p.String(); !p.Warning && !shown[text] {
			shown[text] = true
			fmt.Fprintf(t.w, "\n%s\n", t.problem(p))
		}
	}
}

// footer counts.
func (t *tree) footer(s status.Status) {
	counts := map[string]int{}
	total := 0
	for _, in := range s.Instances {
		for _, p := range in.Placements {
			counts[p.Health]++
			total++
		}
	}
	var parts []string
	for _, health := range []string{"Failed", "Progressing", "Unknown", "Healthy"} {
		if counts[health] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[health], health))
		}
	}
	if total > 0 {
		fmt.Fprintf(t.w, "\n%s: %s\n", terminal.Count(total, "placement"), strings.Join(parts, ", "))
	}
}

// since is a time span as people say it.
func (t *tree) since(at time.Time) string {
	d := max(t.now.Sub(at), 0)
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
