package catalog

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// A Page describes one offering, with the contract of one of its versions.
type Page struct {
	Offering
	Description string             `json:"description,omitempty"`
	Deletion    string             `json:"deletion"`
	Shown       string             `json:"version"` // whose contract follows
	Parameters  []schema.Parameter `json:"parameters"`
	Rules       []string           `json:"rules,omitempty"` // over several parameters
	Bindings    []Named            `json:"bindings,omitempty"`
	Components  []Named            `json:"components,omitempty"`
	Outputs     []Named            `json:"outputs"`
	Changes     *Changes           `json:"changes,omitempty"` // against the version before; absent: it is the first
	Example     string             `json:"example"`
	Looked      bool               `json:"looked"` // at the state of every environment; else the resolved versions stand in
	States      states.States      `json:"states"`
	Users       []Instance         `json:"users"`
}

// Named is something that a version declares: an output with its expression, a component with its condition, a binding with
// the offerings that it takes.
type Named struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Describe makes the page of an offering with the contract of a version. Users are the instances of the offering, with the
// versions that run as far as states say it.
func Describe(p *platform.Platform, o *platform.Offering, v *platform.Version, users []Instance, known states.States, now time.Time) (*Page, error) {
	page := &Page{
		Offering: offeringOf(o, now), Description: o.Description, Deletion: string(o.Deletion), Shown: v.Number.String(),
		Parameters: []schema.Parameter{}, Outputs: []Named{}, Example: schema.Example(p, o, v),
		Looked: len(known.Names(false)) == 0, States: known, Users: append([]Instance{}, users...),
	}
	parameters, rules := schema.Parameters(v)
	page.Parameters, page.Rules = append(page.Parameters, parameters...), rules
	for _, name := range slices.Sorted(maps.Keys(v.Bindings)) {
		page.Bindings = append(page.Bindings, Named{name, v.Bindings[name].String()})
	}
	for _, c := range v.Components {
		when := "always"
		if c.When != nil {
			when = c.When.Source
		}
		page.Components = append(page.Components, Named{c.Path, when})
	}
	for _, e := range v.Outputs {
		page.Outputs = append(page.Outputs, Named{e.Name, e.Source})
	}
	for _, o := range v.Observed {
		page.Outputs = append(page.Outputs, Named{o.Name, o.String()})
	}
	var err error
	page.Changes, err = changesOf(o, v)
	return page, err
}

// Text prints the page for people.
func (o *Page) Text(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "%s  %s\n", p.Bold(o.Name), o.Title)
	if o.Description != "" {
		fmt.Fprintf(w, "%s\n", strings.TrimSpace(o.Description))
	}
	fmt.Fprintf(w, "\nowner %s; for %s; when removed: %s\n", orDash(o.Owner), o.audience(), o.Deletion)
	o.versions(w, p)
	o.parameters(w, p)
	section(w, p, "Bindings", o.Bindings)
	section(w, p, "Optional parts, and when they are there", o.Components)
	section(w, p, "Outputs", o.Outputs)
	if c := o.Changes; c != nil {
		fmt.Fprintf(w, "\n%s\n", p.Bold("Changes of "+o.Shown+" against "+c.From))
		c.Text(w, p)
	}
	fmt.Fprintf(w, "\n%s\n", p.Bold("Example"))
	for line := range strings.Lines(o.Example) {
		fmt.Fprintf(w, "  %s", line)
	}
	o.users(w, p)
}

func (o *Page) versions(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "\n%s\n", p.Bold("Versions"))
	for _, v := range o.Versions {
		line := v.String()
		if v.Reason != "" {
			line += ": " + v.Reason
		}
		switch {
		case v.Overdue:
			line += "; its last day was " + v.RemoveAfter
		case v.RemoveAfter != "":
			line += "; may be removed after " + v.RemoveAfter
		}
		if v.Lifecycle != string(platform.Active) || v.Problem || v.Overdue {
			line = p.Yellow(line)
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
}

func (o *Page) parameters(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "\n%s\n", p.Bold("Parameters of "+o.Shown))
	if len(o.Parameters) == 0 {
		fmt.Fprintln(w, "  none")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, one := range o.Parameters {
		about := "optional"
		switch {
		case one.Required:
			about = "required"
		case one.Default != nil:
			about = "default " + yamledit.Inline(one.Default, true)
		}
		explained := append(splitOff(one.Description), one.Constraints...)
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", one.Name, one.Type, about, strings.Join(explained, "; "))
	}
	_ = t.Flush() // fails where w does, and then nobody reads
	for _, rule := range o.Rules {
		fmt.Fprintf(w, "  rule: %s\n", rule)
	}
}

// splitOff is a description on one line, without a full stop at its end.
func splitOff(description string) []string {
	if description = strings.TrimSuffix(strings.TrimSpace(description), "."); description == "" {
		return nil
	}
	return []string{strings.Join(strings.Fields(description), " ")}
}

// section prints a titled list, unless it is empty.
func section(w io.Writer, p terminal.Paint, title string, all []Named) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", p.Bold(title))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range all {
		fmt.Fprintf(t, "  %s\t%s\n", n.Name, strings.Join(strings.Fields(n.Value), " "))
	}
	_ = t.Flush()
}

// users prints a line per request: the environments with the version in each.
func (o *Page) users(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "\n%s\n", p.Bold("Used by"))
	if len(o.Users) == 0 {
		fmt.Fprintln(w, "  nobody yet")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for all := o.Users; len(all) > 0; {
		key := all[0].Request
		n := slices.IndexFunc(all, func(i Instance) bool { return i.Request != key })
		if n < 0 {
			n = len(all)
		}
		var in []string
		for _, i := range all[:n] {
			use := i.Environment + " " + i.Version
			if i.Wanted != "" {
				use += " (resolves to " + i.Wanted + " now)"
			}
			in = append(in, use)
		}
		fmt.Fprintf(t, "  %s\t%s\n", key, strings.Join(in, ", "))
		all = all[n:]
	}
	_ = t.Flush()
	if unknown := o.States.Unknown(); unknown != "" {
		fmt.Fprintf(w, "\n%s\n", p.Yellow(unknown))
	}
}
