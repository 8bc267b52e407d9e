package render

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/builtin"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/worker"
)

// Rendered is one placement, rendered for people to look at.
type Rendered struct {
	Cluster  string
	Manifest []byte
	Wrapper  map[string][]byte // the files of the directory wrapper, beside the platform's own directories
}

// Instance renders one request for one cluster of an environment; an empty cluster is the first one. The error says
// that the platform has no such thing; Problems say why it has no manifest.
func Instance(p *platform.Platform, environment string, k platform.RequestKey, cluster string) (Rendered, []platform.Problem) {
	return InstanceAs(p, environment, k, cluster, nil)
}

// InstanceAs is Instance with another version of the offering than the request resolves to; nil: with that one.
func InstanceAs(p *platform.Platform, environment string, k platform.RequestKey, cluster string, v *platform.Version) (Rendered, []platform.Problem) {
	return instanceAs(p, environment, k, cluster, v, manner{})
}

// A manner is how an instance is rendered where that is not as it runs.
type manner struct {
	made     *state.Placement // as a record says that it was made; nil: as it is made now
	unsigned bool             // as where Transom applies, whoever applies in the environment
}

// instanceAs is InstanceAs in a manner.
func instanceAs(
	p *platform.Platform, environment string, k platform.RequestKey, cluster string, v *platform.Version, as manner,
) (Rendered, []platform.Problem) {
	var r Renderer
	pass, err := r.begin(p, environment, nil)
	if err != nil {
		return Rendered{}, []platform.Problem{{Rule: "not-found", Message: err.Error()}}
	}
	pass.made = as.made
	if as.unsigned {
		pass.environment = pass.environment.AppliedHere()
	}
	if !pass.overlaysAreSound() {
		return Rendered{}, pass.problems
	}
	pass.resolve()
	c := pass.byKey[k]
	if c == nil {
		return Rendered{}, []platform.Problem{notThere(environment, k)}
	}
	if v == nil {
		return pass.show(c, cluster)
	}
	other, problems := c.instance.As(v)
	if len(problems) > 0 {
		return Rendered{}, problems
	}
	return pass.show(&candidate{instance: other}, cluster)
}

func notThere(environment string, k platform.RequestKey) platform.Problem {
	return platform.Problem{
		File: path.Join("requests", k.Team, k.Name+".yaml"), Rule: "not-found", Environment: environment, Request: &k,
		Message: fmt.Sprintf("no valid request %s in %s", k, environment),
	}
}

func (p *pass) show(c *candidate, cluster string) (Rendered, []platform.Problem) {
	c.add(p.renderer.sound(c.instance.Version)...)
	c.longTexts()
	c.add(p.alone(c)...)
	if c.broken() {
		return Rendered{}, c.problems
	}
	for _, e := range c.evaluation.placements {
		if cluster != "" && e.cluster.Name != cluster {
			continue
		}
		placed := c.place(e)
		if err := p.render(c, placed); err != nil {
			c.add(buildProblem(kustomizationOf(c.instance.Version), err))
		}
		found, err := p.judgePlacement(c, placed, p.policies)
		if c.add(found...); err != nil {
			c.add(buildProblem(kustomizationOf(c.instance.Version), err))
		}
		rendered := Rendered{Cluster: e.cluster.Name, Manifest: placed.manifest}
		if components, problems := c.instance.Components(placed.inputs); len(problems) == 0 {
			w := wrap(c.instance, placed, components)
			w.Run = p.renderer.runner()
			rendered.Wrapper, _ = w.Files()
		}
		return rendered, c.problems
	}
	c.report("", "not-found", "is not placed on %s", orAny(cluster))
	return Rendered{}, c.problems
}

// alone evaluates a candidate and its providers, and nothing else.
func (p *pass) alone(c *candidate) []platform.Problem {
	if c.evaluation != nil {
		return c.evaluation.problems
	}
	for _, provider := range c.instance.Bindings {
		if of := p.byKey[provider]; of != nil {
			of.add(p.alone(of)...)
		}
	}
	bound, waiting := p.bound(c)
	if len(waiting) > 0 {
		return waiting
	}
	c.evaluation = evaluate(c.instance, bound)
	return c.evaluation.problems
}

