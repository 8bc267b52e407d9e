package plan

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// Text prints a plan for people: the moves, the changes at once, those that follow once promoted, and at the end the lines
// that need attention.
func (p *Plan) Text(w io.Writer, paint terminal.Paint, verbose bool) {
	for _, line := range p.moves() {
		fmt.Fprintln(w, paint.Bold(line))
	}
	p.now().text(w, paint, verbose)
	for _, e := range p.Environments {
		if e.LetGo {
			fmt.Fprintf(w, "%s\n  %s\n", paint.Bold(e.Name), paint.Yellow(environmentLetGo))
		}
	}
	if len(p.Promoted.Changes) > 0 {
		fmt.Fprintln(w, paint.Bold("once promoted:"))
		p.Promoted.text(w, paint, verbose)
	}
	if len(p.Blocked.Changes) > 0 {
		fmt.Fprintln(w, paint.Bold(blockedHeading))
		p.Blocked.text(w, paint, verbose)
	}
	p.attention(w, paint)
	p.adoptions(w, paint)
	for _, d := range p.Decisions {
		fmt.Fprintln(w, d.line())
	}
	for _, line := range p.waiting() {
		fmt.Fprintln(w, line)
	}
	if verbose && len(p.OnTheirWay.Changes) > 0 {
		fmt.Fprintln(w, paint.Bold("already on its way, without this merge:"))
		p.OnTheirWay.text(w, paint, verbose)
	}
	for _, e := range p.Environments {
		if e.Digest != "" {
			fmt.Fprintf(w, "plan of %s: %s\n", e.Name, e.Digest)
		}
	}
	for _, note := range p.Notes {
		fmt.Fprintln(w, paint.Yellow(note))
	}
	fmt.Fprintf(w, "compared with %s: %s\n", p.Base, p.counts())
}

// blockedHeading is the heading of the changes that gates keep back.
const blockedHeading = "held back:"

// counts counts in one line the changes at once, those once promoted, and those that are kept back.
func (p *Plan) counts() string {
	text := p.now().counts()
	if len(p.Promoted.Changes) > 0 {
		text += "; once promoted " + p.Promoted.counts()
	}
	if len(p.Blocked.Changes) > 0 {
		text += "; held back " + p.Blocked.counts()
	}
	return text
}

// waiting lists the changes that are on their way already, those that nothing proves, and those that wait for more than the
// steps of their environment.
func (p *Plan) waiting() (lines []string) {
	for _, e := range p.OnTheirWay.Environments {
		if going := e.going(); len(going) > 0 {
			lines = append(lines, fmt.Sprintf("already on its way to %s, without this merge: %s", e.Name, few(union(nil, going))))
		}
		for _, w := range e.Stuck {
			lines = append(lines, fmt.Sprintf("merged before, and waits in %s, %s: %s", e.Name, w.Gate, w.line()))
		}
	}
	return append(lines, p.waitLines()...)
}

// waitLines lists the gates that are closed for more than the health of others and time, each with what opens it: of the Approvals in
// an environment the first ten.
func (p *Plan) waitLines() (lines []string) {
	const shown = 10
	approvals, rest := map[string]int{}, map[string]int{}
	for _, w := range p.Waits {
		told := slices.ContainsFunc(p.Blocked.Changes, func(c preview.Change) bool { return c.Environment == w.Environment })
		if w.steps && w.Gate != gate.Approval || w.keeps && told {
			continue
		}
		if w.Gate == gate.Approval {
			if approvals[w.Environment]++; approvals[w.Environment] > shown {
				rest[w.Environment]++
				continue
			}
		}
		lines = append(lines, "waits in "+w.Environment+": "+w.line())
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		lines = append(lines, fmt.Sprintf("waits in %s: %s, which transom plan -o json lists", name, terminal.Count(rest[name], "more Approval")))
	}
	return lines
}

// going are the requests on their way that nothing keeps from it.
func (e Environment) going() (keys []platform.RequestKey) {
	for _, k := range e.OnTheirWay {
		if !slices.ContainsFunc(e.Stuck, func(w Wait) bool { return slices.Contains(w.Requests, k) }) {
			keys = append(keys, k)
		}
	}
	return keys
}

// environmentLetGo is the text for an environment whose file is removed.
const environmentLetGo = "let go: its file is removed; its clusters keep what they run, and its state repository stays"

// moves tells in a line which requests each change of version moves, over all environments.
func (p *Plan) moves() (lines []string) {
	type step struct{ offering, from, to string }
	var order []step
	moving, all, in := map[step][]string{}, map[step][]string{}, map[step][]string{}
	for _, e := range slices.Concat(p.Environments, p.Promoted.Environments) {
		for _, m := range e.Moves {
			s := step{m.Offering, m.From, m.To}
			if moving[s] == nil {
				order = append(order, s)
			}
			in[s] = append(in[s], e.Name)
			moving[s] = union(moving[s], m.Requests)
			all[s] = union(union(all[s], m.Requests), m.Stay)
		}
	}
	for _, s := range order {
		lines = append(lines, fmt.Sprintf("%s %s → %s moves %d of %s in %s: %s", s.offering, s.from, s.to,
			len(moving[s]), terminal.Count(len(all[s]), "request"), strings.Join(in[s], ", "), few(moving[s])))
	}
	return lines
}

