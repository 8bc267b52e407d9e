package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"transom.dev/cmd/transom/internal/preview"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
)

// branchPlans are the plans of branches that people look at, made as those of pull requests are.
type branchPlans struct {
	*preview.Desk
	own string // the branch that is followed, which is none to merge; empty: it is not known
}

// newBranchPlans adds the duty to make plans that are asked for.
func newBranchPlans(add func(func(context.Context) error), traces *tracer, repositories *remote.Mirrors) branchPlans {
	source := traces.platform
	maker := &preview.Maker{Dir: filepath.Join(repositories.Dir, "branches"), Open: func(dir string) *gitrepo.Remote {
		return repositories.Apart(source.URL, source.Branch, dir)
	}}
	desk := &preview.Desk{
		Maker: maker, List: source.Branches, States: traces.lent, Head: func() string { return traces.board.Status().Platform.Commit },
	}
	add(desk.Run)
	return branchPlans{desk, source.Branch}
}

// Branches is part of web.Plans.
func (b branchPlans) Branches(ctx context.Context) (map[string]string, error) {
	heads, err := b.Desk.Branches(ctx)
	delete(heads, b.own)
	return heads, err
}

// Plan is part of web.Plans.
func (b branchPlans) Plan(ctx context.Context, branch api.Branch, teams *[]string) (api.Plan, error) {
	made, err := b.Desk.Plan(ctx, branch.Branch, branch.Commit, readersOf(teams))
	return planOf(branch, made, teams, err)
}

// PlanDraft is part of web.Plans.
func (b branchPlans) PlanDraft(ctx context.Context, d api.Draft, teams *[]string) (api.Plan, error) {
	made, err := b.Desk.PlanDraft(ctx, preview.Draft(d), readersOf(teams))
	return planOf(api.Branch{}, made, teams, err)
}

func readersOf(teams *[]string) *preview.Readers {
	if teams == nil {
		return nil
	}
	return &preview.Readers{Teams: *teams}
}

// planOf is a plan, made or not, as the API tells it.
func planOf(branch api.Branch, made preview.Plan, teams *[]string, err error) (api.Plan, error) {
	switch {
	case errors.Is(err, preview.ErrMoved) && made.Draft != nil:
		return api.Plan{}, fmt.Errorf("%w: the states of the environments are not all read", web.ErrNotYet)
	case errors.Is(err, preview.ErrMoved):
		return api.Plan{}, fmt.Errorf("%w: the branch moved, or the states of the environments are not all read", web.ErrNotYet)
	case errors.Is(err, preview.ErrBusy):
		return api.Plan{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	case err != nil:
		return api.Plan{}, err
	}
	p := api.Plan{
		Branch: branch, Platform: made.Head, States: []api.State{}, Made: made.Made, Making: made.Text == "", Markdown: made.Text, DiffsOf: teams,
		Failed: made.Failed(),
	}
	for _, s := range made.States {
		p.States = append(p.States, api.State{Environment: s.Environment, Commit: s.Commit})
	}
	return p, nil
}
