package platform

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // whether there is a time zone must not depend on the machine

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

type environmentSpec struct {
	State struct {
		URL    string `json:"url" decode:"required"`
		Branch string
	} `decode:"required"`
	Clusters  *metav1.LabelSelector `decode:"required"`
	Namespace struct {
		Name       string
		Components []string
		Adopt      []string
	}
	Impersonate      struct{ ServiceAccount, ClusterScoped string }
	Secrets          struct{ Recipients map[string][]string }
	ImagePullSecrets []string
	Reserved         []struct {
		Namespace string `decode:"required"`
		Kinds     []struct {
			Group string
			Kind  string `decode:"required"`
		} `decode:"required"`
	}
	Values       map[string]any
	Components   []string
	PromotesFrom []string
	Gates        struct {
		Soak     string `is:"duration"`
		Approval any
		Grace    string `is:"duration"`
		Unproven string `oneof:"approval|allow"`
		Replace  string `oneof:"oldest|newest"`
		Checks   []checkSpec
	}
	Windows       []windowSpec
	Rollout       rolloutSpec
	Drift         string `oneof:"correct|report|strict"`
	DeletionLimit struct{ Instances, Percent *int }
	Apply         string `oneof:"server-side|external"`
	Logs          bool
	Kubernetes    string
}

type windowSpec struct {
	Cron     string `decode:"required"`
	Duration string `decode:"required"`
	TimeZone string
	Deny     bool
}

type rolloutSpec struct {
	Waves []struct {
		Name          string `decode:"required"`
		Clusters      *metav1.LabelSelector
		MaxConcurrent any
		Soak          string `is:"duration"`
	}
	Instances struct {
		First         *int
		MaxConcurrent any
		MaxFailures   *int
	}
	ProgressDeadline string `is:"duration"`
	OnFailure        string `oneof:"rollback|stop"`
	Checks           []checkSpec
}

// decodeEnvironment reads environments/<name>.yaml; overlays are the directories beside it, and pullSecrets the sealed files.
func decodeEnvironment(d *document, name string, overlays map[string][]*file, pullSecrets map[string]*file) *Environment {
	e := &Environment{Name: name, File: d.path}
	o, ok := read[environmentSpec](d, "Environment", name)
	s := o.Spec
	if ok && s.fewEnough(d) {
		e.decodeState(d, s)
		e.Clusters = d.compileSelector("spec.clusters", s.Clusters)
		if s.Namespace.Name != "" {
			e.Namespace.Name = d.compileExpression("spec.namespace.name", "namespace", s.Namespace.Name, namespaceScope(), expression.String)
		}
		e.Namespace.Components = findOverlays(d, "spec.namespace.components", name, s.Namespace.Components, overlays)
		e.Namespace.Adopt = checkAdoptable(d, "spec.namespace.adopt", s.Namespace.Adopt)
		e.Impersonate = decodeImpersonation(d, s.Impersonate.ServiceAccount, s.Impersonate.ClusterScoped)
		e.Recipients = decodeRecipients(d, s.Secrets.Recipients)
		e.PullSecrets = decodePullSecrets(d, e, s.ImagePullSecrets, pullSecrets)
		e.Overlays = findOverlays(d, "spec.components", name, s.Components, overlays)
		for i, r := range s.Reserved {
			e.checkReserved(d, fieldpath.Index("spec.reserved", i), r.Namespace)
			for _, k := range r.Kinds {
				e.Reserved = append(e.Reserved, ReservedKind{Namespace: r.Namespace, Group: k.Group, Kind: k.Kind})
			}
		}
		e.Values = s.Values
		e.Kubernetes = d.kubernetesVersion("spec.kubernetes", s.Kubernetes)
		e.PromotesFrom = s.PromotesFrom
		e.decodeGates(d, s)
		e.decodeRollout(d, s.Rollout)
		e.Drift, e.External = cmp.Or(s.Drift, "correct"), s.Apply == "external"
		e.Logs = s.Logs
		if e.External && e.Drift == "strict" {
			d.problem("spec.drift", "external", "another agent applies this environment, so that nothing of it is taken back here; remove the field")
		}
		e.DeletionLimit = DeletionLimit{
			Instances: d.readCount("spec.deletionLimit.instances", s.DeletionLimit.Instances, 5),
			Percent:   d.readCount("spec.deletionLimit.percent", s.DeletionLimit.Percent, 20),
		}
	}
	d.checkName(name, maxLabel)
	e.Broken = d.broken()
	return e
}

