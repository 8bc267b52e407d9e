package plan

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing/fstest"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
)

// A Baseline is the side that a plan compares with: each environment's state, as it is or as it should be.
type Baseline struct {
	name         string   // for people
	environments []string // that it knows, sorted
	notes        []string // facts that it cannot know
	rendered     []string // environments whose state is not known, sorted
	states       states.States
	compared     *platform.Platform // whose rendering it is, where that was asked for; nil: it is of states

	Of func(environment string) (*render.Base, error)

	// before finds the platforms that may be merged already, the likeliest first; nil: it is not known.
	before func(*history, map[string]*render.Base) ([]*platform.Platform, error)
}

// recorded is the content of an environment's state, and its history.
func (b *Baseline) recorded(environment string) (state reconciler.Recorded, err error) {
	if state.Base, err = b.Of(environment); err != nil {
		return state, err
	}
	if known := b.states.Of(environment); known != nil {
		state.Commit, state.At = known.Commit, known.At
	}
	return state, nil
}

// Against names the side that a plan compares with: Base, else the states of the environments, and where nobody looked at
// these, the rendering of HEAD.
type Against struct {
	Base   string // a Git revision, or a directory
	States states.From
}

// baseline chooses the side to compare with.
func (o Against) baseline(ctx context.Context, r *render.Renderer, dir string, p *platform.Platform) (*Baseline, error) {
	if o.Base != "" {
		return rendering(r, dir, o.Base)
	}
	known, err := o.States.Read(ctx, dir, p)
	if err != nil {
		return nil, err
	}
	b := &Baseline{}
	if o.States.Trees != "" {
		b, err = trees(dir, o.States.Trees, known)
	} else {
		b, err = looked(r, dir, known)
	}
	if err != nil {
		return nil, err
	}
	b.states = known
	return b, nil
}

// mayDiffer is the note of a comparison with a rendering, which knows no state.
const mayDiffer = "what environments really run may differ: pass --state"

// rendering is the baseline of the platform at a revision, or in another directory, rendered without any state.
func rendering(r *render.Renderer, dir, base string) (*Baseline, error) {
	p, err := workspace.LoadRevision(dir, base)
	if err != nil {
		if info, statErr := os.Stat(base); statErr != nil || !info.IsDir() {
			return nil, err
		}
		if p, err = workspace.Load(base); err != nil {
			return nil, err
		}
	}
	name := "the rendering of " + base
	if p.Commit != "" && base != p.Commit {
		name += " (" + terminal.Short(p.Commit) + ")"
	}
	b := &Baseline{name: name, environments: workspace.Environments(p), notes: []string{mayDiffer}, rendered: workspace.Environments(p)}
	for _, environment := range workspace.Environments(p) {
		b.states = append(b.states, states.State{Environment: environment, Why: "--base"})
	}
	b.compared = p
	b.before = func(*history, map[string]*render.Base) ([]*platform.Platform, error) {
		return []*platform.Platform{p}, nil
	}
	b.Of = func(environment string) (*render.Base, error) {
		if p.Environments[environment] == nil {
			return &render.Base{}, nil
		}
		state, err := r.Render(p, environment, &render.Base{})
		if err != nil {
			return nil, err
		}
		return render.ReadBase(files(state.Changes))
	}
	return b, nil
}

// accepted loads the platforms that are merged already, as far as this clone knows: where its branch leaves the one of its
// origin, and the commit that an environment has accepted last. Where nothing is to be merged, one waits for the latter.
func accepted(dir string) func(*history, map[string]*render.Base) ([]*platform.Platform, error) {
	return func(past *history, bases map[string]*render.Base) (all []*platform.Platform, _ error) {
		latest, at := "", 0
		for _, base := range bases {
			if n, _ := past.generation(context.Background(), base.Fleet.Platform); n > at {
				latest, at = base.Fleet.Platform, n
			}
		}
		fork := past.fork()
		for _, commit := range slices.Compact([]string{fork, latest}) {
			var p *platform.Platform
			if commit != "" {
				if loaded, err := workspace.LoadRevision(dir, commit); err == nil {
					p = loaded // a plan without that knowledge is one all the same, and says so
				}
			}
			if p != nil || commit == latest {
				all = append(all, p)
			}
		}
		return all, nil
	}
}

// Between lists the changes that files of an environment's state make to those that are there; nil removes one.
func Between(r *render.Renderer, p *platform.Platform, environment string, before, changed map[string][]byte) ([]preview.Change, error) {
	return preview.Between(r, p, environment, files(before), changed)
}

// files is a state that was rendered from nothing, as the files that it becomes.
func files(contents map[string][]byte) fs.FS {
	m := fstest.MapFS{}
	for name, content := range contents {
		m[name] = &fstest.MapFile{Data: content}
	}
	return m
}

// looked compares with the states of the environments where somebody looked at them, and elsewhere with the rendering of
// HEAD.
func looked(r *render.Renderer, dir string, known states.States) (*Baseline, error) {
	read, other := known.Names(true), known.Names(false)
	head, err := rendering(r, dir, "HEAD")
	if err != nil {
		return nil, err
	}
	if len(read) == 0 {
		head.notes = []string{known.Unknown()}
		return head, nil
	}
	b := &Baseline{name: "the state of " + strings.Join(read, ", "), environments: head.environments, rendered: other, before: accepted(dir)}
	if len(other) > 0 {
		b.name += " and, for " + strings.Join(other, ", ") + ", " + head.name
		b.notes = []string{known.Unknown()}
	}
	b.Of = func(environment string) (*render.Base, error) {
		if base := known.Base(environment); base != nil {
			return base, nil
		}
		return head.Of(environment)
	}
	return b, nil
}

// trees compares with state trees as they are. An environment without one has no state yet.
func trees(dir, name string, known states.States) (*Baseline, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("--state %s: %w", name, err)
	}
	b := &Baseline{name: name, before: accepted(dir)}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			b.environments = append(b.environments, strings.TrimSuffix(entry.Name(), states.Bare))
		}
	}
	b.Of = func(environment string) (*render.Base, error) { return known.Base(environment), nil }
	return b, nil
}

// stale says that a state came from a platform commit that the work tree does not build on, or nothing: compared with
// it, the work tree also undoes the merges of others since.
func stale(dir, environment string, base *render.Base) string {
	if base.Fleet.Platform == "" {
		return ""
	}
	checkout, err := gitrepo.Open(dir)
	if err != nil {
		return ""
	}
	contains, err := checkout.Contains(base.Fleet.Platform)
	if err != nil || contains {
		return ""
	}
	return fmt.Sprintf("stale: %s runs platform commit %s, which this work tree does not build on; fetch and merge it, "+
		"or this plan also shows what it would undo", environment, terminal.Short(base.Fleet.Platform))
}

// letGo lists the environments of the baseline whose file is gone.
func (b *Baseline) letGo(p *platform.Platform) []string {
	return slices.DeleteFunc(slices.Clone(b.environments), func(name string) bool {
		return p.Environments[name] != nil || p.Broken(name, platform.RequestKey{})
	})
}
