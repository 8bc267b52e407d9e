package platform

import (
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"transom.dev/render/expression"
	"transom.dev/render/gate"
	"transom.dev/render/inquiry"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

type checkSpec struct {
	Name       string `decode:"required"`
	URL        string `json:"url"`
	Prometheus *struct {
		URL   string `json:"url" decode:"required"`
		Query string `decode:"required"`
		Is    string `decode:"required"`
	}
	Job     string
	Every   string
	For     string
	Timeout string
}

// The bounds of checks.
const (
	maxChecks    = 10 // of one list
	leastEvery   = time.Second
	mostEvery    = time.Hour
	mostTimeout  = time.Minute
	defaultEvery = 30 * time.Second

	// A Job takes longer than a question, and costs a pod.
	leastEveryJob   = 10 * time.Second
	leastTimeoutJob = 10 * time.Second
	mostTimeoutJob  = time.Hour
	defaultJob      = 5 * time.Minute // from one Job to the next, and of each

	// One answer is no reason to take a release back.
	defaultForOfRollout = time.Minute
)

var (
	httpAddress = regexp.MustCompile(`^https?://([a-zA-Z0-9_.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?([/?].*)?$`)
	comparison  = regexp.MustCompile(`^(<=|>=|==|!=|<|>)\s*(\S+)$`)
)

// decodeChecks reads a list of checks. Their names are unique in the environment, as an Override names them.
func decodeChecks(d *document, field string, specs []checkSpec, names *expression.Scope, seen map[string]bool) (checks []*inquiry.Check) {
	if len(specs) > maxChecks {
		d.problem(field, "too-many", "has %d checks and may have %d", len(specs), maxChecks)
		return nil
	}
	for i, s := range specs {
		at := fieldpath.Index(field, i)
		if wrong := wrongName(s.Name, maxLabel); wrong != "" && s.Name != "" {
			d.problem(at+".name", "name", "%q %s", wording.Shorten(s.Name), wrong)
		}
		if seen[s.Name] {
			d.problem(at+".name", "duplicate-name", "there is already a check %q in this environment", wording.Shorten(s.Name))
		}
		seen[s.Name] = true
		checks = append(checks, decodeCheck(d, at, s, names))
	}
	return checks
}

// decodeRolloutChecks reads the checks of rollouts. They wait for a party as long as for a release that does not become healthy.
func decodeRolloutChecks(d *document, e *Environment, specs []checkSpec) []*inquiry.Check {
	seen := map[string]bool{}
	for _, name := range e.CheckNames() {
		seen[name] = true
	}
	checks := decodeChecks(d, "spec.rollout.checks", specs, checkScope(true), seen)
	for i, c := range checks {
		if c.Job != "" {
			d.problem(fieldpath.Index("spec.rollout.checks", i)+".job", "value", "a Job runs beside a release that is healthy in the "+
				"environments before, so it is a check of gates; ask about a rollout by url or prometheus")
		}
		c.Patience = e.Rollout.ProgressDeadline
		if specs[i].For == "" {
			c.For = defaultForOfRollout
		}
	}
	return checks
}

func decodeCheck(d *document, field string, s checkSpec, names *expression.Scope) *inquiry.Check {
	if s.Job != "" {
		return decodeJobCheck(d, field, s)
	}
	c := &inquiry.Check{
		Name: s.Name, File: d.path,
		Every:   d.readBounded(field+".every", s.Every, defaultEvery, leastEvery, mostEvery),
		For:     d.readDuration(field+".for", s.For, 0),
		Timeout: d.readBounded(field+".timeout", s.Timeout, 10*time.Second, 100*time.Millisecond, mostTimeout),
	}
	switch {
	case s.URL != "" && s.Prometheus != nil, s.URL == "" && s.Prometheus == nil:
		d.problem(field, "value", "must have exactly one of url, prometheus and job")
	case s.URL != "":
		c.URL = d.compileTemplate(field+".url", s.URL, names)
		d.checkAddress(field+".url", s.URL, c.URL)
	default:
		p := s.Prometheus
		if strings.TrimSpace(p.Query) == "" {
			d.problem(field+".prometheus.query", "value", "must be a query that results in one number")
		}
		c.Prometheus = &inquiry.Prometheus{URL: strings.TrimSuffix(p.URL, "/"), Query: d.compileTemplate(field+".prometheus.query", p.Query, names)}
		if p.URL != "" {
			d.checkAddress(field+".prometheus.url", p.URL, nil)
		}
		if p.Is != "" {
			c.Prometheus.Is = d.readComparison(field+".prometheus.is", p.Is)
		}
	}
	return c
}

// decodeJobCheck reads a check that is a Job of versions.
func decodeJobCheck(d *document, field string, s checkSpec) *inquiry.Check {
	if s.URL != "" || s.Prometheus != nil {
		d.problem(field, "value", "must have exactly one of url, prometheus and job")
	}
	switch {
	case !localPath(s.Job):
		d.problem(field+".job", "path", "must be a directory in the directories of versions, such as checks/smoke, not %q", wording.Shorten(s.Job))
	case s.Job == "tests" || strings.HasPrefix(s.Job, "tests/"):
		d.problem(field+".job", "path", "is among the tests of versions, which are no part of them; choose another directory, such as checks/smoke")
	}
	return &inquiry.Check{
		Name: s.Name, Job: s.Job, File: d.path,
		Every:   d.readBounded(field+".every", s.Every, defaultJob, leastEveryJob, mostEvery),
		For:     d.readDuration(field+".for", s.For, 0),
		Timeout: d.readBounded(field+".timeout", s.Timeout, defaultJob, leastTimeoutJob, mostTimeoutJob),
	}
}

// readBounded reads a duration between two bounds.
func (d *document) readBounded(field, value string, absent, least, most time.Duration) time.Duration {
	t := d.readDuration(field, value, absent)
	if t < least || t > most {
		d.problem(field, "value", "must be from %s to %s, not %s", least, most, wording.Shorten(value))
	}
	return t
}

// compileTemplate compiles the expressions of a text; nil where one does not compile.
func (d *document) compileTemplate(field, source string, names *expression.Scope) *expression.Template {
	if len(source) > inquiry.MaxBytes {
		d.problem(field, "too-long", "has %d bytes and may have %d", len(source), inquiry.MaxBytes)
		return nil
	}
	t, err := expression.CompileTemplate(source, names)
	if err != nil {
		d.problem(field, "expression", "%s", err)
		return nil
	}
	return t
}

// checkAddress checks the address of an HTTP service. Its host is written out, so that an operator can allow it.
func (d *document) checkAddress(field, address string, t *expression.Template) {
	head := address
	if t != nil {
		head = t.Head()
	}
	switch {
	case hasPassword.MatchString(address):
		d.problem(field, "credentials", "carries credentials, which everybody who reads the repository has; ask a service that needs none")
	case t != nil && !t.Plain() && !strings.ContainsAny(strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(head, "https:"), "http:"), "/"), "/?"):
		d.problem(field, "value", "has an expression in its host; write the host out, as --check-hosts of the daemon names it")
	case strings.Contains(address, "#"):
		d.problem(field, "value", "has a part after #, which is sent to nobody; leave it out")
	case t == nil && strings.Contains(address, "?"):
		d.problem(field, "value", "has a part after ?, which belongs into the query")
	case badPort(head):
		d.problem(field, "value", "has a port that is none; ports are from 1 to 65535")
	case !httpAddress.MatchString(head):
		d.problem(field, "value", "must be the address of an HTTP service, such as https://slo.example.com/budget, not %q", wording.Shorten(address))
	}
}

