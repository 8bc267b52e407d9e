package diff

import (
	"fmt"
	"io"
	"strings"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render/preview"
)

// Text prints the changes for people. Verbose shows added and removed objects in full, and every request.
func (d *Diff) Text(w io.Writer, p terminal.Paint, verbose bool) {
	fmt.Fprintf(w, "%s → %s\n", p.Bold(d.From), p.Bold(d.To))
	for _, c := range d.Contract {
		name := c.What + " " + c.Name
		switch c.Action {
		case preview.Added:
			fmt.Fprintf(w, "  %s\n", p.Green("+ "+name+": "+oneLine(c.To)))
		case preview.Removed:
			fmt.Fprintf(w, "  %s\n", p.Red("- "+name+": "+oneLine(c.From)))
		default:
			fmt.Fprintf(w, "  %s\n    %s\n    %s\n", p.Yellow("~ "+name), p.Red("- "+oneLine(c.From)), p.Green("+ "+oneLine(c.To)))
		}
	}
	signs := map[preview.Action]string{preview.Added: p.Green("+"), preview.Removed: p.Red("-"), preview.Changed: p.Yellow("~")}
	for _, f := range d.Files {
		fmt.Fprintf(w, "  %s file %s\n", signs[f.Action], f.Path)
	}
	plan.Listing{W: w, Paint: p, Apart: verbose, Full: verbose}.Print(d.Objects, func(environment string) {
		fmt.Fprintf(w, "\n%s\n", p.Bold(environment))
	})
	for _, problem := range d.Problems {
		fmt.Fprintf(w, "with %s: %s\n", d.To, p.Red(problem.String()))
	}
	if len(d.Objects) == 0 && len(d.Problems) == 0 {
		fmt.Fprintln(w, "no object changes")
	}
	if d.Example {
		fmt.Fprintf(w, "%s %s: the objects are those of an example\n", d.nobody(), d.From)
	}
	if unknown := d.States.Unknown(); unknown != "" {
		fmt.Fprintln(w, p.Faint(unknown))
	}
}

// nobody says how far it is known that no request runs the first version.
func (d *Diff) nobody() string {
	if d.Looked {
		return "no request runs"
	}
	return "no request resolves to"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
