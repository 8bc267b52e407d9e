package platform

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// Loader loads one platform repository again and again. It keeps the result for each file and each request, so that a load
// costs only as much as changed; where the file system is a Git snapshot, unchanged teams are not even listed. The zero
// value works. It is not safe for concurrent use; the Platforms that it returns are.
type Loader struct {
	// Repository, if set, gives every address of one repository the same spelling. Otherwise addresses are compared as written.
	Repository func(url string) string

	// Own is where the platform itself is kept, as far as that is known: nothing else may be written there.
	Own []StateRepository

	// AtOnce bounds how many requests one load resolves that the load before did not have; zero: there is no bound. The others are
	// Deferred, and loads after it resolve them. What they are bound to comes with them, beyond the bound. Of a file system that knows ids,
	// not even the files of very many are read at once. A first load resolves all.
	AtOnce int

	fsys         fs.FS // of the load under way
	files        map[string]*file
	versions     map[string]*versionFile
	offerings    map[string]*loaded[*Offering]
	environments map[string]*loaded[*Environment]
	stages       *stages
	contents     *contents
	latest       *latest // of requests
	last         *Platform
}

// loaded is a value that was made of several files, with those files.
type loaded[T any] struct {
	value    T
	problems []Problem
	files    []*file
	versions []*Version
	narrowed []narrowing
}

// Load reads a platform repository once.
func Load(fsys fs.FS) (*Platform, error) { return new(Loader).Load(fsys) }

// Load reads a platform repository. It fails only where the file system does, and then nothing may be concluded;
// every mistake in the repository is in the Platform's Problems and costs only the file or field that it is in.
func (l *Loader) Load(fsys fs.FS) (*Platform, error) {
	l.fsys = fsys
	defer func() { l.fsys = nil }()
	t, err := l.walk(fsys)
	if err != nil {
		return nil, err
	}
	if l.contents == nil {
		l.contents, l.latest = &contents{}, &latest{}
	}
	p := &Platform{Problems: slices.Clone(t.problems), parts: parts{tree: t, contents: l.contents}}
	l.loadClusters(p)
	l.loadEnvironments(p)
	l.loadOfferings(p)
	idleJobs(p)
	l.loadPolicies(p)
	l.loadNotifications(p)
	l.loadDecisions(p)
	if err := l.loadRequests(p); err != nil {
		return nil, err
	}
	costlyChecks(p)
	l.loadNarrowings(p)
	for i := range p.Problems {
		p.Problems[i] = p.Problems[i].Cleaned()
	}
	slices.SortStableFunc(p.Problems, Problem.Compare)
	l.last = p
	return p, nil
}

// single decodes a kind that is one file, once.
func single[T any](p *Platform, f *file, as func(*document) T) T {
	made := decode(f, as)
	p.Problems = append(p.Problems, made.problems...)
	return made.value
}

// decode is single without the Problems. It is safe for concurrent use for different files.
func decode[T any](f *file, as func(*document) T) *loaded[T] {
	if f.decoded == nil {
		var made *loaded[T]
		wrong := guarded(f.path, func() {
			d := open(f)
			made = &loaded[T]{value: as(d), problems: d.problems}
		})
		if wrong != nil {
			made = &loaded[T]{value: as(&document{path: f.path, opaque: true}), problems: []Problem{*wrong}}
		}
		f.decoded = made
	}
	return f.decoded.(*loaded[T])
}

// open starts reading a file.
func open(f *file) *document { return openFor(f, nil) }

// openFor is open for the file of a request, whose every Problem names it.
func openFor(f *file, request *RequestKey) *document {
	d := &document{path: f.path, opaque: f.opaque, request: request}
	if !f.opaque {
		d.parse(f.data)
	}
	return d
}

// reopen starts a list of Problems that took more than the file to find.
func reopen(f *file) *document { return &document{path: f.path, source: &source{data: f.data}} }

func (l *Loader) loadClusters(p *Platform) {
	p.Clusters = make(map[string]*Cluster, len(p.tree.clusters))
	for name, f := range p.tree.clusters {
		p.Clusters[name] = single(p, f, func(d *document) *Cluster { return decodeCluster(d, name) })
	}
	for name, at := range p.tree.strays {
		if p.Clusters[name] == nil {
			p.Clusters[name] = &Cluster{Name: name, File: at, State: ClusterActive, Broken: true, stray: true}
		}
	}
}

