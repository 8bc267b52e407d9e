package platform

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"transom.dev/render/builtin"
	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/schema"
	"transom.dev/render/wording"
)

type versionSpec struct {
	Parameters *apiextensionsv1.JSONSchemaProps
	Computed   map[string]string
	Components []struct {
		Path string `decode:"required"`
		When string
	}
	Chart     *chartSpec `json:"chart,omitempty"`
	Bindings  map[string]binding
	Placement *struct {
		Clusters *metav1.LabelSelector `decode:"required"`
	}
	Scope      string `oneof:"namespaced|cluster"`
	Names      string `oneof:"prefixed|verbatim"`
	Kinds      []Kind
	Health     []Health
	Outputs    []outputSpec
	Reversible *bool
	Ignore     []Ignore
}

// decodeVersion reads offerings/<offering>/<number>/version.yaml and looks at the files beside it.
func decodeVersion(d *document, offering string, number *semver.Version, files []*file) (*Version, versionSpec) {
	dir := path.Join("offerings", offering, number.String())
	v := &Version{Offering: offering, Number: number, Dir: dir, Scope: Namespaced, Names: prefixed, Reversible: true}
	v.Files, v.Digest = directory(dir, files)
	var display []string
	o, ok := read[versionSpec](d, "Version", offering, displayMark(&display))
	if ok && fewEnough(d, o.Spec) {
		s := o.Spec
		v.Display = display
		v.decodeContract(d, s)
		v.Chart = findChart(d, dir, s.Chart, files)
		v.compileExpressions(d, s, nil)
		for i, c := range s.Components {
			d.checkComponent(fieldpath.Index("spec.components", i)+".path", v.Dir, c.Path, files)
		}
		v.decodeObjects(d, s)
	}
	v.Rendering = rendering(dir, files, o.Spec)
	if v.Chart == nil || !v.Chart.Alone {
		d.checkKustomization(dir, files)
	}
	v.Broken = d.broken()
	return v, o.Spec
}

// boundTo returns the version with the outputs that it can be bound to known.
func (v *Version) boundTo(d *document, s versionSpec, known offered) *Version {
	bound := *v
	if len(d.problems) == 0 && !v.Broken {
		bound.compileExpressions(d, s, known)
	}
	bound.Broken = v.Broken || d.broken()
	return &bound
}

// at returns the version at the stage of its life that its offering says, where removal is the position of its last day.
func (v *Version) at(l lifecycleSpec, removal Problem) *Version {
	live := *v
	live.removal = removal
	live.Lifecycle, live.Reason, live.RemoveAfter = lifecycle(cmp.Or(l.Lifecycle, string(Active))), l.Reason, l.RemoveAfter
	return &live
}

// Overdue says whether the last day of the version is over.
func (v *Version) Overdue(now time.Time) bool {
	return v.RemoveAfter != "" && v.RemoveAfter < now.UTC().Format(time.DateOnly)
}

// rendering is the digest of the files and fields that the manifests of a version depend on.
func rendering(dir string, files []*file, s versionSpec) string {
	_, others := directory(dir, slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f.path == path.Join(dir, "version.yaml") }))
	s.Health, s.Ignore, s.Outputs, s.Reversible = nil, nil, nil, nil
	return Digest(map[string]any{"files": others, "spec": s})
}

// fewEnough reports lists that are so long that going through them, for each instance, takes long.
func fewEnough(d *document, s versionSpec) bool {
	long := false
	for _, list := range []struct {
		field  string
		length int
	}{
		{"spec.computed", len(s.Computed)},
		{"spec.components", len(s.Components)},
		{"spec.outputs", len(s.Outputs)},
		{"spec.bindings", len(s.Bindings)},
		{"spec.kinds", len(s.Kinds)},
		{"spec.health", len(s.Health)},
		{"spec.ignore", len(s.Ignore)},
	} {
		long = d.tooLong(list.field, list.length) || long
	}
	for _, name := range sortedKeys(s.Bindings) {
		long = long || d.longer("spec.bindings."+name+".offerings", len(s.Bindings[name].Offerings), maxNamed)
	}
	return !long
}

// decodeContract decodes the parameters and bindings that a request can give and where it can be placed.
func (v *Version) decodeContract(d *document, s versionSpec) {
	parameters, wrong := schema.Compile(s.Parameters)
	if d.wrongBelow("spec.parameters") {
		wrong = nil // a schema that could not be read whole says nothing about itself
	}
	for _, w := range wrong {
		d.problem(parametersField(w.Field), w.Rule, "%s", w.Message)
	}
	v.Parameters = parameters
	v.Bindings = s.Bindings
	for _, name := range sortedKeys(s.Bindings) {
		if !expression.Identifier(name) {
			d.problem("spec.bindings."+name, "name", "%q is no name that an expression can select; use letters, digits and _", wording.Shorten(name))
		}
	}
	if s.Placement != nil {
		v.Placement = d.compileSelector("spec.placement.clusters", s.Placement.Clusters)
	}
	if s.Chart != nil && s.Names == string(prefixed) {
		d.problem("spec.names", "value", "a chart names its objects itself, and nothing is put before their names; remove the field")
	}
	if s.Chart != nil {
		checkChartNamespace(d, s.Chart.Namespace, s.Scope)
	}
	v.Scope, v.Names = Scope(cmp.Or(s.Scope, string(Namespaced))), naming(cmp.Or(s.Names, string(prefixed)))
	if s.Reversible != nil {
		v.Reversible = *s.Reversible
	}
}