// badPort reports whether an address has a port, and that is none.
func badPort(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	_, port, found := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
	number, err := strconv.ParseUint(port, 10, 16)
	return found && (err != nil || number == 0)
}

// readComparison reads a condition on a number.
func (d *document) readComparison(field, value string) (c inquiry.Comparison) {
	found := comparison.FindStringSubmatch(strings.TrimSpace(value))
	if found != nil {
		number, err := strconv.ParseFloat(found[2], 64)
		if finite := !math.IsNaN(number) && !math.IsInf(number, 0); err == nil && finite {
			return inquiry.Comparison{Operator: found[1], Number: number}
		}
	}
	d.problem(field, "value", "must be a comparison with a number, such as '< 0.01', not %q", wording.Shorten(value))
	return c
}

// checkScope has the variables of the checks of gates. Those of rollouts have the cluster, and the revision there, too.
func checkScope(rollout bool) *expression.Scope {
	s := expression.NewScope()
	text := func(names ...string) map[string]*expression.Type {
		fields := map[string]*expression.Type{}
		for _, name := range names {
			fields[name] = expression.String
		}
		return fields
	}
	s.Declare("request", s.Object("request", text("name", "team")))
	s.Declare("release", s.Object("release", text("digest", "offering", "version")))
	s.Declare("environment", s.Object("environment", map[string]*expression.Type{"name": expression.String, "values": expression.AnyMap}))
	if rollout {
		s.Declare("revision", expression.String)
		s.Declare("cluster", s.Object("cluster", map[string]*expression.Type{"name": expression.String, "labels": expression.StringMap}))
	}
	return s
}

