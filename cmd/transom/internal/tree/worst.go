package tree

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// severity orders requests by how much they need somebody: the highest first.
func severity(of []status.Instance) (worst int) {
	for _, in := range of {
		worst = max(worst, severityOf(in))
	}
	return worst
}

func severityOf(in status.Instance) int {
	level := 0
	for _, p := range in.Placements {
		switch {
		case len(p.Problems) > 0 || p.Health == state.Failed:
			level = max(level, 4)
		case p.Health == state.Unknown:
			level = max(level, 2)
		case p.Health != state.Healthy:
			level = max(level, 1)
		}
	}
	switch {
	case slices.ContainsFunc(in.Problems, func(p platform.Problem) bool { return !p.Warning }):
		return 4
	case isStopped(in) || rejectedNow(in):
		return max(level, 3)
	default:
		return level
	}
}

// isStopped says whether the rollout of an instance was stopped.
func isStopped(in status.Instance) bool { return in.Rollout != nil && in.Rollout.Stopped != "" }

// rejectedNow reports whether the release that an instance would take next failed here before.
func rejectedNow(in status.Instance) bool {
	return slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return g.Name == gate.Rejected })
}

// footer counts.
func (t *Printer) footer(s status.Status) {
	counts := map[state.Health]int{}
	total := 0
	for _, in := range s.Instances {
		for _, p := range in.Placements {
			counts[p.Health]++
			total++
		}
	}
	var parts []string
	for _, health := range []state.Health{state.Failed, state.Progressing, state.Unknown, state.Suspended, state.Healthy} {
		if counts[health] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[health], health))
		}
	}
	requests := trouble(s.Instances)
	switch {
	case total > 0 && requests != "":
		fmt.Fprintf(t.W, "\n%s: %s; %s\n", terminal.Count(total, "placement"), strings.Join(parts, ", "), requests)
	case total > 0:
		fmt.Fprintf(t.W, "\n%s: %s\n", terminal.Count(total, "placement"), strings.Join(parts, ", "))
	case requests != "":
		fmt.Fprintf(t.W, "\n%s\n", requests)
	}
}

// trouble counts the requests that somebody has to look at though what they run may be healthy, each once for each reason.
func trouble(instances []status.Instance) string {
	var parts []string
	for _, kind := range []struct {
		name string
		of   func(status.Instance) bool
	}{
		{"with a Problem", hasProblem},
		{"stopped", isStopped},
		{"rejected", rejectedNow},
		{"waiting", func(in status.Instance) bool { return len(in.Waiting) > 0 && !rejectedNow(in) }},
	} {
		keys := map[platform.RequestKey]bool{}
		for _, in := range instances {
			if kind.of(in) {
				keys[in.Request] = true
			}
		}
		if len(keys) > 0 {
			parts = append(parts, terminal.Count(len(keys), "request")+" "+kind.name)
		}
	}
	return strings.Join(parts, ", ")
}

// hasProblem says whether an instance, or a placement of it, has a Problem.
func hasProblem(in status.Instance) bool {
	return slices.ContainsFunc(in.Problems, func(p platform.Problem) bool { return !p.Warning }) ||
		slices.ContainsFunc(in.Placements, func(p status.Placement) bool { return len(p.Problems) > 0 })
}

// decision tells of a Hold, a Pin or an Override that is in force.
func (t *Printer) decision(d status.Decision) string {
	text := fmt.Sprintf("%s of %s", t.Paint.Yellow(strings.ToLower(string(d.Kind))), d.About)
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	if !d.Until.IsZero() {
		text += fmt.Sprintf(", for %s more", t.until(d.Until))
	}
	return text + t.Paint.Faint("  "+d.File)
}

// problemOnce is a Problem in full the first time, and then the request at which it was printed.
func (t *Printer) problemOnce(in status.Instance, p platform.Problem) string {
	return t.once(in.Request.String(), p.String(), t.problem(p))
}