func orAny(cluster string) string {
	if cluster == "" {
		return "any cluster"
	}
	return fmt.Sprintf("cluster %q", cluster)
}

// versionTree is a version's directory as Kustomize may read it.
func versionTree(v *platform.Version) kustomize.Tree {
	return kustomize.Tree{Dir: v.Dir, Files: v.Files, Digest: v.Digest}
}

func overlayTree(o platform.Overlay) kustomize.Tree {
	return kustomize.Tree{Dir: o.Dir, Files: o.Files, Digest: o.Digest, Overlay: true}
}

// guard returns the Problems of a tree that must not reach Kustomize.
func (r *Renderer) guard(t kustomize.Tree) []platform.Problem {
	return r.guarded.get(t.Dir+"\n"+t.Digest, func() []platform.Problem { return kustomize.Guard(t) })
}

// overlaysAreSound guards the environment's own components. A mistake in them is the environment's: it keeps all it
// has.
func (p *pass) overlaysAreSound() bool {
	overlays := append(append([]platform.Overlay{}, p.environment.Overlays...), p.environment.Namespace.Components...)
	for _, overlay := range overlays {
		for _, problem := range p.renderer.guard(overlayTree(overlay)) {
			problem.Environment = p.environment.Name
			p.problems = append(p.problems, problem)
		}
	}
	return len(p.problems) == 0
}

// runner has Kustomize run in workers, whose results a pass waits for unless the renderer is told when they are there.
func (r *Renderer) runner() kustomize.Runner {
	if r.run != nil {
		return r.run
	}
	if r.Ready == nil {
		return worker.Run
	}
	return worker.Soon(r.Ready)
}

// ruleUnfinished is that of a Problem which may go away by itself: a build or an examination is under way, or was ended.
const ruleUnfinished = "unfinished"

// Unfinished reports whether an error of Again may go away by itself: a build is under way, or was ended over a limit.
func Unfinished(err error) bool { return unfinished(err) }

// unfinished reports whether an error is of a build that may come to something else later.
func unfinished(err error) bool {
	var u *kustomize.Unfinished
	return errors.As(err, &u)
}

// wrap puts an instance on one cluster into the wrapper that Kustomize builds.
func wrap(i *platform.Instance, placed *placement, components []string) kustomize.Wrapper {
	k := i.Request.Key
	w := kustomize.Wrapper{
		Inputs:     placed.inputs.Map(),
		Trees:      []kustomize.Tree{versionTree(i.Version)},
		Components: []string{i.Version.Dir},
		Namespace:  placed.namespace,
		Unscaled:   map[string]bool{},
		Labels: map[string]string{
			state.LabelManagedBy: state.ManagedBy, state.LabelTeam: k.Team, state.LabelRequest: k.Name,
			state.LabelEnvironment: i.Environment.Name, state.LabelOffering: i.Offering.Name,
		},
	}
	for _, ignore := range i.Version.Ignore {
		if slices.Contains(ignore.Fields, builtin.ReplicasField) {
			w.Unscaled[strings.TrimPrefix(ignore.Group+"/"+ignore.Kind, "/")] = true
		}
	}
	for _, component := range components {
		w.Components = append(w.Components, path.Join(i.Version.Dir, component))
	}
	for _, overlay := range i.Environment.Overlays {
		w.Trees = append(w.Trees, overlayTree(overlay))
		w.Components = append(w.Components, overlay.Dir)
	}
	if i.Version.Scope == platform.ClusterScoped {
		return w
	}
	w.Identity = map[string]string{state.LabelTeam: k.Team, state.LabelRequest: k.Name}
	if i.Version.Names == platform.Verbatim {
		w.Rule = kustomize.Nowhere // running workloads of these names may be adopted, and no pod restarted for that
	} else {
		w.Prefix = k.Name + "-"
	}
	return w
}

