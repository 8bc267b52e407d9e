package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/internal/kustomize/compiler"
	"transom.dev/render/platform"
)

// A skeleton is the result of examining a version's components once, for every instance with the same ones.
type skeleton struct {
	*kustomize.Skeleton
	program *compiler.Program
	err     error
	over    error // the limit that a version which runs is over; nil: it is over none
}

// An examiner finds the Problems that versions and overlays have for every request, and the objects of their components. Both
// are remembered.
type examiner struct {
	*findings
	run   kustomize.Runner // of builds
	ready func()           // as Renderer.Ready
}

// findings are the results of examining versions and overlays, which depend on nothing else.
type findings struct {
	guarded      cache[string, []platform.Problem] // by directory and digest of a version or overlay
	served       cache[string, []string]           // API versions by version of Kubernetes
	prints       cache[string, print]              // by version and call of its chart
	printed      cache[string, *skeleton]          // as skeletons, of components of which one is a chart
	skeletons    cache[string, *skeleton]          // by digest of version, components and overlays
	contracts    perVersion[onceContract]
	examinations perVersion[examination]
}

// guard returns the Problems of a tree that must not reach Kustomize.
func (x examiner) guard(t kustomize.Tree) []platform.Problem {
	return x.guarded.get(t.Dir+"\n"+t.Digest, func() []platform.Problem { return kustomize.Guard(t) })
}

// overlayProblems guards an environment's own components. A mistake in them is the environment's: it keeps all it has.
func (x examiner) overlayProblems(e *platform.Environment) (problems []platform.Problem) {
	for _, overlay := range slices.Concat(e.Overlays, e.Namespace.Components) {
		for _, problem := range x.guard(overlayTree(overlay)) {
			problem.Environment = e.Name
			problems = append(problems, problem)
		}
	}
	return problems
}

// examine looks at the fields that the wrapper would overwrite in silence, before Kustomize does: namespaces, scopes,
// subjects, and values that would change their type. It returns the objects as they are before.
func (b *builder) examine(i *platform.Instance, w kustomize.Wrapper) ([]kustomize.Object, []platform.Problem) {
	file := kustomizationOf(i.Version)
	objects, problems := b.examiner.skeleton(file, i.Request.File, w)
	objects = asInstalled(i.Version.Chart, w.Namespace, objects)
	lines := map[string]namespaceLine{}
	if i.Version.Scope != platform.ClusterScoped {
		lines = namespaceLines(w.Trees, objects)
		problems = append(problems, foreignSubjects(objects, lines)...)
	}
	for _, namespace := range slices.Sorted(maps.Keys(lines)) {
		line := lines[namespace]
		problems = append(problems, line.problem(objects))
	}
	for _, o := range objects {
		its := b.definitions.examine(i.Version, o)
		_, told := lines[o.Namespace]
		problems = append(problems, slices.DeleteFunc(its, func(p platform.Problem) bool { return told && p.Rule == "namespace" })...)
	}
	if problems = attribute(problems, file); i.Version.Chart != nil {
		problems = inTemplates(i.Version.Chart, problems)
	}
	return objects, problems
}

// skeleton returns the objects of a wrapper's components, and the Problems of writing its inputs into them. The files are
// the kustomization, and the one that the inputs are of.
func (x examiner) skeleton(file, inputs string, w kustomize.Wrapper) ([]kustomize.Object, []platform.Problem) {
	s := x.analyse(w)
	if s.err != nil {
		return nil, []platform.Problem{buildProblem(file, s.err)}
	}
	if message := s.Outgrown(w.Inputs); message != "" {
		return nil, []platform.Problem{{File: inputs, Rule: "growth", Message: message}}
	}
	compared, excusable := s.Compared(w.Inputs, w.Runs())
	if compared != "" && !excusable {
		return nil, []platform.Problem{{File: inputs, Rule: kustomize.RuleCount, Message: compared}}
	}
	coerced, err := s.Coerced(w.Inputs)
	if err != nil {
		return nil, []platform.Problem{{File: file, Rule: "inputs", Message: err.Error()}}
	}
	if compared != "" {
		coerced = append(coerced, excused(platform.Problem{File: inputs, Rule: kustomize.RuleCount, Message: compared})...)
	}
	told := func(t kustomize.Tree) bool { return slices.ContainsFunc(x.guard(t), kustomize.IsCount) } // by soundness
	if s.over != nil && !slices.ContainsFunc(w.Trees, told) {
		coerced = append(coerced, excused(buildProblem(file, s.over))...)
	}
	return s.Objects, slices.Concat(s.Problems, coerced)
}

