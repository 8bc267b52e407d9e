package promotion_test

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/labels"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A world is everything around the state machine, small enough to run through thousands of histories: a platform with one
// offering, environments with their state, clusters that take the commits and get healthy or not, and a daemon that
// watches them. Digests and render keys are readable texts, so that a trace can be read.
type world struct {
	clock  time.Duration // true time since the world began
	skew   time.Duration // by which the machine's clock is wrong
	booted time.Duration // true time at which the daemon started
	bootAt time.Time     // the reading of the machine's clock then

	head      int // platform commits
	platform  *platform.Platform
	order     []string                         // environments, upstream first
	requests  map[platform.RequestKey]*request // at the head
	faults    map[string]fault                 // by version, by version@environment, by version@cluster; also p<parameter>
	stages    map[string]*stage
	lost      map[string]bool              // clusters that do not answer
	away      map[string]*platform.Cluster // whose file is gone, as they were
	sick      map[string]bool              // clusters on which nothing is healthy
	flapping  map[string]time.Duration     // placements that are not healthy until then
	blocked   map[string]time.Duration     // placements in whose way a pod of a revision before is until then
	blind     map[string]time.Duration     // clusters at which nobody looks until then
	broken    map[platform.RequestKey]bool
	putIn     map[string]int    // the values that an environment puts into its instances
	passed    map[string]string // clusters that the selector of an environment passes over, by environment
	wrong     map[string]bool   // requests that cannot be rendered with a version but 1.0.0
	only      map[string]string // requests that have one cluster of their environment dev alone
	parties   parties           // that the checks of environments ask
	claims    claims            // and what they tell
	approvals int               // made, to tell one from another
	files     map[string]string // the platform's, as of the head
	changes   map[string][]int  // the platform commits that changed each

	bytes map[string]string            // version whose bytes another version renders
	rules map[string][]platform.Health // of health, by version

	asks  map[string][]*platform.Instance // at the head, by environment
	made  map[string]*made                // of the head, by environment and release
	trace []string
	judge *oracle
}

// fault is how something is bad.
type fault string

const (
	fails  fault = "fails"  // its health says so
	hangs  fault = "hangs"  // it never gets healthy
	stuck  fault = "stuck"  // a pod cannot start
	gutter fault = "gutter" // it is healthy for a while, then fails
	sleeps fault = "sleeps" // it is suspended until somebody wakes it
	errs   fault = "errs"   // it is healthy, and answers with errors
)

// A request is a request file that a developer has merged.
type request struct {
	p      int               // a parameter
	own    map[string]int    // a parameter by environment
	at     map[string]string // a version constraint by environment
	in     []string          // environments
	hold   map[string]bool
	pinned string // an exact version; empty: the newest of 1
	binds  string // name of another request
}

// A stage is an environment with the content of its state repository and of its clusters.
type stage struct {
	name     string
	commit   int
	releases map[platform.RequestKey]*state.Release
	history  map[string]map[platform.RequestKey]*state.Release
	live     map[string]*placed // by placement
	last     *pass
	tried    map[platform.RequestKey]int // in vain to be rendered
	tries    int
	memory   promotion.Memory
	asked    []*platform.Instance // by the head before
}

// A pass is the outcome of one of the daemon's over an environment.
type pass struct {
	*promotion.Choice
	admission *promotion.Admission
}

// placed is an instance on a cluster.
type placed struct {
	key      platform.RequestKey
	cluster  string
	revision string
	version  string                         // that its health is judged by
	bound    map[string]platform.RequestKey // by it
	since    time.Duration                  // it was applied

	meter      promotion.Meter
	held       promotion.Meter
	checkpoint time.Duration
	said       state.Health // its health as somebody saw it last; empty: nobody did
	stuck      bool         // as was observed with it
	behind     bool         // the same: only a pod of a revision before is in its way
	woken      bool         // it was suspended and is not any more
	doubted    bool         // something happened since

	lookedAt time.Time     // when somebody did
	seenIll  time.Duration // for how long, as far as somebody saw, it has not been healthy

	// The truth, whoever watches.
	well time.Duration // for how long it has been healthy
	ill  time.Duration // since when not

	ready                  bool          // it was healthy once
	sound, unsound, unsaid time.Duration // for how long checks of rollouts truly passed, did not, and had no answer
}