// built reports whether the last pass built the placement already, on the base of now, and takes the manifest over.
func (c *candidate) built(placed *placement) bool {
	for _, built := range c.evaluation.built {
		if built.cluster == placed.cluster && built.manifest != nil && built.before == placed.before {
			placed.manifest, placed.revision, placed.warnings = built.manifest, built.revision, built.warnings
			placed.selectors = built.selectors
			c.add(placed.warnings...)
			return true
		}
	}
	return false
}

// render builds one placement and holds its objects to the output rules. It reports their faults as the
// candidate's Problems, and leaves the manifest empty then. It fails only where the base cannot be read.
func (p *pass) render(c *candidate, placed *placement) error {
	if c.built(placed) {
		return nil
	}
	components, problems := c.instance.Components(placed.inputs)
	c.add(problems...)
	if len(problems) > 0 {
		return nil
	}
	w := wrap(c.instance, placed, components)
	w.Run = p.renderer.runner()
	sources, problems := p.examine(c.instance, w)
	for n := range problems {
		problems[n].Warning = problems[n].Rule == kustomize.RuleStructure && c.takenAlready()
	}
	if c.add(problems...); slices.ContainsFunc(problems, blocks) {
		return nil
	}
	manifest, err := p.manifest(c, placed, w)
	if unread := (unread{}); errors.As(err, &unread) {
		return unread.error
	}
	if err != nil {
		c.add(buildProblem(kustomizationOf(c.instance.Version), err))
		return nil
	}
	nodes, err := parseNodes(manifest)
	if err != nil {
		c.report(kustomizationOf(c.instance.Version), "build", "%v", err)
		return nil
	}
	objects, err := describeObjects(nodes)
	if err != nil {
		c.report(kustomizationOf(c.instance.Version), "build", "%v", err)
		return nil
	}
	placed.warnings = slices.Concat(problems, p.definitions.outputProblems(c, p.environment, placed.namespace, objects), sizeProblems(c, manifest, nodes, objects))
	if !p.admissible(c, placed, w, sources, nodes) {
		return nil
	}
	if p.environment.External {
		if manifest, err = sign(manifest); err != nil {
			c.report(kustomizationOf(c.instance.Version), "build", "%v", err)
			return nil
		}
	}
	placed.manifest, placed.revision = bytes.Clone(manifest), state.Revision(manifest) // without the room that its printer left
	p.renderer.objects.put(placed.revision, idsOf(objects))
	return nil
}

// admissible reports whether all that is wrong with a placement's objects, as far as it is found and as it is found now, blocks
// nothing.
func (p *pass) admissible(c *candidate, placed *placement, w kustomize.Wrapper, sources []kustomize.Object, nodes []*yaml.Node) bool {
	file := kustomizationOf(c.instance.Version)
	l := &locator{skeleton: p.renderer.analyse(w).Skeleton, trees: w.Trees}
	for _, problem := range refused(l, w.Prefix, file, nodes, p.definitions.schemasFor(c.instance.Version)) {
		problem.Warning = c.takenAlready()
		placed.warnings = append(placed.warnings, problem)
	}
	if !slices.ContainsFunc(placed.warnings, blocks) {
		if w.Prefix != "" {
			placed.warnings = append(placed.warnings, unprefixed(l, w.Prefix, file, nodes)...)
		}
		placed.warnings = append(placed.warnings, unscaled(&w, file, sources, nodes)...)
		placed.warnings = append(placed.warnings, idleSelectors(file, w.Prefix, sources, nodes)...)
	}
	c.add(placed.warnings...)
	return !slices.ContainsFunc(placed.warnings, blocks)
}

// buildProblem is a message of Kustomize, about the kustomization that it names.
func buildProblem(file string, err error) platform.Problem {
	var failure *kustomize.Failure
	if errors.As(err, &failure) && failure.File() != "" {
		file = failure.File()
	}
	rule := "build"
	if unfinished(err) {
		rule = ruleUnfinished
	}
	return platform.Problem{File: file, Rule: rule, Message: err.Error()}
}

func kustomizationOf(v *platform.Version) string { return path.Join(v.Dir, "kustomization.yaml") }
