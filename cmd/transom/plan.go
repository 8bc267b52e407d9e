package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/spf13/cobra"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// planOptions are the flags of plan.
type planOptions struct {
	output   output
	base     string
	state    string
	exitCode bool
	verbose  bool
}

func newPlan() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Show what merging the work tree would change on every cluster",
		Long: `Show what merging the work tree would change: objects added, changed and removed, per environment and cluster.

The work tree, committed or not, is compared with what --base renders to, or, with --state, with state trees as they
are: a directory per environment, such as clones of the state repositories. Values of Secrets are not shown.
What has a Problem keeps what it has; such Problems are listed. Exits with 0, or, with --exit-code, with 2 when
something changes.`,
		Example: `  transom plan
  transom plan ./platform --base origin/main
  transom plan --state ./state --exit-code
  transom plan -o json | jq '.changes[] | select(.action == "removed")'`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			result, err := o.plan(directory(args))
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if err := o.output.print(w, result, func(w io.Writer) { result.text(w, painter(w), o.verbose) }); err != nil {
				return err
			}
			if o.exitCode && len(result.Changes) > 0 {
				return changes
			}
			return nil
		},
	}
	o.output.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.base, "base", "HEAD", "the Git revision to compare with")
	f.StringVar(&o.state, "state", "", "compare with the state trees DIR/<environment> instead of a revision")
	f.BoolVar(&o.exitCode, "exit-code", false, "exit with 2 when something changes")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show added and removed objects in full")
	cmd.MarkFlagsMutuallyExclusive("base", "state")
	return cmd
}

func (o *planOptions) check() error {
	if o.base == "" {
		return misuse("--base is empty: it is a Git revision such as origin/main")
	}
	return o.output.check()
}

// planned is what a merge would do.
type planned struct {
	Base     string             `json:"base"` // what the work tree is compared with
	Changes  []render.Change    `json:"changes"`
	Problems []platform.Problem `json:"problems"` // what they concern keeps what it has
}

func (o *planOptions) plan(dir string) (*planned, error) {
	p, err := loadTree(dir)
	if err != nil {
		return nil, err
	}
	base, err := o.before(dir)
	if err != nil {
		return nil, err
	}
	result := &planned{Base: base.name, Changes: []render.Change{}, Problems: []platform.Problem{}}
	var r render.Renderer
	states := map[string]*render.State{}
	for _, name := range environments(p) {
		before, err := base.of(name)
		if err != nil {
			return nil, err
		}
		after, err := r.Render(p, name, before)
		if err != nil {
			return nil, err
		}
		found, err := render.Plan(before, after)
		if err != nil {
			return nil, err
		}
		states[name] = after
		result.Changes = append(result.Changes, found...)
	}
	problems, _ := mistakes(p, states)
	result.Problems = append(result.Problems, problems...)
	return result, nil
}

// before is what the work tree is compared with: a name for people, and each environment's state.
type before struct {
	name string
	of   func(environment string) (*render.Base, error)
}

func (o *planOptions) before(dir string) (*before, error) {
	if o.state != "" {
		return stateTrees(o.state)
	}
	p, err := loadRevision(dir, o.base)
	if err != nil {
		return nil, err
	}
	name := o.base
	if o.base != p.Commit {
		name += " (" + short(p.Commit) + ")"
	}
	var r render.Renderer
	return &before{name, func(environment string) (*render.Base, error) {
		if p.Environments[environment] == nil {
			return &render.Base{}, nil
		}
		state, err := r.Render(p, environment, &render.Base{})
		if err != nil {
			return nil, err
		}
		return render.ReadBase(files(state.Changes))
	}}, nil
}

// files is a state that was rendered from nothing, as the files that it becomes.
func files(contents map[string][]byte) fs.FS {
	m := fstest.MapFS{}
	for name, content := range contents {
		m[name] = &fstest.MapFile{Data: content}
	}
	return m
}

// stateTrees reads DIR/<environment>; an environment without a directory has no state yet.
func stateTrees(dir string) (*before, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--state %s: is no directory; it holds one state tree per environment", dir)
	}
	return &before{dir, func(environment string) (*render.Base, error) {
		own := filepath.Join(dir, environment)
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			return &render.Base{}, nil
		}
		base, err := render.ReadBase(os.DirFS(own))
		if err != nil {
			return nil, fmt.Errorf("read the state in %s: %w", own, err)
		}
		return base, nil
	}}, nil
}