// attribute gives Problems without a file the one that they belong to.
func attribute(problems []platform.Problem, file string) []platform.Problem {
	for n := range problems {
		if problems[n].File == "" {
			problems[n].File = file
		}
	}
	return problems
}

// analyse returns the skeleton of a wrapper's components. Of a version that runs, it has one above the limits, too, which were set
// later: that is built in a worker only, whose limits hold.
func (x examiner) analyse(w kustomize.Wrapper) *skeleton {
	s := x.analysis(w, "", kustomize.Analyse)
	if !kustomize.Excused(w.Trees, s.err) {
		return s
	}
	excused := *x.analysis(w, "uncounted", kustomize.AnalyseUncounted)
	excused.program, excused.over = compiler.Never(s.err), s.err
	return &excused
}

// analysis remembers the skeletons that a way to analyse wrappers gives.
func (x examiner) analysis(w kustomize.Wrapper, way string, analyse func(kustomize.Wrapper) (*kustomize.Skeleton, error)) *skeleton {
	key, printed := way+"\n"+strings.Join(w.Components, "\n"), 0
	for _, t := range w.Trees {
		key += "\n" + t.Dir + " " + t.Digest
		printed += t.Printed
	}
	skeletons := &x.skeletons
	if printed > 0 {
		skeletons = &x.printed
	}
	if known, ok := skeletons.lookup(key); ok {
		return known
	}
	analysed, err := analyse(w)
	s := &skeleton{Skeleton: analysed, err: err}
	if s.program = compiler.Never(err); err == nil && way == "" {
		s.program = compiler.Compile(w)
	}
	if !unfinished(err) {
		skeletons.putSized(key, s, printed*skeletonOfPrint)
	}
	return s
}

// examine returns the Problems of one object of a version.
func (d *definitions) examine(v *platform.Version, o kustomize.Object) []platform.Problem {
	group, version := groupOf(o.APIVersion)
	problem := func(field, rule, format string, args ...any) []platform.Problem {
		return []platform.Problem{{
			File: o.File, Line: o.Line, Field: field, Rule: rule,
			Message: fmt.Sprintf("%s %s ", o.Kind, o.Name) + fmt.Sprintf(format, args...),
		}}
	}
	scope, known := d.scope(v, group, o.Kind)
	if !known {
		return []platform.Problem{{
			File: o.File, Line: o.Line, Field: "kind", Rule: "unknown-kind", Message: unknownKind(v, group, version, o.Kind),
		}}
	}
	if v.Scope == platform.ClusterScoped {
		if scope == scopeNamespaced && o.Namespace == "" {
			return problem("metadata.namespace", "namespace", "has no namespace, and a cluster-scoped version gets none; write it, or for "+
				"all objects at once the line `namespace: NAME` in %s", kustomizationOf(v))
		}
		return nil
	}
	switch {
	case group == "" && o.Kind == "Namespace":
		return problem("kind", "namespace-object", "is a namespace; the environment gives each team its own, so remove it")
	case scope == scopeCluster:
		return problem("kind", "cluster-scoped", "is cluster-scoped; remove it, or set spec.scope: cluster in version.yaml")
	case o.Namespace != "":
		return problem("metadata.namespace", "namespace",
			"is put into namespace %q; remove it, because every instance gets its team's namespace", o.Namespace)
	}
	return nil
}

// foreignSubjects reports bindings to ServiceAccounts that the version does not render itself: it would give its
// rights to somebody else. One of its own that a namespace line put elsewhere is not reported beside that line.
func foreignSubjects(objects []kustomize.Object, lines map[string]namespaceLine) []platform.Problem {
	own := map[string]bool{"default": true}
	for _, o := range objects {
		if o.Kind == "ServiceAccount" {
			own[o.Name] = true
		}
	}
	var problems []platform.Problem
	for _, o := range objects {
		for _, s := range o.Subjects {
			_, moved := lines[s.Namespace]
			if own[s.Name] && (s.Namespace == "" || moved) {
				continue
			}
			name := s.Name
			if s.Namespace != "" {
				name = s.Namespace + "/" + s.Name
			}
			problems = append(problems, platform.Problem{
				File: o.File, Line: o.Line, Field: "subjects", Rule: "foreign-subject",
				Message: fmt.Sprintf("%s %s names the ServiceAccount %s, which the version does not render; "+
					"bind its own, without a namespace", o.Kind, o.Name, name),
			})
		}
	}
	return problems
}
