package render

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Rendered is one placement, rendered for people to look at.
type Rendered struct {
	Cluster  string
	Manifest []byte
	Wrapper  map[string][]byte  // the files of the directory wrapper, beside Trees
	Trees    []platform.Overlay // the directories that the wrapper names, as they are built: that of a chart has the objects that it printed
}

// Instance renders one request for one cluster of an environment; an empty cluster is the first one. Problems say why it has
// no manifest.
func Instance(p *platform.Platform, environment string, k platform.RequestKey, cluster string) (Rendered, []platform.Problem) {
	return InstanceAs(p, environment, k, cluster, nil)
}

// InstanceAs is Instance with another version of the offering than the request resolves to; nil: with that one.
func InstanceAs(p *platform.Platform, environment string, k platform.RequestKey, cluster string, v *platform.Version) (Rendered, []platform.Problem) {
	return new(Renderer).Show(p, environment, k, Manner{Cluster: cluster, Version: v})
}

// A Manner is how an instance is rendered for people where that is not as it runs.
type Manner struct {
	Cluster  string             // empty: the first one
	Version  *platform.Version  // of its offering; nil: the one that its request resolves to
	Made     *state.Placement   // as a record says that it was made; nil: as it is made now
	Instance *platform.Instance // of the request, instead of the head's; nil: the head's
	Unsigned bool               // as where Transom applies, whoever applies in the environment
	Unsealed bool               // without the values that the request gives in secret, whether it gives them or not, and without image pull secrets

	// Records are those of other requests, of which the values of observed outputs are read. Where there is no value, the example is read.
	Records map[platform.RequestKey]*state.Release
}

// Show is Instance in a manner, with the findings of the renderer about versions.
func (r *Renderer) Show(p *platform.Platform, environment string, k platform.RequestKey, as Manner) (Rendered, []platform.Problem) {
	s, err := newSnapshot(p, environment, nil, Direction{Examples: true, Records: as.Records})
	if err != nil {
		return Rendered{}, []platform.Problem{{Rule: "not-found", Message: err.Error()}}
	}
	if as.Unsigned {
		s.environment = s.environment.AppliedHere()
	}
	if problems := r.examiner().overlayProblems(s.environment); len(problems) > 0 {
		return Rendered{}, problems
	}
	pass := newPass(r, s)
	pass.builder.made, pass.builder.unsealed = as.Made, as.Unsealed
	c := pass.byKey[k]
	if as.Instance != nil {
		c = &candidate{instance: as.Instance}
	}
	if c == nil {
		return Rendered{}, []platform.Problem{notThere(p, environment, k)}
	}
	if as.Version == nil {
		return pass.show(c, as.Cluster)
	}
	other, problems := c.instance.As(as.Version)
	if len(problems) > 0 {
		return Rendered{}, problems
	}
	return pass.show(&candidate{instance: other}, as.Cluster)
}

// notThere says that there is no instance of a request in an environment, with the reason where that is a Problem of the platform.
func notThere(p *platform.Platform, environment string, k platform.RequestKey) platform.Problem {
	not := platform.Problem{
		File: k.File(), Rule: "not-found", Environment: environment, Request: &k,
		Message: fmt.Sprintf("no valid request %s in %s", k, environment),
	}
	its := func(o platform.Problem) bool {
		return !o.Warning && o.Request != nil && *o.Request == k && (o.Environment == "" || o.Environment == environment)
	}
	n := slices.IndexFunc(p.Problems, its)
	if e := p.Environments[environment]; n < 0 && e != nil && e.Broken {
		n = slices.IndexFunc(p.Problems, func(o platform.Problem) bool { return !o.Warning && o.File == e.File })
	}
	if n >= 0 {
		not.Message += ", for " + p.Problems[n].String()
	}
	return not
}

// show renders a candidate on a cluster, and nothing else.
func (p *pass) show(c *candidate, cluster string) (Rendered, []platform.Problem) {
	c.add(p.builder.examiner.sound(c.instance.Version)...)
	c.longTexts()
	c.add(p.admission.evaluateAlone(c)...)
	if c.broken() {
		return Rendered{}, c.problems
	}
	for _, e := range c.evaluation.placements {
		if cluster != "" && e.cluster.Name != cluster {
			continue
		}
		placed := c.addPlacement(e)
		if err := p.builder.render(c, placed); err != nil {
			c.add(buildProblem(kustomizationOf(c.instance.Version), err))
		}
		if err := p.judgeAlone(c); err != nil {
			c.add(buildProblem(kustomizationOf(c.instance.Version), err))
		}
		rendered := Rendered{Cluster: e.cluster.Name, Manifest: placed.manifest}
		if w, problems := p.builder.examiner.wrapper(c.instance, e); len(problems) == 0 {
			rendered.Wrapper, _ = w.Files()
			for _, tree := range w.Trees {
				rendered.Trees = append(rendered.Trees, platform.Overlay{Dir: tree.Dir, Files: tree.Files, Digest: tree.Digest})
			}
		}
		return rendered, c.problems
	}
	c.report("", "not-found", "is not placed on %s", orAny(cluster))
	return Rendered{}, c.problems
}

func orAny(cluster string) string {
	if cluster == "" {
		return "any cluster"
	}
	return fmt.Sprintf("cluster %q", cluster)
}