func (l *Loader) loadPolicies(p *Platform) {
	p.Policies = make(map[string]*Policy, len(p.tree.policies))
	for name, f := range p.tree.policies {
		made := single(p, f, func(d *document) *Policy { return decodePolicy(d, name) })
		p.Policies[name] = made
		d := reopen(f)
		for i, env := range made.Environments {
			if p.Environments[env] == nil && !d.full() {
				d.problem(fieldpath.Index("spec.match.environments", i), "unknown-environment", "no environment %q%s", wording.Shorten(env), orThereIs(env, p.Environments))
			}
		}
		for i, offering := range made.Offerings {
			if p.Offerings[offering] == nil && !d.full() {
				d.problem(fieldpath.Index("spec.match.offerings", i), "unknown-offering", "no offering %q%s", wording.Shorten(offering), orThereIs(offering, p.Offerings))
			}
		}
		if len(d.problems) > 0 {
			sayIdle(d)
			p.Problems = append(p.Problems, d.problems...)
			wrong := *made
			wrong.Broken = true
			p.Policies[name] = &wrong
		}
	}
}

func (l *Loader) loadNotifications(p *Platform) {
	p.Notifications = make(map[string]*Notification, len(p.tree.notifications))
	for name, f := range p.tree.notifications {
		made := single(p, f, func(d *document) *Notification { return decodeNotification(d, name) })
		p.Notifications[name] = made
		d := reopen(f)
		for i, env := range made.Environments {
			if p.Environments[env] == nil && !d.full() {
				d.problem(fieldpath.Index("spec.environments", i), "unknown-environment", "no environment %q%s", wording.Shorten(env), orThereIs(env, p.Environments))
			}
		}
		for i, team := range made.Teams {
			if p.tree.teams[team] == nil && !d.full() {
				d.warn(fieldpath.Index("spec.teams", i), "unknown-team", "no team %q has requests%s", wording.Shorten(team), orThereIs(team, p.tree.teams))
			}
		}
		p.Problems = append(p.Problems, d.problems...)
	}
}

// decisionIn reads decisions/<environment>/<name>.yaml.
func decisionIn(f *file) func(*document) *Decision {
	environment, name := path.Base(path.Dir(f.path)), strings.TrimSuffix(path.Base(f.path), ".yaml")
	return func(d *document) *Decision { return decodeDecision(d, environment, name, f.data) }
}

func (l *Loader) loadDecisions(p *Platform) {
	files, others := readable(p.tree, l.AtOnce == 0 || l.last == nil)
	p.deferred += others
	forAll(len(files), func(i int) { decode(p.tree.decisions[files[i]], decisionIn(p.tree.decisions[files[i]])) })
	for _, at := range files {
		f, environment := p.tree.decisions[at], path.Base(path.Dir(at))
		decision := single(p, f, decisionIn(f))
		if decision.Broken || len(decision.Items) == 0 {
			p.Decisions = append(p.Decisions, decision)
		} else {
			p.Decisions = append(p.Decisions, decision.Items...)
		}
		if p.Environments[environment] == nil {
			p.Problems = append(p.Problems, Problem{
				File: at, Rule: "unknown-environment",
				Message: "no environment \"" + environment + "\"" + wording.Suggest(environment, sortedKeys(p.Environments)),
			})
		} else {
			p.Problems = append(p.Problems, unknownChecks(f, decision, p.Environments[environment])...)
		}
	}
	p.Decisions = append(p.Decisions, p.tree.holds...)
	for _, name := range sortedKeys(p.Environments) {
		if dir := "decisions/" + name; p.tree.incomplete(dir) { // what is in it may be a Hold
			p.Decisions = append(p.Decisions, &Decision{File: dir, Environment: name, Broken: true})
		}
	}
}

func (l *Loader) loadOfferings(p *Platform) {
	versions := l.loadVersions(p)
	next := map[string]*loaded[*Offering]{}
	p.Offerings = make(map[string]*Offering, len(p.tree.offerings))
	for _, name := range offeringNames(p.tree) {
		f := p.tree.offerings[name]
		made := l.offerings[name]
		if made == nil || !slices.Equal(made.files, []*file{f}) || !slices.Equal(made.versions, versions[name]) {
			made = makeOffering(name, f, versions[name])
			made.files, made.versions = []*file{f}, versions[name]
		}
		next[name] = made
		p.Offerings[name] = made.value
		p.Problems = append(p.Problems, made.problems...)
	}
	l.offerings = next
}

// offeringNames finds offerings by their file, by their versions and by paths that cannot be read.
func offeringNames(t *tree) []string {
	names := map[string]bool{}
	for name := range t.offerings {
		names[name] = true
	}
	for dir := range t.versions {
		names[path.Base(path.Dir(dir))] = true
	}
	return sortedKeys(names)
}

func makeOffering(name string, f *file, versions []*Version) *loaded[*Offering] {
	dir := path.Join("offerings", name)
	if f == nil {
		o := &Offering{Name: name, File: path.Join(dir, "offering.yaml"), Versions: versions, Broken: true}
		return &loaded[*Offering]{value: o, problems: []Problem{{File: dir, Rule: "required", Message: "has no offering.yaml"}}}
	}
	d := open(f)
	made := decodeOffering(d, name, f.data)
	o, problems := made.assemble(versions)
	return &loaded[*Offering]{value: o, problems: append(made.problems, problems...), narrowed: narrowings(o.Versions)}
}