// placedProblem is a Problem of a placement. One about none of its objects is the cluster's, and so that of its neighbours too.
func (t *Printer) placedProblem(p status.ObjectProblem) string {
	if p.Object == "" {
		return t.once(t.about, p.Message, t.Paint.Red("! Problem ")+p.Message)
	}
	return fmt.Sprintf("%s %s: %s", t.Paint.Red("! Problem"), p.Object, p.Message)
}

// once is what is printed of a Problem: all of it, or that it is the one of another request.
func (t *Printer) once(here, text, printed string) string {
	first, told := t.said[text]
	if !told {
		t.said[text] = here
		return printed
	}
	if first == here {
		return t.Paint.Red("!") + " the same Problem"
	}
	return t.Paint.Red("!") + " the same Problem as " + first
}

// summaryOf joins the parameters that an offering marks for display and the images that run, without their registries.
func summaryOf(in status.Instance) string {
	var parts []string
	for _, p := range in.Display {
		parts = append(parts, p.Name+"="+p.Value)
	}
	var images []string
	for _, p := range in.Placements {
		for _, image := range p.Images {
			images = append(images, wording.Image(image))
		}
	}
	slices.Sort(images)
	images = slices.Compact(images)
	if more := len(images) - 3; more > 0 {
		images = append(images[:3], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(append(parts, images...), " ")
}

// warnings are listed where all is opened, and otherwise counted by their rules.
func (t *Printer) warnings(list []platform.Problem) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(t.W)
	if t.Open || len(list) <= 3 {
		for _, p := range list {
			fmt.Fprintln(t.W, t.problem(p))
		}
		return
	}
	counts := map[string]int{}
	for _, p := range list {
		counts[p.Rule]++
	}
	var rules []string
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		rules = append(rules, fmt.Sprintf("%d %s", counts[rule], rule))
	}
	fmt.Fprintf(t.W, "%s %s: %s %s\n", t.Paint.Yellow("!"), terminal.Count(len(list), "Warning"), strings.Join(rules, ", "),
		t.Paint.Faint("(--verbose lists them)"))
}

// mostFine is how many healthy objects of a placement are listed without being asked for.
const mostFine = 3

// objects are those of a placement that are worth a line, and how many healthy ones are only counted.
func (t *Printer) objects(p status.Placement) (shown []status.Object, fine int) {
	for _, o := range p.Objects {
		if o.Health == state.Healthy && o.Message == "" {
			fine++
		}
	}
	counts := !t.All && fine > mostFine
	for _, o := range p.Objects {
		isFine := o.Health == state.Healthy && o.Message == ""
		listed := t.Open && !(counts && isFine)
		if listed || o.Health != state.Healthy {
			shown = append(shown, o)
		}
	}
	if !counts || !t.Open {
		fine = 0
	}
	if !t.All {
		shown = alike(shown)
	}
	return shown, fine
}

// alike has one of many objects that say the same stand for all of them, as where another agent has not applied anything yet.
func alike(objects []status.Object) (some []status.Object) {
	type said struct {
		health  state.Health
		message string
	}
	count := map[said]int{}
	for _, o := range objects {
		count[said{o.Health, o.Message}]++
	}
	told := map[said]bool{}
	for _, o := range objects {
		its := said{o.Health, o.Message}
		if n := count[its]; o.Message != "" && n > mostFine {
			if told[its] {
				continue
			}
			told[its] = true
			o.Name += fmt.Sprintf(" and %d more", n-1)
		}
		some = append(some, o)
	}
	return some
}

// added are the fields that others set. Of many objects of which an agent set the same one stands for all.
func (t *Printer) added(p status.Placement) (some []status.Added) {
	type said struct{ manager, field string }
	count := map[said]int{}
	for _, a := range p.Added {
		count[said{a.Manager, a.Field}]++
	}
	told := map[said]bool{}
	for _, a := range p.Added {
		its := said{a.Manager, a.Field}
		if n := count[its]; a.Agent && !t.All && n > mostFine {
			if told[its] {
				continue
			}
			told[its] = true
			a.Object += fmt.Sprintf(" and %d more", n-1)
		}
		some = append(some, a)
	}
	return some
}
