package render

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// teamNamespaces are the namespace files of the teams that candidates are placed for.
type teamNamespaces struct {
	files   map[string][]byte       // to have, by path
	tenants map[string][]*candidate // in each of them
}

// buildNamespaces renders the namespace of every team and cluster that a candidate goes into. Where that fails, the
// candidates keep the releases they have: objects must not be committed before their namespace.
func (b *builder) buildNamespaces(candidates []*candidate) teamNamespaces {
	t := teamNamespaces{files: map[string][]byte{}, tenants: b.tenants(candidates)}
	l := newBudget(b.snapshot)
	for _, file := range slices.Sorted(maps.Keys(t.tenants)) {
		tenants := t.tenants[file]
		manifest, problems := b.namespace(tenants[0], file, l)
		if !slices.ContainsFunc(problems, blocks) {
			t.files[file] = manifest
			tenants[0].add(problems...) // Warnings are told once
			continue
		}
		for _, c := range tenants {
			c.add(problems...)
		}
	}
	return t
}

// tenants lists the candidates by the file of the namespace that they go into. A candidate that would go into the namespace
// of another team gets a Problem.
func (b *builder) tenants(candidates []*candidate) map[string][]*candidate {
	tenants := map[string][]*candidate{}
	teams := owners{index: b.index, first: map[location]string{}}
	for _, c := range candidates {
		if c.broken() {
			continue
		}
		for _, placed := range c.placements {
			if placed.namespace == "" {
				continue
			}
			cluster, team := placed.cluster.Name, c.key().Team
			if owner := teams.owner(location{cluster, placed.namespace}, team); owner != team {
				c.report(b.environment.File, "shared-namespace", "gives team %s the namespace %s of team %s on %s; "+
					"make spec.namespace.name differ between teams", team, placed.namespace, owner, cluster)
				break
			}
			file := state.NamespaceFile(cluster, team)
			tenants[file] = append(tenants[file], c)
		}
	}
	return tenants
}

// owners say whose each namespace is: of the team that has it in the base, else of the first that asks.
type owners struct {
	index *index
	first map[location]string
}

func (o owners) owner(at location, team string) string {
	if o.first[at] == "" {
		o.first[at] = cmp.Or(o.index.team(at), team)
	}
	return o.first[at]
}

// namespace renders the namespace file of a candidate's team. All of the team's candidates have the same.
func (b *builder) namespace(c *candidate, file string, l *budget) ([]byte, []platform.Problem) {
	i := slices.IndexFunc(c.placements, func(placed *placement) bool {
		return state.NamespaceFile(placed.cluster.Name, c.key().Team) == file
	})
	inputs := c.placements[i].inputs.Map()
	inputs["request"] = map[string]any{"team": c.key().Team}
	for _, other := range []string{"parameters", "computed", "bindings"} {
		delete(inputs, other)
	}
	digests := []string{}
	for _, overlay := range b.environment.Namespace.Components {
		digests = append(digests, overlay.Dir, overlay.Digest)
	}
	external := b.environment.External
	key := platform.Digest([]any{inputs, digests, external, b.environment.Kubernetes})
	made, known := b.namespaces.lookup(key)
	if !known {
		made = b.buildNamespace(c.placements[i].namespace, c.key().Team, inputs)
		if external && len(made.problems) == 0 {
			var err error
			if made.manifest, err = sign(made.manifest); err != nil {
				made.problems = []platform.Problem{buildProblem(b.environment.File, err)}
			}
		}
		if !made.unfinished {
			b.namespaces.put(key, made)
		}
	}
	if len(made.problems) > 0 {
		return nil, made.problems
	}
	found := b.judgeNamespace(file, made.manifest, inputs, l)
	if len(made.refused) > 0 {
		before, _ := b.base.Read(file) // if it cannot be read, writing it fails for the same reason
		for _, problem := range made.refused {
			problem.Warning = problem.Warning || bytes.Equal(before, made.manifest)
			found = append(found, problem)
		}
	}
	return made.manifest, found
}

type renderedNamespace struct {
	manifest []byte
	refused  []platform.Problem // that only warn of a namespace that is there already
	problems []platform.Problem

	unfinished bool // it may come out otherwise later
}

func (b *builder) buildNamespace(name, team string, inputs map[string]any) renderedNamespace {
	labels := map[string]string{
		state.LabelManagedBy: state.ManagedBy, state.LabelTeam: team, state.LabelEnvironment: b.environment.Name,
	}
	object, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels},
	})
	if err != nil {
		return b.noNamespace(err)
	}
	if len(b.environment.Namespace.Components) == 0 {
		return renderedNamespace{manifest: object}
	}
	w := kustomize.Wrapper{
		Inputs: inputs, Resources: map[string][]byte{"namespace.yaml": object}, Namespace: name, Labels: labels,
		Run: b.examiner.run,
	}
	for _, overlay := range b.environment.Namespace.Components {
		w.Trees = append(w.Trees, overlayTree(overlay))
		w.Components = append(w.Components, overlay.Dir)
	}
	if s := b.examiner.analyse(w); unfinished(s.err) {
		return b.noNamespace(s.err)
	}
	if problems := b.examineNamespace(w); len(problems) > 0 {
		return renderedNamespace{problems: problems}
	}
	manifest, err := kustomize.Build(w)
	if err != nil {
		return b.noNamespace(err)
	}
	if problems := b.namespaceProblems(name, manifest); len(problems) > 0 {
		return renderedNamespace{problems: problems}
	}
	nodes, err := parseNodes(manifest)
	if err != nil {
		return b.noNamespace(err)
	}
	l := &locator{skeleton: b.examiner.analyse(w).Skeleton, trees: w.Trees}
	return renderedNamespace{manifest: manifest, refused: refused(l, "", b.environment.File, b.environment.Kubernetes, nodes, nil)}
}

func (b *builder) noNamespace(err error) renderedNamespace {
	return renderedNamespace{problems: []platform.Problem{buildProblem(b.environment.File, err)}, unfinished: unfinished(err)}
}

// examineNamespace looks at the fields that the wrapper would overwrite in silence.
func (b *builder) examineNamespace(w kustomize.Wrapper) []platform.Problem {
	objects, problems := b.examiner.skeleton(b.environment.File, b.environment.File, w)
	for _, o := range objects {
		if o.Namespace != "" {
			problems = append(problems, platform.Problem{
				File: o.File, Line: o.Line, Field: "metadata.namespace", Rule: "namespace",
				Message: fmt.Sprintf("%s %s is put into namespace %q; remove it, because it goes into each team's",
					o.Kind, o.Name, o.Namespace),
			})
		}
	}
	return attribute(problems, b.environment.File)
}

// namespaceProblems checks a namespace file against the output rules. It contains the one namespace and objects inside it.
func (b *builder) namespaceProblems(name string, manifest []byte) []platform.Problem {
	check := output{file: b.environment.File, request: b.environment.File, around: true}
	objects, err := parseObjects(manifest)
	if err != nil {
		check.report(check.file, "build", "%v", err)
	}
	for _, o := range objects {
		check.name(o)
		check.secret(o)
		check.sealed(o, objects)
		check.annotations(o)
		if own := (objectID{"", "Namespace", "", name}); o.id != own && o.id.namespace != name {
			check.report(check.file, "namespace", "its namespace components render %s outside the namespace %s", o.id, name)
		}
	}
	return check.problems
}
