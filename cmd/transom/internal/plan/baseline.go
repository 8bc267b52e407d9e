package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// A Baseline is what a plan compares with: each environment's state, as it is or as it should be.
type Baseline struct {
	name         string   // for people
	environments []string // that it knows, sorted
	notes        []string // what it cannot know
	rendered     []string // environments whose state is not known, sorted

	Of func(environment string) (*render.Base, error)

	// past reads the commit that an environment's state is at, and earlier ones; nil: there is nothing to read.
	past func(environment string) (commit string, at func(context.Context, string) (fs.FS, error))

	// before finds the platforms that may be what is merged already, the likeliest first; nil: it is not known.
	before func(*history, map[string]*render.Base) ([]*platform.Platform, error)
}

// recorded is what an environment's state holds, and held.
func (b *Baseline) recorded(environment string) (state reconciler.Recorded, err error) {
	if state.Base, err = b.Of(environment); err != nil {
		return state, err
	}
	if b.past != nil {
		state.Commit, state.At = b.past(environment)
	}
	return state, nil
}

// Against says what a plan compares with: what one of these names, else the state repositories that are on this machine,
// and for the others what HEAD renders to.
type Against struct {
	Base  string // a Git revision, or a directory
	State string // state trees, DIR/<environment>
}

// baseline chooses what to compare with.
func (o Against) baseline(r *render.Renderer, dir string, p *platform.Platform) (*Baseline, error) {
	switch {
	case o.State != "":
		b, err := StateTrees(o.State)
		if err == nil {
			b.before = accepted(dir)
		}
		return b, err
	case o.Base != "":
		return rendering(r, dir, o.Base)
	default:
		return stateRepositories(r, dir, p)
	}
}

// mayDiffer is what a comparison with a rendering cannot know.
const mayDiffer = "what environments really run may differ: pass --state"

// rendering is what the platform at a revision, or in another directory, comes to by itself.
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
// origin, and what an environment has accepted last. The latter is what there is to wait for where nothing is to be merged.
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

// Between is what files of an environment's state change over those that are there; nil removes one.
func Between(r *render.Renderer, p *platform.Platform, environment string, before, changed map[string][]byte) ([]render.Change, error) {
	return r.Between(p, environment, files(before), changed)
}

// files is a state that was rendered from nothing, as the files that it becomes.
func files(contents map[string][]byte) fs.FS {
	m := fstest.MapFS{}
	for name, content := range contents {
		m[name] = &fstest.MapFile{Data: content}
	}
	return m
}

// StateTrees reads DIR/<environment>; an environment without a directory has no state yet.
func StateTrees(dir string) (*Baseline, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("--state %s: is no directory; it holds one state tree per environment", dir)
	}
	b := &Baseline{name: dir}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			b.environments = append(b.environments, entry.Name())
		}
	}
	b.past = func(environment string) (string, func(context.Context, string) (fs.FS, error)) {
		return pastOf(filepath.Join(dir, environment))
	}
	b.Of = func(environment string) (*render.Base, error) {
		own := filepath.Join(dir, environment)
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			return &render.Base{}, nil
		}
		base, err := render.ReadBase(os.DirFS(own))
		if err != nil {
			return nil, fmt.Errorf("read the state in %s: %w", own, err)
		}
		return base, nil
	}
	return b, nil
}

// stateRepositories reads the state repositories that are on this machine, and nothing over a network.
func stateRepositories(r *render.Renderer, dir string, p *platform.Platform) (*Baseline, error) {
	head, err := rendering(r, dir, "HEAD")
	if err != nil {
		return nil, err
	}
	checkout, err := gitrepo.Open(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]*gitrepo.Branch{}
	var read, other []string
	for _, name := range workspace.Environments(p) {
		if found[name] = localState(checkout.Origin(), p.Environments[name].State); found[name] != nil {
			read = append(read, name)
		} else {
			other = append(other, name)
		}
	}
	if len(read) == 0 {
		return head, nil
	}
	b := &Baseline{name: "the state of " + strings.Join(read, ", "), environments: head.environments, rendered: other, before: accepted(dir)}
	if len(other) > 0 {
		b.name += " and, for " + strings.Join(other, ", ") + ", " + head.name
		b.notes = []string{"what " + strings.Join(other, ", ") + " really runs may differ: pass --state"}
	}
	b.past = func(environment string) (string, func(context.Context, string) (fs.FS, error)) {
		state := found[environment]
		if state == nil {
			return "", nil
		}
		return state.Head.Commit, func(ctx context.Context, commit string) (fs.FS, error) { return state.At(ctx, commit) }
	}
	b.Of = func(environment string) (*render.Base, error) {
		state := found[environment]
		if state == nil {
			return head.Of(environment)
		}
		base, err := render.ReadBase(state.Head)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s at %s: %w", environment, state.Head.Commit, err)
		}
		return base, nil
	}
	return b, nil
}

// localState reads a state repository that is on this machine; nil: it is not, or there is none yet.
func localState(origin string, s platform.StateRepository) *gitrepo.Branch {
	if origin == "" && strings.HasPrefix(s.URL, ".") {
		return nil
	}
	url := remote.Resolve(origin, s.URL)
	if url == "" || !remote.IsLocal(url) {
		return nil
	}
	branch, err := gitrepo.OpenHistory(strings.TrimPrefix(url, "file://"), s.Branch)
	if err != nil {
		return nil
	}
	return branch
}

// stale says that a state came from a platform commit that the work tree does not build on, or nothing: compared with
// it, the work tree also undoes what others have merged since.
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
