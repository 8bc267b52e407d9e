package render

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// A CheckJob is a Job that an environment's check runs beside a placement.
type CheckJob struct {
	Check  string // the name of the check
	Dir    string // in the version's directory
	Prefix string // of the names of the Job and of what it needs
}

// CheckJob renders the Job of a check beside one placement, and the ConfigMaps and image pull secrets that it needs. It is made of the directory of the check
// alone, with the inputs, the overlays and the namespace of the placement, and obeys every rule that the objects of the version
// obey. It has none of the labels by which pods are the instance's: no Service of the instance sends it requests, and no health is read of it.
// The instances are that of the placement and those that it is bound to, sorted by request, with the records that the environment has of
// them. The error says why there is no Job.
func (r *Renderer) CheckJob(p *platform.Platform, environment string, instances []*platform.Instance,
	records map[platform.RequestKey]*state.Release, k platform.RequestKey, cluster string, job CheckJob,
) (manifest []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("rendering it came upon a fault of Transom, which is worth a report: %v, at %s", fault, wording.FaultyLine())
		}
	}()
	s, err := newSnapshot(p, environment, &Base{Releases: records}, Direction{Instances: platform.NewInstanceSet(instances)})
	if err != nil {
		return nil, err
	}
	if problems := r.examiner().overlayProblems(s.environment); len(problems) > 0 {
		return nil, said(problems)
	}
	pass := newPass(r, s)
	known := pass.byKey[k]
	if known == nil {
		return nil, said([]platform.Problem{notThere(p, environment, k)})
	}
	known.add(pass.admission.evaluateAlone(known)...)
	if known.broken() {
		return nil, said(known.problems)
	}
	at := slices.IndexFunc(known.evaluation.placements, func(e evaluated) bool { return e.cluster.Name == cluster })
	if at < 0 {
		return nil, fmt.Errorf("%s is not placed on %s", k, cluster)
	}
	// Without its record nothing of the candidate is there already, so that every rule denies what it finds.
	c := &candidate{instance: known.instance, evaluation: &evaluation{instance: known.instance}}
	placed := &placement{evaluated: known.evaluation.placements[at]}
	if (checkBuilder{pass.builder}).build(c, placed, job); !c.broken() {
		c.placements = []*placement{placed}
		if err := pass.judgeAlone(c); err != nil {
			return nil, err
		}
	}
	if c.broken() {
		return nil, said(c.problems)
	}
	return placed.manifest, nil
}

// A checkBuilder makes the Jobs of checks.
type checkBuilder struct{ *builder }

// build builds the Job of a check for a placement, and reports the faults of its objects as the candidate's Problems.
func (b checkBuilder) build(c *candidate, placed *placement, job CheckJob) {
	w, problems := b.examiner.checkWrapper(c.instance, placed.evaluated, job)
	if c.add(problems...); len(problems) > 0 {
		return
	}
	file := path.Join(c.instance.Version.Dir, job.Dir, kustomize.KustomizationFile)
	sources, problems := b.examiner.skeleton(file, c.instance.Request.File, w)
	for _, o := range sources {
		problems = append(problems, b.definitions.examine(c.instance.Version, o)...)
	}
	if c.add(attribute(problems, file)...); c.broken() {
		return
	}
	analysed := b.examiner.analyse(w)
	manifest, err := analysed.program.Build(w)
	if err != nil {
		c.add(buildProblem(file, err))
		return
	}
	nodes, err := parseNodes(manifest)
	if err != nil {
		c.report(file, "build", "%v", err)
		return
	}
	objects, err := describeObjects(nodes)
	if err != nil {
		c.report(file, "build", "%v", err)
		return
	}
	l := &locator{skeleton: analysed.Skeleton, trees: w.Trees}
	for _, problem := range slices.Concat(b.definitions.outputProblems(c, b.environment, placed.namespace, objects), sizeProblems(c, manifest, nodes, objects)) {
		if problem.File == kustomizationOf(c.instance.Version) {
			problem.File = file
		}
		c.add(problem)
	}
	c.add(refused(l, w.Prefix, file, b.environment.Kubernetes, nodes, b.definitions.schemasFor(c.instance.Version))...)
	c.add(noCheckJob(file, nodes)...)
	placed.manifest, _, problems = pulling{c.instance, placed.namespace, job.Prefix, w.Labels}.add(manifest, objects)
	c.add(problems...)
}

// checkWrapper puts the directory of a check into the wrapper of a placement.
func (x examiner) checkWrapper(i *platform.Instance, placed evaluated, job CheckJob) (kustomize.Wrapper, []platform.Problem) {
	dir := path.Join(i.Version.Dir, job.Dir)
	wrong := func(rule, message string) (kustomize.Wrapper, []platform.Problem) {
		return kustomize.Wrapper{}, []platform.Problem{{File: dir, Rule: rule, Message: message}}
	}
	if i.Version.Scope == platform.ClusterScoped {
		return wrong("cluster-scoped", "is the check of a cluster-scoped version, which has no namespace of a team in which its Job could run; remove the directory")
	}
	files, err := fs.Sub(i.Version.Files, job.Dir)
	if err != nil {
		return wrong("unreadable", err.Error())
	}
	tree := kustomize.Tree{Dir: dir, Files: files, Digest: i.Version.Digest + "/" + job.Dir}
	if problems := x.guard(tree); len(problems) > 0 {
		return kustomize.Wrapper{}, problems
	}
	w := wrap(i, placed, source{[]kustomize.Tree{tree}, []string{dir}})
	w.Run, w.Prefix, w.Identity, w.Rule = x.run, job.Prefix, nil, kustomize.Nowhere
	w.Labels = maps.Clone(w.Labels)
	delete(w.Labels, state.LabelManagedBy)
	w.Labels[state.LabelCheck] = job.Check
	return w, nil
}

// noCheckJob says why objects are not one Job with its ConfigMaps.
func noCheckJob(file string, nodes []*yaml.Node) (problems []platform.Problem) {
	jobs := 0
	report := func(field, format string, args ...any) {
		problems = append(problems, platform.Problem{File: file, Field: field, Rule: "check-job", Message: fmt.Sprintf(format, args...)})
	}
	for _, document := range nodes {
		o := document.Content[0]
		group, _ := groupOf(valueOf(o, "apiVersion"))
		kind, name := valueOf(o, "kind"), valueOf(mappingOf(o, "metadata"), "name")
		switch {
		case group == "batch" && kind == "Job":
			jobs++
			if valueOf(mappingOf(o, "spec"), "suspend") == "true" {
				report("spec.suspend", "Job %s is suspended, so that it would never end; remove the field", name)
			}
		case group == "" && kind == "ConfigMap":
		default:
			report("", "comes to the %s %s; a check is one Job, and ConfigMaps where it needs some", kind, name)
		}
	}
	if jobs != 1 {
		report("", "comes to %d Jobs, and has to come to one", jobs)
	}
	return problems
}
