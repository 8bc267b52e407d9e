package diff

import (
	"fmt"
	"io"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/terminal"
)

// Text prints the changes for people. Verbose shows added and removed objects in full, and every request.
func (d *Diff) Text(w io.Writer, p terminal.Paint, verbose bool) {
	fmt.Fprintf(w, "%s → %s\n", p.Bold(d.From), p.Bold(d.To))
	d.Changes.Text(w, p)
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