const (
	tick    = 10 * time.Second
	startup = 20 * time.Second
	grace   = 30 * time.Second
)

var began = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{
		bootAt: began, requests: map[platform.RequestKey]*request{}, faults: map[string]fault{}, stages: map[string]*stage{},
		lost: map[string]bool{}, blind: map[string]time.Duration{}, away: map[string]*platform.Cluster{}, sick: map[string]bool{},
		flapping: map[string]time.Duration{}, blocked: map[string]time.Duration{},
		bytes: map[string]string{}, rules: map[string][]platform.Health{}, changes: map[string][]int{},
		broken: map[platform.RequestKey]bool{}, putIn: map[string]int{}, passed: map[string]string{},
		platform: &platform.Platform{
			Offerings:    map[string]*platform.Offering{"web": {Name: "web", Deletion: platform.DeletionDelete}},
			Environments: map[string]*platform.Environment{}, Clusters: map[string]*platform.Cluster{},
		},
	}
	w.publish("1.0.0")
	return w
}

// ladder is the world that most tests live in: dev, staging that asks for a minute of dev, and prod with a canary wave that
// asks for three minutes of staging.
func ladder() *world { return newWorld().ladder() }

func (w *world) ladder() *world {
	w.environment("dev", nil, func(*platform.Environment) {}, "dev-1")
	w.environment("staging", []string{"dev"}, func(e *platform.Environment) { e.Gates.Soak = time.Minute }, "staging-1")
	w.environment("prod", []string{"staging"}, func(e *platform.Environment) {
		e.Gates.Soak = 3 * time.Minute
		e.Rollout.Waves = []platform.Wave{
			{Name: "canary", Clusters: labels.SelectorFromSet(labels.Set{"tier": "canary"}), Soak: time.Minute}, {Name: "rest"},
		}
	}, "prod-1", "prod-2")
	w.platform.Clusters["prod-1"].Labels["tier"] = "canary"
	return w
}

func (w *world) environment(name string, from []string, shape func(*platform.Environment), clusters ...string) {
	e := &platform.Environment{
		Name: name, File: "environments/" + name + ".yaml", PromotesFrom: from,
		Clusters: selector(name, nil),
		Gates:    platform.Gates{Approval: "none", Grace: grace, Unproven: "approval", Replace: "oldest"},
		Rollout: platform.Rollout{
			Instances:        platform.Instances{First: 1, MaxConcurrent: "50%", MaxFailures: 1},
			ProgressDeadline: 5 * time.Minute, OnFailure: "rollback",
		},
		DeletionLimit: platform.DeletionLimit{Instances: 5, Percent: 20},
	}
	shape(e)
	w.platform.Environments[name] = e
	w.order = append(w.order, name)
	for _, c := range clusters {
		w.join(name, c)
	}
	w.stages[name] = &stage{
		name: name, releases: map[platform.RequestKey]*state.Release{},
		history: map[string]map[platform.RequestKey]*state.Release{}, live: map[string]*placed{},
	}
}

func (w *world) join(environment, cluster string) {
	w.platform.Clusters[cluster] = &platform.Cluster{
		Name: cluster, State: platform.ClusterActive, Labels: map[string]string{"environment": environment, "slot": cluster},
	}
}

func (w *world) publish(number string) *platform.Version {
	o := w.platform.Offerings["web"]
	v := w.claims.version()
	v.Offering, v.Number, v.Dir, v.Digest = "web", semver.MustParse(number), "offerings/web/"+number, "v"+number
	v.Rendering, v.Lifecycle, v.Reversible = "b"+number, platform.Active, true
	v.Files = fstest.MapFS{smokeDir + "/kustomization.yaml": {}}
	o.Versions = append(o.Versions, v)
	return v
}

func key(name string) platform.RequestKey { return platform.RequestKey{Team: "shop", Name: name} }

// merge is a commit of the platform.
func (w *world) merge(say string, args ...any) {
	w.head++
	w.platform.Commit = w.at(w.head)
	w.recordChanges()
	for _, s := range w.stages {
		s.tried = nil
	}
	w.asks, w.made = map[string][]*platform.Instance{}, map[string]*made{}
	w.note("merge %s: "+say, append([]any{w.platform.Commit}, args...)...)
}

func (w *world) at(commit int) string { return fmt.Sprintf("c%04d", commit) }

