package render

import (
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// Versions returns the Problems of the offerings' versions whether or not anybody requests them: of files that must not reach
// Kustomize, and of faults that no request could make right.
func (r *Renderer) Versions(p *platform.Platform) (problems []platform.Problem) {
	x, latest := r.examiner(), latestKubernetes(p)
	for _, offering := range p.Offerings {
		for _, v := range offering.Versions {
			if v.Broken {
				continue
			}
			wrong := x.sound(v)
			if problems = append(problems, wrong...); len(wrong) == 0 {
				contract := x.contract(v)
				problems = append(problems, contract.warnings...)
				problems = append(problems, contract.refused...)
				problems = append(problems, contract.schemaProblems(latest)...)
			}
		}
	}
	slices.SortFunc(problems, platform.Problem.Compare)
	return problems
}

// Documents are the objects of a version as YAML documents, with all of its components, before any input is written into them.
// Where components exclude each other, it is the objects of each beside the base's. A version that no request could use has
// none, and Problems.
func (r *Renderer) Documents(v *platform.Version) (documents []*yaml.Node, problems []platform.Problem) {
	if v.Broken {
		return nil, nil // the platform has its Problems
	}
	x := r.examiner()
	if wrong := x.guard(versionTree(v)); len(wrong) > 0 {
		return nil, wrong
	}
	if v.Chart != nil {
		return nil, nil // nobody knows them before there is a request
	}
	a := versionAnalysis{version: v, run: x.run}
	if whole := a.of(v.Components...); whole.err == nil {
		return whole.Texts, nil
	}
	base := a.of()
	if base.err != nil {
		return nil, []platform.Problem{buildProblem(kustomizationOf(v), base.err)}
	}
	documents = base.Texts
	for _, c := range v.Components {
		with := a.of(c)
		if with.err != nil {
			problems = append(problems, buildProblem(kustomizationOf(v), with.err))
			continue
		}
		documents = append(documents, with.Texts...)
	}
	return documents, problems
}

// sound returns the Problems that a version has for every request.
func (x examiner) sound(v *platform.Version) []platform.Problem {
	problems, _ := x.soundness(v)
	return problems
}

// soundness is sound, and whether it may come out otherwise later.
func (x examiner) soundness(v *platform.Version) (problems []platform.Problem, unfinished bool) {
	if wrong := x.guard(versionTree(v)); len(wrong) > 0 {
		return wrong, false
	}
	c := x.contract(v)
	if len(c.problems) == 0 {
		return nil, false
	}
	return slices.Concat(c.problems, c.refused, c.bySchema), c.unfinished // a field that is misspelt is why others are not there
}

// contract checks a version's replacements and patches against the promises of its schema and expressions. It depends on
// nothing but the version and the offerings that it can be bound to; a change of those makes it a new Version.
func (x examiner) contract(v *platform.Version) contract {
	once := x.contracts.of(v, func() *onceContract {
		return &onceContract{find: sync.OnceValue(func() contract { return findContract(v, x.run) })}
	})
	found := once.find()
	if found.unfinished {
		x.contracts.drop(v, once)
	}
	return found
}

// A onceContract finds the contract of a version once, however many ask for it at the same time.
type onceContract struct{ find func() contract }

// A contract has the Problems and Warnings of a version.
type contract struct {
	problems []platform.Problem
	warnings []platform.Problem // that requests are told of when they are rendered
	refused  []platform.Problem // that requests are told of when they are rendered: only a Warning for those that run it
	bySchema []platform.Problem // as refused, by the schema of Kubernetes' own kinds

	unfinished bool // it may come out otherwise later
}

// schemaProblems are those by the schema. They are Warnings where some API server is later than that.
func (c contract) schemaProblems(latest string) []platform.Problem {
	if !isLater(latest) {
		return c.bySchema
	}
	var warnings []platform.Problem
	for _, problem := range c.bySchema {
		warnings = append(warnings, later(latest, problem))
	}
	return warnings
}

// latestKubernetes is the latest version of Kubernetes that an environment names.
func latestKubernetes(p *platform.Platform) (latest string) {
	for _, e := range p.Environments {
		if minorOf(e.Kubernetes) > minorOf(latest) {
			latest = e.Kubernetes
		}
	}
	return latest
}

func findContract(v *platform.Version, run kustomize.Runner) contract {
	if v.Chart != nil {
		return contract{} // its objects are known where it is rendered
	}
	a := versionAnalysis{version: v, run: run}
	whole := a.of(v.Components...)
	base := a.of()
	c := contract{warnings: contractWarnings(v, whole)}
	c.refused, c.bySchema = refusedAsWritten(v, base, whole)
	for _, problem := range a.problems(base, whole) {
		if problem.Rule == kustomize.RuleStructure {
			c.refused = append(c.refused, problem)
		} else {
			c.problems = append(c.problems, problem)
		}
	}
	if a.unfinished != nil {
		c.problems, c.unfinished = []platform.Problem{buildProblem(kustomizationOf(v), a.unfinished)}, true
	}
	return c
}

// contractWarnings finds the texts of a version that equal a name before its prefix, and the keys of its env files that have
// no value, for any request.
func contractWarnings(v *platform.Version, whole *skeleton) []platform.Problem {
	warnings := kustomize.EnvFiles(versionTree(v))
	if whole.err != nil || v.Names == platform.Verbatim || v.Scope == platform.ClusterScoped {
		return warnings
	}
	return append(warnings, unprefixed(locatorIn(v, whole), "", kustomizationOf(v), whole.Texts)...)
}

func (a *versionAnalysis) problems(base, whole *skeleton) (problems []platform.Problem) {
	v := a.version
	for n := range v.Components {
		problems = append(problems, a.component(v.Components[n], whole)...)
	}
	if whole.err == nil {
		problems = append(problems, annotationProblems(whole)...)
	}
	if base.err != nil {
		return nil // some component may bring the missing object
	}
	problems = append(problems, base.Problems...)
	problems = append(problems, readProblems(v, base.Skeleton, v.Dir, platform.Component{})...)
	slices.SortFunc(problems, platform.Problem.Compare)
	return slices.CompactFunc(problems, platform.Problem.Same)
}

// component finds the Problems that a component has both by itself and among all the others: one of these may bring the
// object that it needs.
func (a *versionAnalysis) component(c platform.Component, whole *skeleton) (problems []platform.Problem) {
	v := a.version
	alone, dir := a.of(c), path.Join(v.Dir, c.Path)
	if alone.err != nil || whole.err != nil {
		return nil
	}
	for _, problem := range alone.Problems {
		if strings.HasPrefix(problem.File, dir+"/") && slices.Contains(whole.Problems, problem) {
			problems = append(problems, problem)
		}
	}
	return append(problems, readProblems(v, whole.Skeleton, dir, c)...)
}

// A versionAnalysis looks at a version with some of its components. That is no instance's wrapper, so it is kept apart from
// those.
type versionAnalysis struct {
	version    *platform.Version
	run        kustomize.Runner
	unfinished error // nil: every analysis came to its end
}

func (a *versionAnalysis) of(components ...platform.Component) *skeleton {
	v := a.version
	w := kustomize.Wrapper{Trees: []kustomize.Tree{versionTree(v)}, Components: []string{v.Dir}, Run: a.run}
	for _, c := range components {
		if dir := path.Join(v.Dir, c.Path); !slices.Contains(w.Components, dir) {
			w.Components = append(w.Components, dir)
		}
	}
	s, err := kustomize.Analyse(w)
	if unfinished(err) {
		a.unfinished = err
	}
	return &skeleton{Skeleton: s, err: err}
}

// readProblems checks the inputs that the replacements of one component read against the version's schema.
func readProblems(v *platform.Version, s *kustomize.Skeleton, dir string, c platform.Component) (problems []platform.Problem) {
	for _, read := range s.Reads() {
		if read.Component != dir {
			continue
		}
		field, p := v.Field(read.Source), read.Position
		name := unguarded(read.Source, field.Optional, c)
		switch {
		case field.Wrong != "":
			p.Rule, p.Message = "unknown-input", field.Wrong
		case name != "":
			p.Rule, p.Message = "optional-input", "reads "+name+", which a request may leave out; give it a default, require it, "+
				"or write it in a component whose condition asks for it: has("+name+")"
		case field.Type != "":
			p.Rule, p.Message = read.Mismatch(field.Type)
		}
		if p.Message != "" {
			problems = append(problems, p)
		}
	}
	return problems
}

// unguarded names an input that may have no value where a component is chosen; empty: there is none.
func unguarded(source []string, optional []int, c platform.Component) string {
	for _, n := range slices.Sorted(slices.Values(optional)) {
		if !c.Guards(source[:n]) {
			return strings.Join(source[:n], ".")
		}
	}
	return ""
}
