package render

import (
	"errors"
	"fmt"
	"slices"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Again is a placement that was rendered once more.
type Again struct {
	Manifest  []byte
	Namespace []byte // the file of its team's namespace; empty for a cluster-scoped version
}

// Again renders one placement from nothing but its instance and those that it is bound to, which are given sorted by
// request, with the records that the environment has of them, by the rules of the renderer that these name. Whether it would
// be admitted, which releases run beside it and which records the environment has are not looked at: bytes that are the same
// can have come of these contents. The error says why there are none.
func (r *Renderer) Again(p *platform.Platform, environment string, instances []*platform.Instance,
	records map[platform.RequestKey]*state.Release, k platform.RequestKey, cluster string,
) (Again, error) {
	s, err := newSnapshot(p, environment, &Base{Releases: records}, Direction{Instances: platform.NewInstanceSet(instances), Made: records})
	if err != nil {
		return Again{}, err
	}
	if problems := r.examiner().overlayProblems(s.environment); len(problems) > 0 {
		return Again{}, said(problems)
	}
	pass := newPass(r, s)
	c := pass.byKey[k]
	if c == nil {
		return Again{}, said([]platform.Problem{notThere(p, environment, k)})
	}
	problems := pass.builder.examiner.guard(versionTree(c.instance.Version))
	if c.takenAlready() {
		problems = excused(problems...)
	}
	c.add(problems...)
	c.add(pass.admission.evaluateAlone(c)...)
	if c.broken() {
		return Again{}, said(c.problems)
	}
	at := slices.IndexFunc(c.evaluation.placements, func(e evaluated) bool { return e.cluster.Name == cluster })
	if at < 0 {
		return Again{}, fmt.Errorf("%s is not placed on %s", k, cluster)
	}
	placed := c.addPlacement(c.evaluation.placements[at])
	if err := pass.builder.render(c, placed); err != nil {
		return Again{}, err
	}
	if c.broken() {
		return Again{}, said(c.problems)
	}
	again := Again{Manifest: placed.manifest}
	if placed.namespace == "" {
		return again, nil
	}
	namespace, problems := pass.builder.namespace(c, state.NamespaceFile(cluster, k.Team), newBudget(pass.snapshot))
	if namespace == nil {
		return Again{}, said(problems)
	}
	again.Namespace = namespace
	return again, nil
}

// said is the first Problem that blocks, as an error.
func said(problems []platform.Problem) error {
	for _, p := range problems {
		if !p.Warning && p.Rule == RuleUnfinished {
			return &kustomize.Unfinished{Message: p.String()}
		}
		if !p.Warning {
			return errors.New(p.String())
		}
	}
	return errors.New("it cannot be rendered")
}