// fewEnough reports lists that are so long that going through them, in each pass, takes long.
func (s environmentSpec) fewEnough(d *document) bool {
	few := true
	for _, list := range []struct {
		field  string
		length int
	}{
		{"spec.imagePullSecrets", len(s.ImagePullSecrets)},
		{"spec.namespace.components", len(s.Namespace.Components)},
		{"spec.reserved", len(s.Reserved)},
		{"spec.components", len(s.Components)},
		{"spec.promotesFrom", len(s.PromotesFrom)},
		{"spec.windows", len(s.Windows)},
		{"spec.rollout.waves", len(s.Rollout.Waves)},
	} {
		few = !d.tooLong(list.field, list.length) && few
	}
	return few
}

// keepingAll returns the environment as one that keeps all it has.
func (e *Environment) keepingAll() *Environment {
	broken := *e
	broken.Broken = true
	return &broken
}

// Unhurried returns the environment as one in which no cluster and no instance waits for its turn: they only wait for the health
// of others.
func (e *Environment) Unhurried() *Environment {
	free := *e
	free.Rollout.Waves = nil
	free.Rollout.Instances.First, free.Rollout.Instances.MaxConcurrent = math.MaxInt32, "100%"
	return &free
}

// AppliedHere returns the environment as one whose state Transom applies itself.
func (e *Environment) AppliedHere() *Environment {
	own := *e
	own.External = false
	return &own
}

// checkReserved checks that an entry opens a namespace that is closed otherwise.
func (e *Environment) checkReserved(d *document, field, namespace string) {
	if namespace != "" && !ReservedNamespace(namespace) {
		d.problem(field+".namespace", "value", "%q is open to cluster-scoped offerings as it is; reserved are default, kube-* and transom-*", wording.Shorten(namespace))
	}
}

func (e *Environment) decodeState(d *document, s environmentSpec) {
	e.State = StateRepository{URL: s.State.URL, Branch: cmp.Or(s.State.Branch, "main")}
	switch url := s.State.URL; {
	case url == "":
	case hasPassword.MatchString(url):
		d.problem("spec.state.url", "credentials", "carries credentials; take them out of Git and put them into the daemon's --git-credentials file")
	case strings.ContainsAny(url, " \t\n") || strings.HasPrefix(url, "-"):
		d.problem("spec.state.url", "value", "is no URL or path of a Git repository")
	}
	if noBranch.MatchString(e.State.Branch) {
		d.problem("spec.state.branch", "value", "is no name of a branch")
	}
}

// hasPassword finds an address with a secret, which must not be repeated in any message; a mere user, as in ssh://git@host,
// is fine.
var hasPassword = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*)://([^/@]*:[^/@]*@)|^https?://[^/@]+@`)

// noBranch finds the characters and sequences that Git allows in no name of a branch.
var noBranch = regexp.MustCompile(`^[-/]|[/.]$|\.\.|//|[\x00-\x20~^:?*[\\]`)

func (e *Environment) decodeGates(d *document, s environmentSpec) {
	g := s.Gates
	e.Gates = Gates{
		Soak:     d.readDuration("spec.gates.soak", g.Soak, 0),
		Grace:    d.readDuration("spec.gates.grace", g.Grace, time.Minute),
		Unproven: cmp.Or(g.Unproven, "approval"),
		Replace:  cmp.Or(g.Replace, "oldest"),
	}
	e.decodeApproval(d, g.Approval)
	e.Gates.Checks = decodeChecks(d, "spec.gates.checks", g.Checks, checkScope(false), map[string]bool{})
	for i, w := range s.Windows {
		field := fieldpath.Index("spec.windows", i)
		if window, ok := readWindow(d, field, w); ok {
			e.Windows = append(e.Windows, window)
		}
	}
}

