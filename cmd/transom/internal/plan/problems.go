package plan

import (
	"slices"

	"transom.dev/cmd/transom/internal/states"
	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// problems are the Problems of a platform and of rendering it, and the Warnings of rendering.
type problems struct {
	fresh, warnings []platform.Problem // never nil
	known           []platform.Problem // that the merged platform has too
}

// findProblems finds the Problems of the platform, and tells those apart that are merged already.
func findProblems(r *render.Renderer, dir string, base *Baseline, all *forecast) (*problems, error) {
	rendered := map[string]*render.State{}
	for name, to := range all.of {
		rendered[name] = &render.State{Problems: to.Problems}
	}
	mistakes, own := workspace.Mistakes(all.platform, rendered)
	deniable, _ := workspace.Denied(own, func(platform.Problem) bool { return true })
	_, warnings := workspace.Mistakes(&platform.Platform{Environments: all.platform.Environments, Graph: all.platform.Graph}, rendered)
	found := &problems{fresh: []platform.Problem{}, warnings: append([]platform.Problem{}, warnings...)}
	if len(mistakes)+len(deniable) == 0 {
		return found, nil
	}
	merged, before, warned, err := mergedProblems(r, dir, base, all)
	if err != nil {
		return nil, err
	}
	fresh, known := workspace.Apart(mistakes, before)
	if merged { // else nobody knows, and a merged file is no fault of who asks
		denied, _ := workspace.DeniedBeside(own, warned)
		fresh = append(fresh, denied...)
		slices.SortStableFunc(fresh, platform.Problem.Compare)
	}
	found.fresh, found.known = append(found.fresh, fresh...), known
	return found, nil
}

// mergedProblems are the Problems and Warnings of the merged platform: of the base that was asked for, of the branch that the clone
// follows, or of the commit that the environments have accepted. It returns false where nothing of that is in this clone.
func mergedProblems(r *render.Renderer, dir string, base *Baseline, all *forecast) (found bool, problems, warnings []platform.Problem, err error) {
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
		return false, nil, nil, nil
	}
	bases := states.States{}
	for _, name := range workspace.Environments(before) {
		if to := all.of[name]; to != nil {
			bases = append(bases, states.State{Environment: name, Base: to.Before})
		}
	}
	rendered, err := bases.Render(r, before)
	if err != nil {
		return false, nil, nil, err
	}
	problems, warnings = workspace.Mistakes(before, rendered)
	return true, problems, warnings, nil
}
