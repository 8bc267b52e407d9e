package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// A Stage has the changes of a merge at once, or those that follow once promoted, or once let go on.
type Stage struct {
	Environments []Environment    `json:"environments"`
	Changes      []preview.Change `json:"changes"`
}

// noStage is a stage in which nothing changes.
func noStage() Stage { return Stage{[]Environment{}, []preview.Change{}} }

// add records the changes of one environment, and returns those that were merged before: these are not listed.
func (p *Stage) add(e Environment, before *render.Base, after *render.State, merged *merged) (apart []preview.Change, err error) {
	all, err := preview.Changes(before, after)
	if err != nil {
		return nil, err
	}
	found := []preview.Change{}
	for _, c := range all {
		if merged.brings(c) {
			apart = append(apart, c)
		} else {
			found = append(found, c)
		}
	}
	p.Changes = append(p.Changes, found...)
	e.Changing, e.Requests = changing(found), requestsOf(before, after)
	e.Moves = append([]preview.Move{}, movesWithout(preview.Moves(before, after), merged.requests)...)
	e.Cautions = append([]preview.Caution{}, preview.Cautions(before, after, found)...)
	e.Cautions = slices.DeleteFunc(e.Cautions, func(c preview.Caution) bool {
		return slices.Contains(merged.requests, platform.RequestKey{Team: c.Team, Name: c.Request})
	})
	p.Environments = append(p.Environments, e)
	return apart, nil
}

// movesWithout leaves requests out of moves, and moves of no request.
func movesWithout(moves []preview.Move, keys []platform.RequestKey) (rest []preview.Move) {
	for _, m := range moves {
		m.Requests = slices.DeleteFunc(slices.Clone(m.Requests), func(k platform.RequestKey) bool { return slices.Contains(keys, k) })
		if len(m.Requests) > 0 {
			rest = append(rest, m)
		}
	}
	return rest
}

// text prints the changes by environment, request and object. Clusters on which the same happens to an object share one
// entry, as do requests of which the same changes.
func (p Stage) text(w io.Writer, paint terminal.Paint, verbose bool) {
	all := Listing{W: w, Paint: paint, Apart: verbose, Full: verbose}
	all.Print(p.Changes, func(environment string) {
		fmt.Fprintf(w, "%s%s\n", paint.Bold(environment), paint.Faint(p.share(environment)))
		for _, step := range p.of(environment).steps() {
			fmt.Fprintf(w, "  %s\n", paint.Faint(step))
		}
	})
}

// of is an environment of the stage; one without changes is empty.
func (p Stage) of(environment string) (e Environment) {
	if i := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == environment }); i >= 0 {
		return p.Environments[i]
	}
	return Environment{Name: environment}
}

// steps lists the gates and waves between the changes and their environment, and the clusters that requests leave last.
func (e Environment) steps() []string { return slices.Concat(e.Steps, e.departureLines()) }

// share says how many of an environment's requests change.
func (p Stage) share(environment string) string {
	if e := p.of(environment); e.Changing > 0 {
		return fmt.Sprintf("  %d of %s", e.Changing, terminal.Count(e.Requests, "request"))
	}
	return ""
}

// empty says that nothing changes.
func (p Stage) empty() bool {
	return len(p.Changes) == 0 && !slices.ContainsFunc(p.Environments, func(e Environment) bool { return e.LetGo })
}

// counts counts the changes in one line.
func (p Stage) counts() string {
	counts := map[preview.Action]int{}
	clusters := map[string]bool{}
	for _, c := range p.Changes {
		counts[c.Action]++
		clusters[c.Cluster] = true
	}
	if p.empty() {
		return "no changes"
	}
	var parts []string
	for _, action := range []preview.Action{preview.Added, preview.Changed, preview.Replaced, preview.Removed} {
		parts = append(parts, fmt.Sprintf("%d %s", counts[action], action))
	}
	text := "objects " + strings.Join(parts, ", ") + " on " + terminal.Count(len(clusters), "cluster")
	if n := counts[preview.LetGo]; n > 0 {
		text += fmt.Sprintf("; %s let go", terminal.Count(n, "cluster"))
	}
	gone := 0
	for _, e := range p.Environments {
		if e.LetGo {
			gone++
		}
	}
	if gone > 0 {
		text += fmt.Sprintf("; %s let go", terminal.Count(gone, "environment"))
	}
	return text
}
