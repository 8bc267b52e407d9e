package plan

import (
	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// tell adds the Problems of the platform and of rendering it, and the Warnings of rendering. Problems that the merged
// platform has too are known.
func (p *Plan) tell(r *render.Renderer, dir string, base *Baseline, all *outlooks) error {
	rendered := map[string]*render.State{}
	for name, to := range all.of {
		rendered[name] = &render.State{Problems: to.Problems}
	}
	problems, _ := workspace.Mistakes(all.platform, rendered)
	_, warnings := workspace.Mistakes(&platform.Platform{Environments: all.platform.Environments, Graph: all.platform.Graph}, rendered)
	p.Problems, p.Warnings = append([]platform.Problem{}, problems...), append([]platform.Problem{}, warnings...)
	if len(problems) == 0 {
		return nil
	}
	before, err := mergedProblems(r, dir, base, all)
	if err != nil {
		return err
	}
	fresh, known := workspace.Apart(problems, before)
	p.Problems, p.Known = append([]platform.Problem{}, fresh...), known
	return nil
}

// mergedProblems are the Problems of the merged platform: of the base that was asked for, of the branch that the clone
// follows, or of the commit that the environments have accepted. There are none where nothing of that is in this clone.
func mergedProblems(r *render.Renderer, dir string, base *Baseline, all *outlooks) ([]platform.Problem, error) {
	before := base.compared
	for _, revision := range forks {
		if before != nil {
			break
		}
		before, _ = workspace.LoadRevision(dir, revision) // a clone need not have it
	}
	if before == nil {
		before = all.before
	}
	if before == nil {
		return nil, nil
	}
	bases := states.States{}
	for _, name := range workspace.Environments(before) {
		if to := all.of[name]; to != nil {
			bases = append(bases, states.State{Environment: name, Base: to.Before})
		}
	}
	rendered, err := bases.Render(r, before)
	if err != nil {
		return nil, err
	}
	problems, _ := workspace.Mistakes(before, rendered)
	return problems, nil
}