// compileExpressions compiles all CEL that is evaluated per instance. The outputs of bindings are known once all versions are read;
// until then they may be anything.
func (v *Version) compileExpressions(d *document, s versionSpec, known offered) {
	names := inputsScope().WithFiles(v.Files)
	if v.Parameters != nil { // else the schema has a Problem, so nothing is known
		names = names.With("parameters", v.Parameters.Type(names, "parameters"))
	}
	names = names.With("bindings", bindingsType(names, s.Bindings, known))
	v.Computed, v.Components, v.Outputs, v.Observed, v.Examples = nil, nil, nil, nil, nil
	computed := map[string]*expression.Type{}
	for _, name := range sortedKeys(s.Computed) {
		field := "spec.computed." + name
		if !expression.Identifier(name) {
			d.problem(field, "name", "%q is no name that an expression can select; use letters, digits and _", wording.Shorten(name))
		}
		computed[name] = expression.Any
		if e := d.compileExpression(field, name, s.Computed[name], names, expression.Any); e != nil {
			v.Computed = append(v.Computed, *e)
			computed[name] = e.Result()
		}
	}
	names = names.With("computed", names.Object("computed", computed))
	v.names = names
	for i, c := range s.Components {
		component := Component{Path: c.Path}
		if c.When != "" {
			component.When = d.compileExpression(fieldpath.Index("spec.components", i)+".when", c.Path, c.When, names, expression.Bool)
		}
		v.Components = append(v.Components, component)
	}
	v.Chart = v.Chart.with(d, s.Chart, names)
	v.compileOutputs(d, s, names)
	v.reads = v.readsOf()
}

func (v *Version) compileOutputs(d *document, s versionSpec, names *expression.Scope) {
	seen := map[string]bool{}
	for i, o := range s.Outputs {
		field := fieldpath.Index("spec.outputs", i)
		if !expression.Identifier(o.Name) && o.Name != "" {
			d.problem(field+".name", "name", "%q is no name that an expression can select; use letters, digits and _", wording.Shorten(o.Name))
		}
		if seen[o.Name] {
			d.problem(field+".name", "duplicate-name", "there is already an output %q", o.Name)
		}
		seen[o.Name] = true
		if o.From != nil {
			if observed := decodeObserved(d, field, o); observed != nil {
				v.Observed = append(v.Observed, *observed)
				v.Examples = append(v.Examples, o.Example)
			}
		}
		if o.From != nil || o.misplaced(d, field) {
			continue
		}
		if e := d.compileExpression(field+".value", o.Name, o.Value, names, expression.Any); e != nil {
			v.Outputs = append(v.Outputs, *e)
		}
	}
}

// decodeObjects decodes the fields about the kinds of the version's objects.
func (v *Version) decodeObjects(d *document, s versionSpec) {
	v.Kinds, v.Health, v.Ignore = s.Kinds, s.Health, s.Ignore
	for i, k := range s.Kinds {
		if scope, known := builtin.Scope(k.Group, k.Kind); known && k.Scope != "" && scope != k.Scope {
			d.problem(fieldpath.Index("spec.kinds", i)+".scope", "value", "%s is a kind of Kubernetes and %s; remove the entry", k.Kind, scope)
		}
	}
	for i, ignore := range s.Ignore {
		for j, f := range ignore.Fields {
			if f == "" || strings.ContainsAny(f, "[]/ *") || strings.HasPrefix(f, ".") || strings.HasSuffix(f, ".") {
				d.problem(fieldpath.Index(fieldpath.Index("spec.ignore", i)+".fields", j), "value", "%q is no path of field names such as spec.replicas", wording.Shorten(f))
			}
		}
	}
	for i, h := range s.Health {
		field := fieldpath.Index("spec.health", i)
		switch {
		case h.Applied && h.Healthy+h.Failed != "":
			d.problem(field+".applied", "value", "must stand alone: an object that is healthy once applied has no other condition")
		case !h.Applied && h.Healthy == "":
			d.problem(field, "required", "must have either healthy, an expression, or applied: true")
		}
		if h.Healthy != "" {
			d.compileExpression(field+".healthy", "healthy", h.Healthy, expression.ObjectScope(), expression.Bool)
		}
		if h.Failed != "" {
			d.compileExpression(field+".failed", "failed", h.Failed, expression.ObjectScope(), expression.Bool)
		}
	}
}

// readsOf gathers the outputs that all of a version's expressions read of its bindings.
func (v *Version) readsOf() map[string][]string {
	out := map[string][]string{}
	add := func(e *expression.Expression) {
		if e == nil {
			return
		}
		for _, r := range e.Reads() {
			if !slices.Contains(out[r.Binding], r.Output) {
				out[r.Binding] = append(out[r.Binding], r.Output)
			}
		}
	}
	for i := range v.Computed {
		add(&v.Computed[i])
	}
	for _, c := range v.Components {
		add(c.When)
	}
	for i := range v.Outputs {
		add(&v.Outputs[i])
	}
	if v.Chart != nil {
		for _, e := range v.Chart.expressions() {
			add(e)
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}