// decodeApproval reads whether a person approves all that changes, as a word, or as the exceptions and conditions where it is so.
func (e *Environment) decodeApproval(d *document, value any) {
	const field = "spec.gates.approval"
	e.Gates.Approval = "none"
	words := []string{"none", "required"}
	wrong := func(field string, value any, want string, words []string) {
		text, _ := value.(string)
		d.problem(field, "value", "must be %s, not %s%s", want, wording.Value(value), wording.Suggest(text, words))
	}
	switch v := value.(type) {
	case nil:
	case string:
		if e.Gates.Approval = cmp.Or(v, "none"); !slices.Contains(words, e.Gates.Approval) {
			wrong(field, v, "one of none, required, or a mapping of routine and separate", words)
		}
	case map[string]any:
		e.Gates.Approval = "required"
		for _, name := range sortedKeys(v) {
			word, _ := v[name].(string)
			separate, is := v[name].(bool)
			switch at := field + "." + name; {
			case name == "routine" && slices.Contains(words, word):
				e.Gates.Routine = word == "none"
			case name == "routine":
				wrong(at, v[name], "one of none, required", words)
			case name == "separate" && is:
				e.Gates.Separate = separate
			case name == "separate":
				wrong(at, v[name], "true or false", nil)
			default:
				d.problem(at, "unknown-field", "there is no such field; there are routine and separate%s", wording.Suggest(name, []string{"routine", "separate"}))
			}
		}
	default:
		wrong(field, v, "one of none, required, or a mapping of routine and separate", words)
	}
}

// readWindow reads a time in which an environment may change, or may not.
func readWindow(d *document, field string, w windowSpec) (Window, bool) {
	duration, zone := d.readDuration(field+".duration", w.Duration, 0), w.TimeZone
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		d.problem(field+".timeZone", "value", "there is no time zone %q", wording.Shorten(zone))
		zone = ""
	}
	if w.Cron == "" {
		return Window{}, false
	}
	if n := len(strings.Fields(w.Cron)); n != 5 {
		d.problem(field+".cron", "value", "must have the five fields of cron (minute, hour, day, month, weekday), not %d", n)
		return Window{}, false
	}
	window, err := NewWindow(w.Cron, duration, zone, w.Deny)
	if err != nil {
		d.problem(field+".cron", "value", "%q names no times: %s", wording.Shorten(w.Cron), errors.Unwrap(err))
		return window, false
	}
	window.warnIfIdle(d, field)
	return window, true
}

func (e *Environment) decodeRollout(d *document, s rolloutSpec) {
	e.Rollout = Rollout{
		ProgressDeadline: d.readDuration("spec.rollout.progressDeadline", s.ProgressDeadline, 10*time.Minute),
		OnFailure:        cmp.Or(s.OnFailure, "rollback"),
		Instances: Instances{
			First:         d.readCount("spec.rollout.instances.first", s.Instances.First, 1),
			MaxConcurrent: d.readShare("spec.rollout.instances.maxConcurrent", s.Instances.MaxConcurrent, "10%"),
			MaxFailures:   d.readCount("spec.rollout.instances.maxFailures", s.Instances.MaxFailures, 1),
		},
	}
	e.Rollout.Checks = decodeRolloutChecks(d, e, s.Checks)
	seen := map[string]bool{}
	for i, w := range s.Waves {
		field := fieldpath.Index("spec.rollout.waves", i)
		if seen[w.Name] {
			d.problem(field+".name", "duplicate-name", "there is already a wave %q", w.Name)
		}
		seen[w.Name] = true
		e.Rollout.Waves = append(e.Rollout.Waves, Wave{
			Name:          w.Name,
			Clusters:      d.compileSelector(field+".clusters", w.Clusters),
			MaxConcurrent: d.readShare(field+".maxConcurrent", w.MaxConcurrent, ""),
			Soak:          d.readDuration(field+".soak", w.Soak, 0),
		})
	}
}

// findOverlays finds the directories that components name.
func findOverlays(d *document, field, environment string, names []string, known map[string][]*file) (out []Overlay) {
	there, found := hints(len(names), known), map[string]Overlay{}
	for i, name := range names {
		at := fieldpath.Index(field, i)
		dir := fmt.Sprintf("environments/%s/%s", environment, wording.Shorten(name))
		if again, is := found[name]; is {
			out = append(out, again)
			continue
		}
		switch files := known[name]; {
		case !localPath(name) || strings.Contains(name, "/"):
			d.problem(at, "path", "%q must be the name of a directory in environments/%s", wording.Shorten(name), environment)
		case len(files) == 0 && !d.opaque:
			d.problem(at, "path", "there is no directory %s%s", dir, there.suggest(name))
		default:
			o := Overlay{Dir: dir}
			o.Files, o.Digest = directory(dir, files)
			d.checkKustomization(dir, files)
			found[name], out = o, append(out, o)
		}
	}
	return out
}

// checkAdoptable reads the names of namespaces that may be taken over.
func checkAdoptable(d *document, field string, names []string) []string {
	for i, name := range names {
		if wrong := wrongName(name, maxLabel); wrong != "" {
			d.problem(fieldpath.Index(field, i), "value", "%q %s", wording.Shorten(name), wrong)
		}
	}
	return names
}