func (w *world) note(say string, args ...any) {
	if w.trace != nil {
		w.trace = append(w.trace, fmt.Sprintf("%6s  ", w.clock)+fmt.Sprintf(say, args...))
	}
}

// decide merges a decision.
func (w *world) decide(environment string, d platform.Decision) *platform.Decision {
	made := w.write(environment, d)
	subject := d.Offering + "@" + d.Version
	if d.Request != nil {
		subject = d.Request.String() + " " + d.Release
	}
	w.merge("%s in %s of %s%s%s%s%v", d.Kind, environment, subject, d.Cluster, d.Plan, d.Deletions, d.Skip)
	return made
}

// write makes a decision that the next commit merges.
func (w *world) write(environment string, d platform.Decision) *platform.Decision {
	w.approvals++
	d.Environment, d.Name = environment, fmt.Sprintf("d%d", w.approvals)
	d.File, d.Digest = fmt.Sprintf("decisions/%s/%s.yaml", environment, d.Name), fmt.Sprintf("sha256:d%d", w.approvals)
	w.platform.Decisions = append(w.platform.Decisions, &d)
	return &d
}

func (w *world) undecide(d *platform.Decision) {
	w.platform.Decisions = slices.DeleteFunc(w.platform.Decisions, func(o *platform.Decision) bool { return o.Name == d.Name })
	w.merge("%s is removed", d.File)
}

// spec is a request as a developer wrote it.
func (r *request) spec() *platform.RequestSpec {
	s := &platform.RequestSpec{Offering: "web", Version: "1", Parameters: map[string]any{"p": r.p}, Environments: map[string]platform.RequestEnvironment{}}
	if r.pinned != "" {
		s.Version = r.pinned
	}
	for _, e := range r.in {
		own := platform.RequestEnvironment{Hold: r.hold[e], Version: r.at[e]}
		if n, ok := r.own[e]; ok {
			own.Parameters = map[string]any{"own": n}
		}
		s.Environments[e] = own
	}
	if r.binds != "" {
		s.Bindings = map[string]string{"to": r.binds}
	}
	return s
}

// digestOf names a release by its content.
func digestOf(k platform.RequestKey, s *platform.RequestSpec, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%s:p%v%s", k.Name, version, s.Parameters["p"], s.Bindings["to"])
	for _, e := range slices.Sorted(maps.Keys(s.Environments)) {
		b.WriteString("," + e)
		if own := s.Environments[e].Parameters["own"]; own != nil {
			fmt.Fprintf(&b, "=%v", own)
		}
		b.WriteString(s.Environments[e].Version)
	}
	return b.String()
}

// resolve makes an instance of content.
func (w *world) resolve(environment string, k platform.RequestKey, s *platform.RequestSpec, v *platform.Version) *platform.Instance {
	e := w.platform.Environments[environment]
	i := &platform.Instance{
		Request:     &platform.Request{Key: k, File: k.File(), Spec: *s},
		Environment: e, Offering: w.platform.Offerings["web"], Version: v, Release: digestOf(k, s, v.Number.String()),
	}
	for provider, name := range s.Bindings {
		i.Bindings = map[string]platform.RequestKey{provider: key(name)}
	}
	for _, name := range slices.Sorted(maps.Keys(w.platform.Clusters)) {
		if c := w.platform.Clusters[name]; w.member(environment, c) && c.State != platform.ClusterDraining &&
			(v.Placement == nil || v.Placement.Matches(labels.Set(c.Labels))) &&
			(environment != "dev" || w.only[k.Name] == "" || w.only[k.Name] == name) {
			i.Clusters = append(i.Clusters, c)
		}
	}
	return i
}

// newest is the version that a constraint resolves to at the head.
func (w *world) newest(constraint string) *platform.Version {
	for _, v := range slices.Backward(w.platform.Offerings["web"].Versions) {
		if v.Lifecycle != platform.Withdrawn && strings.HasPrefix(v.Number.String()+".", constraint+".") {
			return v
		}
	}
	return nil
}

// asked lists the instances that the head asks for in an environment.
func (w *world) asked(environment string) (list []*platform.Instance) {
	if known, ok := w.asks[environment]; ok {
		return known
	}
	s := w.stages[environment]
	defer func() { w.asks[environment], s.asked = list, list }()
	for _, k := range slices.SortedFunc(maps.Keys(w.requests), platform.RequestKey.Compare) {
		r := w.requests[k]
		if !slices.Contains(r.in, environment) || w.broken[k] {
			continue
		}
		spec := r.spec()
		if v := w.newest(cmp.Or(r.at[environment], spec.Version)); v != nil {
			list = append(list, w.unchanged(environment, w.resolve(environment, k, spec, v)))
		}
	}
	return list
}

