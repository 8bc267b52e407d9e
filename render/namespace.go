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

// settleNamespaces renders the namespace of every team and cluster that an instance goes into. Where that fails, the
// instances keep the releases they have: objects must not be committed before their namespace.
func (p *pass) settleNamespaces() {
	clear(p.namespaces)
	users := map[string][]*candidate{} // by file
	teams := owners{index: p.index, first: map[place]string{}}
	for _, c := range p.candidates {
		if c.broken() {
			continue
		}
		for _, placed := range c.placements {
			if placed.namespace == "" {
				continue
			}
			cluster, team := placed.cluster.Name, c.key().Team
			if owner := teams.owner(place{cluster, placed.namespace}, team); owner != team {
				c.report(p.environment.File, "shared-namespace", "gives team %s the namespace %s of team %s on %s; "+
					"make spec.namespace.name differ between teams", team, placed.namespace, owner, cluster)
				break
			}
			file := state.NamespaceFile(cluster, team)
			users[file] = append(users[file], c)
		}
	}
	p.tenants = users
	for _, file := range slices.Sorted(maps.Keys(users)) {
		manifest, problems := p.namespace(users[file][0], file)
		if !slices.ContainsFunc(problems, func(p platform.Problem) bool { return !p.Warning }) {
			p.namespaces[file] = manifest
			users[file][0].add(problems...) // Warnings are told once
			continue
		}
		for _, c := range users[file] {
			c.add(problems...)
		}
	}
}

// owners say whose each namespace is: of the team that has it in the base, else of the first that asks.
type owners struct {
	index *index
	first map[place]string
}

func (o owners) owner(at place, team string) string {
	if o.first[at] == "" {
		o.first[at] = cmp.Or(o.index.team(at), team)
	}
	return o.first[at]
}

// namespace renders the namespace file of a candidate's team. All of the team's candidates have the same.
func (p *pass) namespace(c *candidate, file string) ([]byte, []platform.Problem) {
	i := slices.IndexFunc(c.placements, func(placed *placement) bool {
		return state.NamespaceFile(placed.cluster.Name, c.key().Team) == file
	})
	inputs := c.placements[i].inputs.Map()
	inputs["request"] = map[string]any{"team": c.key().Team}
	for _, other := range []string{"parameters", "computed", "bindings"} {
		delete(inputs, other)
	}
	digests := []string{}
	for _, overlay := range p.environment.Namespace.Components {
		digests = append(digests, overlay.Dir, overlay.Digest)
	}
	external := p.environment.External
	key := platform.Digest([]any{inputs, digests, external})
	made, known := p.renderer.namespaces.lookup(key)
	if !known {
		made = p.buildNamespace(c.placements[i].namespace, c.key().Team, inputs)
		if external && len(made.problems) == 0 {
			var err error
			if made.manifest, err = sign(made.manifest); err != nil {
				made.problems = []platform.Problem{buildProblem(p.environment.File, err)}
			}
		}
		if !made.unfinished {
			p.renderer.namespaces.put(key, made)
		}
	}
	if len(made.problems) > 0 {
		return nil, made.problems
	}
	found := p.judgeNamespace(file, made.manifest, inputs)
	if len(made.refused) > 0 {
		before, _ := p.base.read(file) // if it cannot be read, writing it fails for the same reason
		for _, problem := range made.refused {
			problem.Warning = bytes.Equal(before, made.manifest)
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

func (p *pass) buildNamespace(name, team string, inputs map[string]any) renderedNamespace {
	labels := map[string]string{
		state.LabelManagedBy: state.ManagedBy, state.LabelTeam: team, state.LabelEnvironment: p.environment.Name,
	}
	object, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels},
	})
	if err != nil {
		return p.noNamespace(err)
	}
	if len(p.environment.Namespace.Components) == 0 {
		return renderedNamespace{manifest: object}
	}
	w := kustomize.Wrapper{
		Inputs: inputs, Resources: map[string][]byte{"namespace.yaml": object}, Namespace: name, Labels: labels,
		Run: p.renderer.runner(),
	}
	for _, overlay := range p.environment.Namespace.Components {
		w.Trees = append(w.Trees, overlayTree(overlay))
		w.Components = append(w.Components, overlay.Dir)
	}
	if s := p.renderer.analyse(w); unfinished(s.err) {
		return p.noNamespace(s.err)
	}
	if problems := p.examineNamespace(w); len(problems) > 0 {
		return renderedNamespace{problems: problems}
	}
	manifest, err := kustomize.Build(w)
	if err != nil {
		return p.noNamespace(err)
	}
	if problems := p.namespaceProblems(name, manifest); len(problems) > 0 {
		return renderedNamespace{problems: problems}
	}
	nodes, err := parseNodes(manifest)
	if err != nil {
		return p.noNamespace(err)
	}
	l := &locator{skeleton: p.renderer.analyse(w).Skeleton, trees: w.Trees}
	return renderedNamespace{manifest: manifest, refused: refused(l, "", p.environment.File, nodes, nil)}
}

func (p *pass) noNamespace(err error) renderedNamespace {
	return renderedNamespace{problems: []platform.Problem{buildProblem(p.environment.File, err)}, unfinished: unfinished(err)}
}

// examineNamespace looks at the fields that the wrapper would overwrite in silence.
func (p *pass) examineNamespace(w kustomize.Wrapper) []platform.Problem {
	objects, problems := p.renderer.skeleton(p.environment.File, p.environment.File, w)
	for _, o := range objects {
		if o.Namespace != "" {
			problems = append(problems, platform.Problem{
				File: o.File, Line: o.Line, Field: "metadata.namespace", Rule: "namespace",
				Message: fmt.Sprintf("%s %s is put into namespace %q; remove it, because it goes into each team's",
					o.Kind, o.Name, o.Namespace),
			})
		}
	}
	return attribute(problems, p.environment.File)
}

// namespaceProblems holds a namespace file to the output rules. It contains the one namespace and objects inside it.
func (p *pass) namespaceProblems(name string, manifest []byte) []platform.Problem {
	check := output{file: p.environment.File, request: p.environment.File, around: true}
	objects, err := parseObjects(manifest)
	if err != nil {
		check.report(check.file, "build", "%v", err)
	}
	for _, o := range objects {
		check.name(o)
		check.secret(o)
		check.annotations(o)
		if own := (objectID{"", "Namespace", "", name}); o.id != own && o.id.namespace != name {
			check.report(check.file, "namespace", "its namespace components render %s outside the namespace %s", o.id, name)
		}
	}
	return check.problems
}
