package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"transom.dev/render"
)

// text prints a plan for people: environment, request, object, its diff. Clusters on which the same happens to an
// object share one entry.
func (p *planned) text(w io.Writer, paint paint, verbose bool) {
	groups := group(p.Changes)
	environment, owner := "", ""
	for _, g := range groups {
		if g.Environment != environment {
			environment, owner = g.Environment, ""
			fmt.Fprintf(w, "%s\n", paint.bold(environment))
		}
		if g.owner() != owner {
			owner = g.owner()
			fmt.Fprintf(w, "  %s\n", owner)
		}
		g.text(w, paint, verbose)
	}
	if len(p.Problems) > 0 {
		fmt.Fprintln(w, "Problems; what they concern keeps what it has:")
	}
	for _, problem := range p.Problems {
		fmt.Fprintf(w, "  %s\n", paint.red(problem.String()))
	}
	fmt.Fprintf(w, "compared with %s: %s\n", p.Base, p.counts())
}

// counts says in one line what changes.
func (p *planned) counts() string {
	counts := map[render.Action]int{}
	clusters := map[string]bool{}
	for _, c := range p.Changes {
		counts[c.Action]++
		clusters[c.Cluster] = true
	}
	if len(p.Changes) == 0 {
		return "no changes"
	}
	var parts []string
	for _, action := range []render.Action{render.Added, render.Changed, render.Removed} {
		parts = append(parts, fmt.Sprintf("%d %s", counts[action], action))
	}
	text := "objects " + strings.Join(parts, ", ") + " on " + count(len(clusters), "cluster")
	if n := counts[render.LetGo]; n > 0 {
		text += fmt.Sprintf("; %s let go", count(n, "cluster"))
	}
	return text
}

// changeGroup is one change with all the clusters on which it is the same.
type changeGroup struct {
	render.Change
	clusters []string
}

func group(all []render.Change) []*changeGroup {
	type identity struct{ environment, team, request, apiVersion, kind, namespace, name, action, diff string }
	var order []*changeGroup
	known := map[identity]*changeGroup{}
	for _, c := range all {
		id := identity{c.Environment, c.Team, c.Request, c.APIVersion, c.Kind, c.Namespace, c.Name, string(c.Action), c.Diff}
		g := known[id]
		if g == nil {
			g = &changeGroup{Change: c}
			known[id] = g
			order = append(order, g)
		}
		g.clusters = append(g.clusters, c.Cluster)
	}
	slices.SortStableFunc(order, func(x, y *changeGroup) int {
		if x.Environment != y.Environment {
			return strings.Compare(x.Environment, y.Environment)
		}
		return strings.Compare(x.owner(), y.owner())
	})
	return order
}

// owner is whose objects a change is about.
func (g *changeGroup) owner() string {
	switch {
	case g.Team == "":
		return "fleet"
	case g.Request == "":
		return g.Team + " (the team's namespace)"
	default:
		return g.Team + "/" + g.Request
	}
}

func (g *changeGroup) text(w io.Writer, p paint, verbose bool) {
	on := p.faint(" on " + strings.Join(g.clusters, ", "))
	name := g.Name
	if g.Namespace != "" {
		name = g.Namespace + "/" + g.Name
	}
	switch g.Action {
	case render.Added:
		fmt.Fprintf(w, "    %s%s\n", p.green("+ "+g.Kind+" "+name), on)
	case render.Removed:
		fmt.Fprintf(w, "    %s%s\n", p.red("- "+g.Kind+" "+name), on)
	case render.LetGo:
		fmt.Fprintf(w, "    %s%s\n", p.yellow("let go, nothing is deleted"), on)
	case render.Changed:
		fmt.Fprintf(w, "    %s%s\n", p.yellow("~ "+g.Kind+" "+name), on)
	}
	if g.Action == render.Changed || verbose {
		g.diff(w, p)
	}
}

func (g *changeGroup) diff(w io.Writer, p paint) {
	for line := range strings.Lines(g.Diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "+"):
			line = p.green(line)
		case strings.HasPrefix(line, "-"):
			line = p.red(line)
		case strings.HasPrefix(line, "@@"):
			line = p.faint(line)
		}
		fmt.Fprintf(w, "        %s\n", line)
	}
}
