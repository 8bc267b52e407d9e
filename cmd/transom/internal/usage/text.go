package usage

import (
	"fmt"
	"io"
	"strings"

	"transom.dev/cmd/transom/internal/catalog"
	"transom.dev/cmd/transom/internal/terminal"
)

// Text prints the versions for people, newest first.
func (u *Usage) Text(w io.Writer, p terminal.Paint) {
	for n, v := range u.Versions {
		if n > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, p.Bold(u.Offering+"@"+v.String()))
		v.instances(w, p)
		for _, line := range v.Blocked {
			fmt.Fprintf(w, "  %s\n", p.Yellow("blocks retirement: "+line))
		}
		switch {
		case v.Removable:
			fmt.Fprintf(w, "  %s\n", p.Green("nothing uses it: it can be removed"))
		case len(v.Instances) == 0:
			fmt.Fprintf(w, "  %s\n", p.Yellow("nothing requests it; whether something runs it is not known"))
		case v.Withdrawable && len(v.Blocked) == 0:
			fmt.Fprintf(w, "  %s\n", p.Green("can be withdrawn, and removed once nothing runs it"))
		}
	}
	for _, key := range u.Unresolved {
		fmt.Fprintf(w, "\n%s\n", p.Red(fmt.Sprintf("%s has a Problem, so what it runs is not known here; see \"transom check\"", key)))
	}
	if unknown := u.States.Unknown(); unknown != "" {
		fmt.Fprintf(w, "\n%s\n", p.Yellow(unknown))
	}
}

// instances prints a line for the environments in which a request uses the version in the same way.
func (v Version) instances(w io.Writer, p terminal.Paint) {
	for rest := v.Instances; len(rest) > 0; {
		first := rest[0]
		var in []string
		for len(rest) > 0 && like(first, rest[0]) {
			in = append(in, rest[0].Environment)
			rest = rest[1:]
		}
		line := fmt.Sprintf("  %s in %s", first.Request, strings.Join(in, ", "))
		switch {
		case first.Wanted != "":
			line += p.Yellow(fmt.Sprintf("  resolves to %s now", first.Wanted))
		case first.Otherwise != "":
			line += p.Faint(fmt.Sprintf("  version %q, else %s", first.Constraint, first.Otherwise))
		case first.Constraint != "":
			line += p.Faint(fmt.Sprintf("  version %q", first.Constraint))
		}
		fmt.Fprintln(w, line)
	}
}

// like says whether two instances differ in nothing but their environment.
func like(i, o catalog.Instance) bool {
	o.Environment = i.Environment
	return i == o
}
