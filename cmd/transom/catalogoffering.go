package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"transom.dev/cmd/transom/internal/schema"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// offeringPage is all about one offering, with the contract of one of its versions.
type offeringPage struct {
	offeringEntry
	Description string             `json:"description,omitempty"`
	Deletion    string             `json:"deletion"`
	Shown       string             `json:"version"` // whose contract follows
	Parameters  []schema.Parameter `json:"parameters"`
	Rules       []string           `json:"rules,omitempty"` // over several parameters
	Bindings    []named            `json:"bindings,omitempty"`
	Components  []named            `json:"components,omitempty"`
	Outputs     []named            `json:"outputs"`
	Example     string             `json:"example"`
	Users       []instanceOf       `json:"users"`
}

// named is something a version declares: an output with its expression, a component with its condition, a binding with
// the offerings that it takes.
type named struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func describeOffering(p *platform.Platform, name, number string) (*offeringPage, error) {
	o, err := workspace.OfferingNamed(p, name)
	if err != nil {
		return nil, err
	}
	v, err := workspace.VersionNamed(o, number)
	if err != nil {
		return nil, err
	}
	page := &offeringPage{
		offeringEntry: entryOf(o), Description: o.Description, Deletion: string(o.Deletion), Shown: v.Number.String(),
		Parameters: []schema.Parameter{}, Outputs: []named{}, Users: []instanceOf{},
	}
	parameters, rules := schema.Parameters(v)
	page.Parameters, page.Rules = append(page.Parameters, parameters...), rules
	page.Users = append(page.Users, instancesOf(p, o)...)
	for _, binding := range slices.Sorted(maps.Keys(v.Bindings)) {
		b := v.Bindings[binding]
		value := "a request of " + strings.Join(b.Offerings, " or ")
		if b.Required {
			value += ", required"
		}
		page.Bindings = append(page.Bindings, named{binding, value})
	}
	for _, c := range v.Components {
		when := "always"
		if c.When != nil {
			when = c.When.Source
		}
		page.Components = append(page.Components, named{c.Path, when})
	}
	for _, e := range v.Outputs {
		page.Outputs = append(page.Outputs, named{e.Name, e.Source})
	}
	page.Example = schema.Example(p, o, v)
	return page, nil
}

func (o *offeringPage) text(w io.Writer, p terminal.Paint) {
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
	fmt.Fprintf(w, "\n%s\n", p.Bold("Example"))
	for line := range strings.Lines(o.Example) {
		fmt.Fprintf(w, "  %s", line)
	}
	o.users(w, p)
}

func (o *offeringPage) versions(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "\n%s\n", p.Bold("Versions"))
	for _, v := range o.Versions {
		line := v.brief()
		if v.Reason != "" {
			line += ": " + v.Reason
		}
		if v.RemoveAfter != "" {
			line += "; may be removed after " + v.RemoveAfter
		}
		if v.Lifecycle != string(platform.Active) || v.Problem {
			line = p.Yellow(line)
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
}

func (o *offeringPage) parameters(w io.Writer, p terminal.Paint) {
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

// splitOff is a description without the full stop that a list of constraints would follow.
func splitOff(description string) []string {
	if description = strings.TrimSuffix(strings.TrimSpace(description), "."); description == "" {
		return nil
	}
	return []string{strings.Join(strings.Fields(description), " ")}
}

func section(w io.Writer, p terminal.Paint, title string, all []named) {
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

func (o *offeringPage) users(w io.Writer, p terminal.Paint) {
	fmt.Fprintf(w, "\n%s\n", p.Bold("Used by"))
	if len(o.Users) == 0 {
		fmt.Fprintln(w, "  nobody yet")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for all := o.Users; len(all) > 0; {
		key := all[0].Request
		n := slices.IndexFunc(all, func(i instanceOf) bool { return i.Request != key })
		if n < 0 {
			n = len(all)
		}
		var in []string
		for _, i := range all[:n] {
			in = append(in, i.Environment+" "+i.Version)
		}
		fmt.Fprintf(t, "  %s\t%s\n", key, strings.Join(in, ", "))
		all = all[n:]
	}
	_ = t.Flush()
}
