// Package states reads the releases that environments run.
//
// In come a platform and where to look: the state repositories that it names, wherever these are, or state trees in a
// directory. Out comes a base for each environment, or why nobody looked. Nothing is written but mirrors in the user's cache.
package states

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// From says where to look.
type From struct {
	Trees   string // state trees, DIR/<environment>, such as clones, or bare repositories, DIR/<environment>.git; empty: the state repositories
	Offline bool   // contact nothing: repositories elsewhere are not looked at
}

// A State is the state of an environment, as far as somebody looked.
type State struct {
	Environment string `json:"environment"`
	Looked      bool   `json:"looked"`
	Why         string `json:"why,omitempty"` // nobody looked

	Base *render.Base `json:"-"` // nil where nobody looked

	// Commit is the one that the base was read at, and At reads earlier ones; nil: there is no history.
	Commit string                                                  `json:"-"`
	At     func(ctx context.Context, commit string) (fs.FS, error) `json:"-"`
}

// States are those of all environments of a platform, in the order in which releases go through them.
type States []State

// Read looks at every environment of a platform that was loaded from a directory. A repository that cannot be reached is no
// error: nobody looked there. A state that is there and cannot be read is one.
func (f From) Read(ctx context.Context, dir string, p *platform.Platform) (States, error) {
	if f.Trees != "" {
		if info, err := os.Stat(f.Trees); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("--state %s: is no directory; it holds one state tree per environment", f.Trees)
		}
		if err := f.checkTrees(p); err != nil {
			return nil, err
		}
	}
	r := repositories{from: f, dir: dir}
	r.find()
	all := States{}
	for _, name := range workspace.Environments(p) {
		one := State{Environment: name}
		tree, err := r.tree(ctx, p.Environments[name], &one)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("read the state of %s: %w", name, ctx.Err()) // which is no state that cannot be found
		case err != nil:
			one.Why = err.Error()
		default:
			if one.Base, err = render.ReadBase(tree); err != nil {
				return nil, fmt.Errorf("read the state of %s: %w", name, err)
			}
			one.Looked = true
		}
		all = append(all, one)
	}
	return all, nil
}

// checkTrees refuses a directory that has something, but no state of any environment: it is another one than was meant, and taking
// it for states without a release would show that everything is new.
func (f From) checkTrees(p *platform.Platform) error {
	entries, err := os.ReadDir(f.Trees)
	if err != nil {
		return fmt.Errorf("--state %s: %w", f.Trees, err)
	}
	names := workspace.Environments(p)
	ofEnvironment := func(e fs.DirEntry) bool { return slices.Contains(names, strings.TrimSuffix(e.Name(), ".git")) }
	if len(entries) == 0 || len(names) == 0 || slices.ContainsFunc(entries, ofEnvironment) {
		return nil
	}
	meant := "there is none"
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == state.FleetFile || e.Name() == state.ReleasesDir }) {
		meant = "it is a state tree itself: name the directory that has it, under the name of its environment"
	}
	return fmt.Errorf("--state %s: holds one state tree per environment (%s), and %s", f.Trees, strings.Join(names, ", "), meant)
}

// Base is the base of an environment: the releases that it runs; nil where nobody looked.
func (s States) Base(environment string) *render.Base {
	if one := s.Of(environment); one != nil {
		return one.Base
	}
	return nil
}

// Of is the state of an environment; nil: there is no such environment.
func (s States) Of(environment string) *State {
	if i := slices.IndexFunc(s, func(one State) bool { return one.Environment == environment }); i >= 0 {
		return &s[i]
	}
	return nil
}

// Names lists the environments at which somebody looked, or at which nobody did.
func (s States) Names(looked bool) (names []string) {
	for _, one := range s {
		if one.Looked == looked {
			names = append(names, one.Environment)
		}
	}
	return names
}

