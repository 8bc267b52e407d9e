// Package workspace is a platform repository as a person has it in a directory: as it is now, as it was at a revision of
// the clone, or as it would be with an edit.
//
// In comes a directory; out come the platform, its rendering from nothing with every Problem, and the thing that a name in it
// means, or which names there are. Nothing is contacted and, but for WriteFile, nothing written.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render"
	"transom.dev/render/edits"
	"transom.dev/render/platform"
)

// Load loads the platform in a directory, as it is now, committed or not.
func Load(dir string) (*platform.Platform, error) { return (&Directory{Dir: dir}).Load() }

// A Directory loads its platform again and again; files that did not change are read once.
type Directory struct {
	Dir string

	loader *platform.Loader
}

// Load loads the platform as it is now.
func (d *Directory) Load() (*platform.Platform, error) {
	if err := isDirectory(d.Dir); err != nil {
		return nil, err
	}
	if d.loader == nil {
		d.loader = loader(d.Dir)
	}
	p, err := d.loader.Load(os.DirFS(d.Dir))
	if err != nil {
		return nil, fmt.Errorf("load the platform in %s: %w", d.Dir, err)
	}
	if p.CountRequests() == 0 && len(p.Offerings) == 0 && len(p.Environments) == 0 && len(p.Clusters) == 0 {
		return nil, fmt.Errorf("%s: is no platform repository: it has none of offerings/, requests/, environments/, clusters/; \"transom init DIR\" writes one to begin with", d.Dir)
	}
	return p, nil
}

// isDirectory is an error unless dir is a directory.
func isDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such directory", dir)
	case err != nil:
		return fmt.Errorf("load the platform: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s: is a file; give the directory of a platform repository", dir)
	}
	return nil
}

// loader makes a loader that knows the origin of the clone in a directory, and resolves the addresses of state repositories as
// the daemon that follows the origin does.
func loader(dir string) *platform.Loader {
	l, base := &platform.Loader{}, dir
	if checkout, err := gitrepo.Open(dir); err == nil {
		urls, branches := checkout.Origins()
		for i, url := range urls {
			l.Own = append(l.Own, platform.StateRepository{URL: url, Branch: branches[i]})
		}
		if len(urls) > 0 {
			base = urls[0]
		}
	}
	if absolute, err := remote.Absolute(base); err == nil {
		base = absolute
	}
	l.Repository = func(url string) string { return gitrepo.Canonical(remote.Resolve(base, url)) }
	return l
}

// OpenRevision opens a revision of the clone that a directory lies in, as that directory.
func OpenRevision(dir, revision string) (*gitrepo.Snapshot, error) {
	checkout, err := gitrepo.Open(dir)
	if err != nil {
		return nil, err
	}
	return checkout.At(revision)
}

// LoadRevision loads the platform that a directory had at a revision of the clone that it lies in.
func LoadRevision(dir, revision string) (*platform.Platform, error) {
	snapshot, err := OpenRevision(dir, revision)
	if err != nil {
		return nil, err
	}
	p, err := loader(dir).Load(snapshot)
	if err != nil {
		return nil, fmt.Errorf("load the platform of %s in %s: %w", revision, dir, err)
	}
	p.Commit = snapshot.Commit
	return p, nil
}

// RenderFresh renders every environment of a platform as if none had any state.
func RenderFresh(p *platform.Platform) (map[string]*render.State, error) {
	var r render.Renderer
	states := map[string]*render.State{}
	for _, name := range Environments(p) {
		state, err := r.Render(p, name, &render.Base{})
		if err != nil {
			return nil, err
		}
		states[name] = state
	}
	return states, nil
}

// Environments lists a platform's, in the order in which releases go through them.
func Environments(p *platform.Platform) []string { return slices.Clone(p.Graph.Order()) }

// Mistakes gathers every Problem and Warning of a platform and of its rendering, each once, sorted. One mistake of an
// offering shows in every environment, so two Problems with the same text and position are one.
func Mistakes(p *platform.Platform, states map[string]*render.State) (problems, warnings []platform.Problem) {
	var r render.Renderer
	all := slices.Concat(p.Problems, p.IdleDecisions(), r.Versions(p))
	for _, name := range Environments(p) {
		if state := states[name]; state != nil {
			all = append(all, state.Problems...)
		}
	}
	slices.SortStableFunc(all, platform.Problem.Compare)
	told, placed := map[string]bool{}, map[mistake]bool{}
	for _, problem := range all {
		if problem.Line > 0 {
			placed[mistakeOf(problem)] = true
		}
	}
	for _, problem := range all {
		text := problem.String()
		switch {
		case told[text], problem.Line == 0 && placed[mistakeOf(problem)]:
		case problem.Warning:
			warnings = append(warnings, problem)
		default:
			problems = append(problems, problem)
		}
		told[text] = true
	}
	return problems, warnings
}

// A mistake is a Problem wherever it is: what is recorded has the same one as the file that it came from, and no line.
type mistake struct {
	file, field, message string
	warning              bool
}

func mistakeOf(p platform.Problem) mistake { return mistake{p.File, p.Field, p.Message, p.Warning} }

// LoadEdited loads the platform in a directory as if files in it had other contents. An empty directory is a platform that
// begins.
func LoadEdited(dir string, files map[string][]byte) (*platform.Platform, error) {
	if err := isDirectory(dir); err != nil {
		return nil, err
	}
	tree, err := edits.Over(os.DirFS(dir), files)
	if err != nil {
		return nil, err
	}
	return loader(dir).Load(tree)
}

// WriteFile writes a file with the directories that it lies in.
func WriteFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