// RuleUnfinished is that of a Problem which may go away by itself: a build or an examination is under way, or was ended.
const RuleUnfinished = "unfinished"

// Unfinished reports whether an error of Again may go away by itself: a build is under way, or was ended over a limit.
func Unfinished(err error) bool { return unfinished(err) }

// unfinished reports whether an error is of a build that may come to something else later.
func unfinished(err error) bool {
	var u *kustomize.Unfinished
	return errors.As(err, &u)
}

// built reports whether the last pass built the placement already, on the base of now, and takes the manifest over.
func (c *candidate) built(placed *placement) bool {
	for _, built := range c.evaluation.built {
		if built.cluster == placed.cluster && built.manifest != nil && built.before == placed.before {
			placed.manifest, placed.revision, placed.warnings = built.manifest, built.revision, built.warnings
			placed.selectors, placed.reshapes = built.selectors, built.reshapes
			c.add(placed.warnings...)
			return true
		}
	}
	return false
}

// render builds one placement and checks its objects against the output rules. It reports their faults as the
// candidate's Problems, and leaves the manifest empty then. It fails only where the base cannot be read.
func (b *builder) render(c *candidate, placed *placement) error {
	if c.built(placed) {
		return nil
	}
	w, problems := b.examiner.wrapper(c.instance, placed.evaluated)
	if c.add(problems...); len(problems) > 0 {
		return nil
	}
	for n := range w.Trees {
		w.Trees[n].Taken = w.Trees[n].Dir == c.instance.Version.Dir && c.takenAlready()
	}
	sources, problems := b.examine(c.instance, w)
	for n := range problems {
		structure := problems[n].Rule == kustomize.RuleStructure && c.takenAlready()
		problems[n].Warning = problems[n].Warning || structure
	}
	if c.add(problems...); slices.ContainsFunc(problems, blocks) {
		return nil
	}
	manifest, err := b.manifest(c, placed, w)
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
	placed.warnings = slices.Concat(problems, b.definitions.outputProblems(c, b.environment, placed.namespace, objects), sizeProblems(c, manifest, nodes, objects), observedProblems(c, objects))
	if !b.checkRendered(c, placed, w, sources, nodes) {
		return nil
	}
	if !b.unsealed {
		var sound bool
		if manifest, objects, sound = c.fill(placed, w.Labels, manifest, objects); !sound {
			return nil
		}
	}
	if mark := markOf(b.environment); mark != nil {
		if manifest, err = mark(manifest); err != nil {
			c.report(kustomizationOf(c.instance.Version), "build", "%v", err)
			return nil
		}
	}
	placed.manifest, placed.revision = bytes.Clone(manifest), state.Revision(manifest) // without the room that its printer reserved
	ids := idsOf(objects)
	b.written.known.put(placed.revision, ids)
	return b.written.reshape(c, placed, ids)
}

// checkRendered adds the Problems of a placement's objects to those that were found before, and reports whether none of them
// blocks.
func (b *builder) checkRendered(c *candidate, placed *placement, w kustomize.Wrapper, sources []kustomize.Object, nodes []*yaml.Node) bool {
	file := kustomizationOf(c.instance.Version)
	l := &locator{skeleton: b.examiner.analyse(w).Skeleton, trees: w.Trees}
	for _, problem := range refused(l, w.Prefix, file, b.environment.Kubernetes, nodes, b.definitions.schemasFor(c.instance.Version)) {
		problem.Warning = problem.Warning || c.takenAlready()
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
	switch {
	case unfinished(err):
		rule = RuleUnfinished
	case failure != nil && failure.Counted:
		rule = kustomize.RuleCount
	}
	return platform.Problem{File: file, Rule: rule, Message: err.Error()}
}

// Keys returns the render keys that an instance would have in its environment, by cluster, with the outputs of its providers
// as the base has them. It builds nothing. Problems say why there are none: a provider does not run there, or an expression
// fails.
func (r *Renderer) Keys(p *platform.Platform, environment string, base *Base, i *platform.Instance) (map[string]string, []platform.Problem) {
	if p.Environments[environment] == nil {
		return nil, []platform.Problem{{Rule: "not-found", Message: fmt.Sprintf("the platform has no environment %s", environment)}}
	}
	runs := running{platform: p, environment: environment, outputs: func(k platform.RequestKey) (outputs, bool) {
		if base == nil || base.Releases[k] == nil || base.Releases[k].Absent {
			return outputs{}, false
		}
		return outputsOf(base.Releases[k]), true
	}}
	bound, waiting := runs.bound(i)
	if len(waiting) > 0 {
		return nil, waiting
	}
	var record *state.Release
	if base != nil {
		record = base.Releases[i.Request.Key]
	}
	m := r.memories.of(environment)
	e := m.evaluation(i)
	if all := m.sharesOf(p, environment); !e.fits(bound, record, all) {
		e = evaluate(i, bound, record, all)
		m.asked.generation = max(cacheGeneration, p.InstanceSet(environment).Len()) // each pass asks about all that wait
		m.asked.put(i, e)
	}
	if slices.ContainsFunc(e.problems, blocks) {
		return nil, e.problems
	}
	return e.keys(), nil
}

// keys are the evaluation's render keys by cluster.
func (e *evaluation) keys() map[string]string {
	keys := make(map[string]string, len(e.placements))
	for _, placed := range e.placements {
		keys[placed.cluster.Name] = placed.key
	}
	return keys
}