// Unknown says at which environments nobody looked, and why; empty where somebody looked at all of them.
func (s States) Unknown() string {
	names, why := s.Names(false), []string{}
	for _, one := range s {
		if !one.Looked && !slices.Contains(why, one.Why) {
			why = append(why, one.Why)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("not looked at: what %s really %s; %s", strings.Join(names, ", "), runs(len(names)), strings.Join(why, "; "))
}

func runs(n int) string {
	if n == 1 {
		return "runs"
	}
	return "run"
}

// Render renders every environment of a platform: those at which somebody looked from their base, as their releases move on
// at once and once promoted, and the others from nothing. Only the Problems of the result are of use.
func (s States) Render(r *render.Renderer, p *platform.Platform) (map[string]*render.State, error) {
	out := map[string]*render.State{}
	for _, name := range workspace.Environments(p) {
		base := s.Base(name)
		if base == nil {
			r.Unwritten = true
			state, err := r.Render(p, name, &render.Base{})
			r.Unwritten = false
			if err != nil {
				return nil, err
			}
			out[name] = state
			continue
		}
		effect, err := preview.Of(r, p, name, base)
		if err != nil {
			return nil, err
		}
		out[name] = &render.State{Environment: name, Problems: effect.Problems()}
	}
	return out, nil
}

// repositories finds the state trees of a platform's environments.
type repositories struct {
	from   From
	dir    string // of the platform
	origin string // the address that the platform was cloned from; empty: it is no clone
	whole  bool   // the platform is all that is in the clone
}

func (r *repositories) find() {
	checkout, err := gitrepo.Open(r.dir)
	if err != nil {
		return
	}
	own, _ := checkout.Origins()
	r.origin, r.whole = checkout.Origin(), len(own) > 0
}

// tree returns the files of an environment's state, and adds its history to its State, or says why nobody looked.
func (r *repositories) tree(ctx context.Context, e *platform.Environment, known *State) (fs.FS, error) {
	if r.from.Trees != "" {
		if tree, err := known.bare(r.from.Trees, e); tree != nil || err != nil {
			return tree, err
		}
		own := filepath.Join(r.from.Trees, e.Name)
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			return &gitrepo.Snapshot{}, nil // it has no state yet
		}
		known.clone(own)
		return os.DirFS(own), nil
	}
	if e.State.URL == "" {
		return nil, fmt.Errorf("%s names no state repository", e.File)
	}
	relative := strings.HasPrefix(e.State.URL, ".")
	if relative && r.origin == "" {
		return nil, fmt.Errorf("state repositories beside the platform's are found from a clone of that: pass --state DIR")
	}
	url := remote.Resolve(r.origin, e.State.URL)
	switch {
	case remote.IsLocal(url):
	case r.from.Offline:
		return nil, errors.New("--offline")
	case relative && !r.whole:
		return nil, fmt.Errorf("state repositories beside the platform's are found from a clone of that, and this is a part of another clone: pass --state DIR")
	}
	b, err := branch(ctx, r.dir, url, e.State.Branch)
	if err != nil {
		return nil, err
	}
	known.Commit = b.Head.Commit
	known.At = func(ctx context.Context, commit string) (fs.FS, error) { return b.At(ctx, commit) }
	return b.Head, nil
}

// clone adds the history of a state tree that is a clone of a state repository.
func (s *State) clone(dir string) {
	clone, err := gitrepo.Open(dir)
	if err != nil {
		return
	}
	if head, err := clone.At("HEAD"); err == nil {
		s.Commit = head.Commit
		s.At = func(_ context.Context, commit string) (fs.FS, error) { return clone.At(commit) }
	}
}

// branch opens a branch, of a mirror where the repository is elsewhere.
func branch(ctx context.Context, dir, url, name string) (*gitrepo.Branch, error) {
	at := strings.TrimPrefix(url, "file://")
	if !remote.IsLocal(url) {
		var err error
		if at, err = remote.Fetch(ctx, dir, url, name, false); err != nil {
			return nil, err
		}
	}
	return gitrepo.OpenHistory(at, name)
}
