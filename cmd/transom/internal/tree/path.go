package tree

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/status"
	"transom.dev/render/gate"
	"transom.dev/render/state"
)

// shownFailures bounds how many rejected releases of an instance are printed.
const shownFailures = 3

// promotion prints the gates that an instance waits for, how far its rollout is, its failures and its debts.
func (t *Printer) promotion(in status.Instance, l Limb) {
	lines := slices.Concat(t.candidate(in), t.rollout(in), t.failures(in))
	for _, debt := range in.Debts {
		lines = append(lines, t.Paint.Yellow("debt")+" "+debt)
	}
	if t.Open {
		lines = append(lines, t.passed(in)...)
	}
	for _, line := range lines {
		fmt.Fprintf(t.W, "%s%s\n", l.Below, line)
	}
}

// candidate lists the release that waits, its changes, and the gates that are closed for it.
func (t *Printer) candidate(in status.Instance) []string {
	if in.Candidate == nil && len(in.Waiting) == 0 {
		return nil
	}
	what := "a change of the environment"
	if in.Rollout != nil {
		what = "its rollout"
	}
	if c := in.Candidate; c != nil {
		what = terminal.Release(c.Version, c.Release)
		if c.Absent {
			what = "its removal " + t.Paint.Faint(terminal.Short(c.Release))
		}
	}
	line := t.Paint.Yellow("→") + " " + what + " waits"
	if rejectedNow(in) {
		line = t.Paint.Red("✗") + " " + what + " is rejected"
	}
	if in.Skipped > 0 {
		line += t.Paint.Faint(fmt.Sprintf(" (overtook %s)", terminal.Count(in.Skipped, "release")))
	}
	lines := []string{line}
	if c := in.Candidate; c != nil {
		for _, d := range c.Changes {
			lines = append(lines, "  "+d.String())
		}
	}
	for _, g := range in.Waiting {
		lines = append(lines, "  "+t.gate(g))
	}
	approves := func(g status.Gate) bool { return g.Name == gate.Approval || g.Name == gate.Rejected }
	if in.Candidate != nil && slices.ContainsFunc(in.Waiting, approves) {
		lines = append(lines, fmt.Sprintf("  \"transom promote %s -e %s\" writes the Approval", in.Request, in.Environment))
	}
	return lines
}

// gate prints the unmet condition of a gate, since when it is unmet, who opens it, and when it opens by itself.
func (t *Printer) gate(g status.Gate) string {
	text := t.Paint.Bold(string(g.Name)) + ": " + g.Reason
	if !g.Since.IsZero() {
		text += t.Paint.Faint(", for " + t.since(g.Since))
	}
	switch {
	case !g.At.IsZero():
		text += fmt.Sprintf("; opens by itself in %s, at %s", t.until(g.At), g.At.Local().Format(time.DateTime))
	case g.Opens != "":
		text += "; opens: " + g.Opens
	}
	return text
}

// rollout lists the progress of a rollout, wave by wave.
func (t *Printer) rollout(in status.Instance) []string {
	r := in.Rollout
	if r == nil {
		return nil
	}
	line := "rollout"
	if r.Cause != "" {
		line += " (" + string(r.Cause) + ")"
	}
	if !r.Entered.IsZero() {
		line += t.Paint.Faint(" for " + t.since(r.Entered))
	}
	line += ": " + strings.Join(t.waves(in), "; ")
	lines := []string{line}
	if !r.Deadline.IsZero() {
		lines = append(lines, fmt.Sprintf("  fails unless it is healthy in %s, at %s", t.until(r.Deadline), r.Deadline.Local().Format(time.DateTime)))
	}
	if r.Stopped != "" {
		lines = append(lines, t.Paint.Red("stopped")+": "+r.Stopped)
	}
	return lines
}

// waves lists for each wave, in the order of the environment's clusters, which clusters have the release that is rolled out.
func (t *Printer) waves(in status.Instance) []string {
	var order []string
	parts := map[string][]string{}
	for _, p := range in.Placements {
		wave := t.wave[in.Environment+"/"+p.Cluster]
		if parts[wave] == nil {
			order = append(order, wave)
		}
		has := "has it"
		switch {
		case slices.Contains(in.Rollout.Pending, p.Cluster):
			has = "waits"
		case p.IsHealthy():
			has = "has it, healthy"
		case p.Health == state.Failed:
			has = "has it, failed"
		}
		parts[wave] = append(parts[wave], p.Cluster+" "+has)
	}
	slices.SortStableFunc(order, func(x, y string) int { return t.waveOrder[in.Environment+"/"+x] - t.waveOrder[in.Environment+"/"+y] })
	var text []string
	for _, wave := range order {
		line := strings.Join(parts[wave], ", ")
		if wave != "" {
			line = "wave " + wave + ": " + line
		}
		text = append(text, line)
	}
	return text
}