// unchanged is an instance as a loader has it: the very same as at the head before, where nothing of it changed.
func (w *world) unchanged(environment string, i *platform.Instance) *platform.Instance {
	for _, before := range w.stages[environment].asked {
		if before.Request.Key == i.Request.Key && before.Version == i.Version && reflect.DeepEqual(before, i) {
			return before
		}
	}
	return i
}

// made is the rendering of a release in an environment at this head.
type made struct {
	instance *platform.Instance
	keys     map[string]string
	record   *state.Release
	waits    []platform.Problem // for values that it is bound to
}

func (w *world) make(i *platform.Instance) *made {
	id := i.Environment.Name + "|" + i.Release
	if known := w.made[id]; known != nil && len(i.Bindings) == 0 {
		return known
	}
	m := &made{instance: i, keys: make(map[string]string, len(i.Clusters))}
	here, number := i.Environment.Name, i.Version.Number.String()
	spec := i.Request.Spec
	m.record = &state.Release{
		Key: i.Request.Key, Digest: i.Release, Request: &spec, Offering: "web", Version: number,
		VersionDigest: i.Version.Digest, Health: w.rules[number], Commit: w.platform.Commit, Clusters: make(map[string]state.Placement, len(i.Clusters)),
		Observes: i.Version.Observed,
	}
	for _, c := range i.Clusters {
		value, waits := w.given(i, c.Name)
		m.waits = append(m.waits, waits...)
		key := fmt.Sprintf("%s p%v/%v e%d%s%s @%s %s", number, spec.Parameters["p"], spec.Environments[here].Parameters["own"], w.putIn[here], w.outputs(i), value, c.Name, i.Request.Key.Name)
		m.keys[c.Name] = key
		m.record.Clusters[c.Name] = w.claims.keyed(state.Placement{
			Revision: "r " + cmp.Or(w.bytes[number], number) + strings.TrimPrefix(key, number), RenderKey: key,
		})
	}
	w.made[id] = m
	return m
}

// outputs are those of the requests that an instance is bound to: their parameter, as its environment has it.
func (w *world) outputs(i *platform.Instance) (given string) {
	for _, provider := range i.Bindings {
		if r := w.stages[i.Environment.Name].releases[provider]; r != nil && !r.Absent {
			given += fmt.Sprintf(" b%v", r.Request.Parameters["p"])
		}
	}
	return given
}

// lookup answer for one environment of a world.
type lookup struct {
	*world
	environment string
}

func (p lookup) Broken(k platform.RequestKey) bool { return p.broken[k] }

func (p lookup) Resolve(k platform.RequestKey, c promotion.Content) (*platform.Instance, []platform.Problem) {
	if _, placed := c.Spec.Environments[p.environment]; !placed {
		return nil, nil
	}
	if known := p.made[p.environment+"|"+c.Digest]; known != nil && c.Spec.Environments[p.environment].Version == "" {
		return known.instance, nil
	}
	if own := c.Spec.Environments[p.environment].Version; own != "" { // it is resolved anew, at the head
		v := p.newest(own)
		if v == nil {
			return nil, []platform.Problem{{Message: "no version matches " + own}} // it was withdrawn
		}
		return p.make(p.resolve(p.environment, k, c.Spec, v)).instance, nil
	}
	for _, v := range p.platform.Offerings["web"].Versions {
		if v.Number.String() == c.Version && (c.VersionDigest == "" || c.VersionDigest == v.Digest) {
			return p.make(p.resolve(p.environment, k, c.Spec, v)).instance, nil
		}
	}
	return nil, []platform.Problem{{File: c.File, Message: "no such version " + c.Version}}
}

func (p lookup) Keys(i *platform.Instance) (map[string]string, []platform.Problem) {
	m := p.make(i)
	return m.keys, m.waits
}

func (p lookup) Older(a, b string) bool { return a < b }

func (p lookup) Ran(commit string, k platform.RequestKey) (*state.Release, error) {
	return p.stages[p.environment].history[commit][k], nil
}
