package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"transom.dev/cmd/transom/internal/plan"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/trigger"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// watch renders a directory whenever something in it is saved, and prints the changes.
func (o *renderOptions) watch(ctx context.Context, dir string, stdout io.Writer) error {
	latch := trigger.New()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return trigger.Directory(ctx, dir, func() { latch.Fire("saved") }) })
	group.Go(func() error {
		w := watched{options: o, dir: workspace.Directory{Dir: dir}, out: stdout, paint: terminal.PaintFor(stdout)}
		for {
			if _, err := latch.Wait(ctx); err != nil {
				return nil // interrupted, which is how a watch ends
			}
			w.again()
		}
	})
	return group.Wait()
}

// watched is a directory with its last rendering.
type watched struct {
	options *renderOptions
	dir     workspace.Directory
	out     io.Writer
	paint   terminal.Paint

	renderer render.Renderer
	states   map[string]map[string][]byte // nil before the first time
	said     []string                     // Problems that are printed already
}

// again renders once more. An error is printed and the last state stays, as the next time the file may be readable.
func (w *watched) again() {
	p, err := w.dir.Load()
	if err != nil {
		fmt.Fprintln(w.out, w.paint.Red(err.Error()))
		return
	}
	states, changes := map[string]*render.State{}, []preview.Change{}
	next, dirty := map[string]map[string][]byte{}, w.states == nil
	for _, name := range workspace.Environments(p) {
		if w.options.environment != "" && w.options.environment != name {
			continue
		}
		state, err := w.renderer.Render(p, name, &render.Base{})
		if err != nil {
			fmt.Fprintln(w.out, w.paint.Red(err.Error()))
			return
		}
		states[name], next[name] = state, w.kept(p, state)
		changed := filesThatDiffer(w.states[name], next[name])
		found, err := plan.Between(&w.renderer, p, name, w.states[name], changed)
		if err != nil {
			fmt.Fprintln(w.out, w.paint.Red(err.Error()))
			return
		}
		changes, dirty = append(changes, found...), dirty || len(changed) > 0
	}
	w.problems(p, states)
	if w.states == nil {
		fmt.Fprintf(w.out, "rendered %s; watching %s, Ctrl-C ends\n", terminal.Count(len(next), "environment"), w.dir.Dir)
	} else {
		w.changes(slices.DeleteFunc(changes, func(c preview.Change) bool { return !w.options.isAbout(c.Cluster, c.Team+"/"+c.Request) }))
	}
	w.states = next
	if dirty { // else an output below a watched directory would be written for ever
		w.write(next)
	}
}

// kept is a state with the last manifests of the instances that have a Problem now: as in the daemon, these keep their bytes.
func (w *watched) kept(p *platform.Platform, state *render.State) map[string][]byte {
	wrong := map[platform.RequestKey]bool{}
	for _, problem := range state.Problems {
		if problem.Request != nil && !problem.Warning {
			wrong[*problem.Request] = true
		}
	}
	all := maps.Clone(state.Changes)
	for name, content := range w.states[state.Environment] {
		parts := strings.Split(strings.TrimSuffix(name, ".yaml"), "/")
		if len(parts) != 4 || all[name] != nil {
			continue
		}
		if key := (platform.RequestKey{Team: parts[2], Name: parts[3]}); wrong[key] || p.Broken(state.Environment, key) {
			all[name] = content
		}
	}
	return all
}

// filesThatDiffer are the differences between two states: nil removes.
func filesThatDiffer(before, after map[string][]byte) map[string][]byte {
	changed := map[string][]byte{}
	for name, content := range after {
		if old, there := before[name]; !there || !bytes.Equal(old, content) {
			changed[name] = content
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			changed[name] = nil
		}
	}
	return changed
}

// changes prints the changes of objects.
func (w *watched) changes(all []preview.Change) {
	if len(all) == 0 {
		fmt.Fprintln(w.out, w.paint.Faint("no object changes"))
		return
	}
	plan.Listing{W: w.out, Paint: w.paint, Full: true}.Print(all, func(environment string) {
		fmt.Fprintln(w.out, w.paint.Bold(environment))
	})
}

// problems prints the Problems that are new, and how many are mended.
func (w *watched) problems(p *platform.Platform, states map[string]*render.State) {
	found, _ := workspace.Mistakes(p, states)
	var now []string
	for _, problem := range w.options.keepAsked(found) {
		now = append(now, problem.String())
		if !slices.Contains(w.said, problem.String()) {
			fmt.Fprintln(w.out, w.paint.Red(problem.String()))
		}
	}
	mended := slices.DeleteFunc(slices.Clone(w.said), func(s string) bool { return slices.Contains(now, s) })
	if len(mended) > 0 {
		fmt.Fprintln(w.out, w.paint.Green(fmt.Sprintf("%s mended, %d left", terminal.Count(len(mended), "Problem"), len(now))))
	}
	w.said = now
}

// write brings the state trees below --out up to date.
func (w *watched) write(states map[string]map[string][]byte) {
	if w.options.out == "" {
		return
	}
	var rendered []renderedFile
	named := map[string]*render.State{}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		named[name] = nil
		for _, file := range slices.Sorted(maps.Keys(states[name])) {
			rendered = append(rendered, renderedFile{name, file, string(states[name][file])})
		}
	}
	if err := w.options.deliver(rendered, named, w.out, io.Discard); err != nil {
		fmt.Fprintln(w.out, w.paint.Red(err.Error()))
	}
}