// failures lists the rejected releases, the newest first. One failure rejects a release on every cluster.
func (t *Printer) failures(in status.Instance) []string {
	var lines, told []string
	for _, f := range slices.Backward(status.Causes(in.Rejected)) {
		if isWaiting(in, f.Release) {
			continue // its gate has told it
		}
		line := terminal.Release(f.Version, f.Release) + ": " + f.String()
		if slices.Contains(told, line) {
			continue
		}
		if told = append(told, line); len(told) > shownFailures {
			continue
		}
		line = t.Paint.Red("✗ rejected") + " " + line
		if !f.At.IsZero() {
			line += t.Paint.Faint("  " + t.since(f.At) + " ago")
		}
		lines = append(lines, line)
	}
	if more := len(told) - len(lines); more > 0 {
		lines = append(lines, t.Paint.Faint(fmt.Sprintf("and %d earlier", more)))
	}
	return lines
}

// isWaiting says whether a release would come next, were it not rejected.
func isWaiting(in status.Instance, release string) bool {
	return in.Candidate != nil && in.Candidate.Release == release &&
		slices.ContainsFunc(in.Waiting, func(g status.Gate) bool { return g.Name == gate.Rejected })
}

// passed prints how the release that runs came here, and for how long it proved itself.
func (t *Printer) passed(in status.Instance) (lines []string) {
	if len(in.PromotedFrom) > 0 {
		lines = append(lines, t.Paint.Faint("promoted from "+strings.Join(in.PromotedFrom, ", ")))
	}
	for _, g := range in.Gates {
		lines = append(lines, t.Paint.Faint("passed "+PassedGate(g)))
	}
	for _, p := range slices.Backward(in.Proven) {
		if p.Release == in.Release {
			lines = append(lines, t.Paint.Faint("proven here: healthy for "+p.Soaked))
			break
		}
	}
	return lines
}

// PassedGate names a gate with the figure or the decision that opened it.
func PassedGate(g state.PassedGate) string {
	text := string(g.Gate)
	if g.Figure != "" {
		text += ": " + figure(g)
	}
	if g.Decision != "" {
		text += ", by " + g.Decision
	}
	if g.Author != "" {
		text += " of " + g.Author
	}
	if g.Commit != "" {
		text += " in " + terminal.Short(g.Commit)
	}
	return text
}

// pending is the end of the line of a healthy instance: the clusters to go, and the release that waits.
func (t *Printer) pending(in status.Instance) string {
	var parts []string
	if in.Rollout != nil && len(in.Rollout.Pending) > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s to go", len(in.Rollout.Pending), terminal.Count(len(in.Placements), "cluster")))
	}
	switch {
	case rejectedNow(in):
		parts = append(parts, t.Paint.Red("✗ ")+waitsInShort(in))
	case len(in.Waiting) > 0:
		parts = append(parts, t.Paint.Yellow("→ ")+waitsInShort(in))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, "; ")
}

// waitsInShort names the release that waits, and the gates.
func waitsInShort(in status.Instance) string {
	what := ""
	if in.Candidate != nil && !in.Candidate.Absent {
		what = in.Candidate.Version + " "
	}
	var gates []string
	for _, g := range in.Waiting {
		if g.Name == gate.Rejected {
			return what + "is rejected"
		}
		gates = append(gates, string(g.Name))
	}
	return what + "waits for " + strings.Join(gates, ", ")
}

// until is the time span to a moment in the future, as people say it.
func (t *Printer) until(at time.Time) string {
	turned := Printer{Now: at}
	return turned.since(t.Now)
}

// indexClusters remembers the wave of each cluster, the order of the waves, and the clusters that are not reachable.
func (t *Printer) indexClusters(environments []status.Environment) {
	t.wave, t.waveOrder, t.away = map[string]string{}, map[string]int{}, map[string]bool{}
	for _, e := range environments {
		for i, c := range e.Clusters {
			t.away[e.Name+"/"+c.Name] = !c.Reachable
			t.wave[e.Name+"/"+c.Name] = c.Wave
			if _, known := t.waveOrder[e.Name+"/"+c.Wave]; !known {
				t.waveOrder[e.Name+"/"+c.Wave] = i
			}
		}
	}
}

// figure is a gate's figure in the words of people: of a rollout over many instances, the record has the group's name.
func figure(g state.PassedGate) string {
	if g.Gate != gate.Rollout {
		return g.Figure
	}
	if strings.HasPrefix(g.Figure, "environment:values:") {
		return "of new values that it is bound to"
	}
	if strings.HasPrefix(g.Figure, "environment:") {
		return "of what the environment changed"
	}
	return "of " + strings.TrimPrefix(g.Figure, "version:")
}
