package render

import (
	"fmt"
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
}

// examine looks at the fields that the wrapper would overwrite in silence, before Kustomize does: namespaces, scopes,
// subjects, and values that would change their type. It returns the objects as they are before.
func (p *pass) examine(i *platform.Instance, w kustomize.Wrapper) ([]kustomize.Object, []platform.Problem) {
	file := kustomizationOf(i.Version)
	objects, problems := p.renderer.skeleton(file, i.Request.File, w)
	for _, o := range objects {
		problems = append(problems, p.examineObject(i.Version, o)...)
	}
	if i.Version.Scope != platform.ClusterScoped {
		problems = append(problems, foreignSubjects(objects)...)
	}
	return objects, attribute(problems, file)
}

// skeleton returns the objects of a wrapper's components, and the Problems of writing its inputs into them. The files are
// the kustomization, and the one that the inputs are of.
func (r *Renderer) skeleton(file, inputs string, w kustomize.Wrapper) ([]kustomize.Object, []platform.Problem) {
	s := r.analyse(w)
	if s.err != nil {
		return nil, []platform.Problem{buildProblem(file, s.err)}
	}
	if message := s.Outgrown(w.Inputs); message != "" {
		return nil, []platform.Problem{{File: inputs, Rule: "growth", Message: message}}
	}
	coerced, err := s.Coerced(w.Inputs)
	if err != nil {
		return nil, []platform.Problem{{File: file, Rule: "inputs", Message: err.Error()}}
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

func (r *Renderer) analyse(w kustomize.Wrapper) *skeleton {
	key := strings.Join(w.Components, "\n")
	for _, t := range w.Trees {
		key += "\n" + t.Dir + " " + t.Digest
	}
	if known, ok := r.skeletons.lookup(key); ok {
		return known
	}
	analysed, err := kustomize.Analyse(w)
	s := &skeleton{analysed, nil, err}
	if s.program = compiler.Never(err); err == nil {
		s.program = compiler.Compile(w)
	}
	if !unfinished(err) {
		r.skeletons.put(key, s)
	}
	return s
}

func (p *pass) examineObject(v *platform.Version, o kustomize.Object) []platform.Problem {
	group, version := groupOf(o.APIVersion)
	problem := func(field, rule, format string, args ...any) []platform.Problem {
		return []platform.Problem{{
			File: o.File, Line: o.Line, Field: field, Rule: rule,
			Message: fmt.Sprintf("%s %s ", o.Kind, o.Name) + fmt.Sprintf(format, args...),
		}}
	}
	scope, known := p.definitions.scope(v, group, o.Kind)
	if !known {
		return []platform.Problem{{
			File: o.File, Line: o.Line, Field: "kind", Rule: "unknown-kind", Message: unknownKind(v, group, version, o.Kind),
		}}
	}
	if v.Scope == platform.ClusterScoped {
		if scope == scopeNamespaced && o.Namespace == "" {
			return problem("metadata.namespace", "namespace", "has no namespace, and a cluster-scoped version gets none; write it")
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
// rights to somebody else.
func foreignSubjects(objects []kustomize.Object) []platform.Problem {
	own := map[string]bool{"default": true}
	for _, o := range objects {
		if o.Kind == "ServiceAccount" {
			own[o.Name] = true
		}
	}
	var problems []platform.Problem
	for _, o := range objects {
		for _, s := range o.Subjects {
			if s.Namespace == "" && own[s.Name] {
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