// CheckNames lists the names of the checks of gates and of rollouts, sorted.
func (e *Environment) CheckNames() (names []string) {
	for _, c := range slices.Concat(e.Gates.Checks, e.Rollout.Checks) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// checkJobs finds the checks by Jobs that can run nowhere: there is no environment before, or another agent applies it.
func checkJobs(d *document, e *Environment, all map[string]*Environment) {
	for i, c := range e.Gates.Checks {
		field := fieldpath.Index("spec.gates.checks", i) + ".job"
		if c.Job != "" && len(e.PromotesFrom) == 0 {
			d.problem(field, "value", "runs beside a release in the environments before this one, and it promotes from none; set spec.promotesFrom, or ask by url or prometheus")
		}
		for _, from := range e.PromotesFrom {
			if up := all[from]; c.Job != "" && up != nil && up.External {
				d.problem(field, "external", "runs in the environments before this one, and another agent applies %s, so that nothing else is written there; ask by url or prometheus", from)
			}
		}
	}
}

// idleJobs warns of the checks by Jobs of which no version has the directory.
func idleJobs(p *Platform) {
	for _, name := range sortedKeys(p.Environments) {
		e := p.Environments[name]
		d := reopen(p.tree.environments[name])
		d.environment = name
		for i, c := range e.Gates.Checks {
			if c.Job != "" && !e.Broken && !haveDirectory(p, c.Job) {
				d.warn(fieldpath.Index("spec.gates.checks", i)+".job", "no-job", "no version of an offering has a directory %s, so that nothing is asked", wording.Shorten(c.Job))
			}
		}
		p.Problems = append(p.Problems, d.problems...)
	}
}

// haveDirectory reports whether a version of a platform has a directory.
func haveDirectory(p *Platform, dir string) bool {
	for _, o := range p.Offerings {
		if slices.ContainsFunc(o.Versions, func(v *Version) bool { return hasDirectory(v, dir) }) {
			return true
		}
	}
	return false
}

// hasDirectory reports whether a version's directory has another.
func hasDirectory(v *Version, dir string) bool {
	info, err := fs.Stat(v.Files, dir)
	return err == nil && info.IsDir()
}

// unknownChecks warns of the checks that an Override skips and that its environment has not. A check that went skips nobody.
func unknownChecks(f *file, decision *Decision, e *Environment) []Problem {
	if len(decision.Skip) == 0 || e.Broken {
		return nil
	}
	d := reopen(f)
	names := e.CheckNames()
	for i, word := range decision.Skip {
		if name, ofOne := gate.IsOfCheck(word); ofOne && !slices.Contains(names, name) {
			d.warn(fieldpath.Index("spec.skip", i), "unknown-check", "%s has no check %q%s", e.File, wording.Shorten(name), wording.Suggest(name, names))
		}
	}
	return d.problems
}