// union adds requests to sorted names, each once.
func union(names []string, keys []platform.RequestKey) []string {
	for _, k := range keys {
		if !slices.Contains(names, k.String()) {
			names = append(names, k.String())
		}
	}
	slices.Sort(names)
	return names
}

// attention prints cautions, Problems and Warnings.
func (p *Plan) attention(w io.Writer, paint terminal.Paint) {
	for _, e := range slices.Concat(p.Environments, p.Promoted.Environments) {
		for _, c := range e.Cautions {
			fmt.Fprintln(w, paint.Red("caution: ")+caution(e.Name, c))
		}
	}
	for _, e := range p.Blocked.Environments {
		for _, c := range e.Cautions {
			fmt.Fprintln(w, paint.Yellow("caution, once it is not held any more: ")+caution(e.Name, c))
		}
	}
	if len(p.Problems) > 0 {
		fmt.Fprintln(w, "Problems; what they concern keeps what it has:")
	}
	for _, problem := range p.Problems {
		fmt.Fprintf(w, "  %s\n", paint.Red(problem.String()))
	}
	for _, problem := range p.Known {
		fmt.Fprintln(w, paint.Faint("known: "+problem.String()))
	}
	const shown = 20
	for i, warning := range p.Warnings {
		if i == shown {
			fmt.Fprintf(w, "and %s; transom check lists all\n", terminal.Count(len(p.Warnings)-shown, "more Warning"))
			break
		}
		fmt.Fprintln(w, paint.Yellow(warning.String()))
	}
}

// caution is the text of one: DANGER in ENVIRONMENT: OWNER: message.
func caution(environment string, c preview.Caution) string {
	owner := c.Team
	if c.Request != "" {
		owner += "/" + c.Request
	}
	return fmt.Sprintf("%s in %s: %s: %s", c.Danger, environment, owner, c.Message)
}

// A Listing prints changes by environment, request and object.
type Listing struct {
	W     io.Writer
	Paint terminal.Paint
	Apart bool // requests of which the same changes are not joined
	Full  bool // added and removed objects are shown in full
}

// Print prints changes, below the heading of each environment.
func (l Listing) Print(changes []preview.Change, heading func(environment string)) {
	all := blocks(changes)
	if !l.Apart {
		all = folded(all)
	}
	environment := ""
	for _, b := range all {
		if b.environment != environment {
			environment = b.environment
			heading(environment)
		}
		b.text(l.W, l.Paint, l.Full)
	}
}

func (b *changeBlock) text(w io.Writer, p terminal.Paint, verbose bool) {
	fmt.Fprintf(w, "  %s", b.owner)
	if shared := b.shared(); shared != "" {
		fmt.Fprint(w, p.Faint(", "+shared))
	}
	fmt.Fprintln(w)
	for _, g := range b.groups {
		g.text(w, p, verbose)
	}
	if len(b.identical) > 0 {
		fmt.Fprintf(w, "    %s\n", p.Faint("the same for "+few(b.identical)))
	}
}

// summary is one change in a line: a sign, the object, its clusters.
func (g *changeGroup) summary() (sign, object, clusters string) {
	clusters = " on " + strings.Join(g.clusters, ", ")
	switch g.Action {
	case preview.Added:
		return "+", g.Object(), clusters
	case preview.Removed:
		return "-", g.Object(), clusters
	case preview.Replaced:
		return "±", g.Object() + " (" + strings.Join(g.Immutable, ", ") + ")", clusters
	case preview.LetGo:
		return "", "let go, nothing is deleted", clusters
	default:
		return "~", g.Object(), clusters
	}
}

func (g *changeGroup) text(w io.Writer, p terminal.Paint, verbose bool) {
	colour := map[preview.Action]func(string) string{preview.Added: p.Green, preview.Removed: p.Red, preview.Replaced: p.Red}[g.Action]
	if colour == nil {
		colour = p.Yellow
	}
	sign, object, clusters := g.summary()
	fmt.Fprintf(w, "    %s%s\n", colour(strings.TrimSpace(sign+" "+object)), p.Faint(clusters))
	if g.showsDiff() || verbose {
		g.diff(w, p)
	}
}

// showsDiff says whether a diff tells more than that the object comes or goes.
func (g *changeGroup) showsDiff() bool {
	return g.Action == preview.Changed || g.Action == preview.Replaced
}

func (g *changeGroup) diff(w io.Writer, p terminal.Paint) {
	for line := range strings.Lines(g.Diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = p.Green(line)
		case strings.HasPrefix(line, "-"):
			line = p.Red(line)
		case strings.HasPrefix(line, "@@"):
			line = p.Faint(line)
		}
		fmt.Fprintf(w, "        %s\n", line)
	}
}
