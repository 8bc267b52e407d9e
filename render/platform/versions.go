package platform

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"transom.dev/render/expression"
	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// versionFile is the version of a directory: decoded by itself, and checked against the offerings that it can be bound to.
type versionFile struct {
	files    []*file
	contract *file // version.yaml; nil where there is none
	spec     versionSpec
	alone    *Version
	problems []Problem

	known   string // the outputs of the offerings that it can be bound to, as they were when it was checked
	version *Version
	unbound []Problem // the Problems between it and those
}

// offered is the outputs of offerings: those of all their versions by name, with their types. One that differs between
// versions may be anything, and of an offering that has a broken version nothing is known.
type offered map[string]map[string]*expression.Type

// loadVersions returns every offering's versions.
func (l *Loader) loadVersions(p *Platform) map[string][]*Version {
	next, outputs, out := map[string]*versionFile{}, offered{}, map[string][]*Version{}
	for name := range p.tree.offerings {
		outputs[name] = map[string]*expression.Type{}
	}
	dirs := slices.Sorted(maps.Keys(p.tree.versions))
	for _, dir := range dirs {
		made := l.versions[dir]
		if files := p.tree.versions[dir]; made == nil || !slices.Equal(made.files, files) {
			made = makeVersion(p.tree, dir, files)
		}
		next[dir] = made
		outputs.add(made.alone)
	}
	for _, dir := range dirs {
		made := next[dir]
		made.checkBindings(p.tree, outputs)
		offering := path.Base(path.Dir(dir))
		out[offering] = append(out[offering], made.version)
		p.Problems = append(p.Problems, made.problems...)
		p.Problems = append(p.Problems, made.unbound...)
	}
	l.versions = next
	return out
}

func makeVersion(t *tree, dir string, files []*file) *versionFile {
	made := &versionFile{files: files}
	d := &document{path: dir + "/version.yaml"}
	if i := slices.IndexFunc(files, func(f *file) bool { return f.path == d.path }); i >= 0 {
		made.contract = files[i]
		d = open(files[i])
	} else if !t.mayExist(dir) {
		d.add(Problem{File: dir, Rule: "required", Message: "has no version.yaml"})
	}
	d.opaque = d.opaque || t.incomplete(dir)
	number := semver.MustParse(path.Base(dir))
	made.alone, made.spec = decodeVersion(d, path.Base(path.Dir(dir)), number, files)
	made.problems = d.problems
	made.version = made.alone
	return made
}

// add adds the outputs of a version to those of its offering.
func (o offered) add(v *Version) {
	outputs, seen := o[v.Offering]
	switch {
	case v.Broken:
		o[v.Offering] = nil
		return
	case !seen:
		outputs = map[string]*expression.Type{}
		o[v.Offering] = outputs
	case outputs == nil:
		return
	}
	add := func(name string, t *expression.Type) {
		if known := outputs[name]; known != nil && !known.IsExactType(t) {
			t = expression.Any
		}
		outputs[name] = t
	}
	for _, e := range v.Outputs {
		add(e.Name, expression.Outside(e.Result()))
	}
	for _, o := range v.Observed {
		add(o.Name, o.typed())
	}
}

// checkBindings checks a version against the offerings that it can be bound to, again only where their outputs changed.
func (f *versionFile) checkBindings(t *tree, known offered) {
	if f.contract == nil || len(f.alone.Bindings) == 0 {
		return
	}
	relevant, text := offered{}, ""
	for _, b := range f.alone.Bindings {
		for _, offering := range b.Offerings {
			if outputs, ok := known[offering]; ok {
				relevant[offering] = outputs
			} else if t.mayExist("offerings/" + offering) {
				relevant[offering] = nil // its outputs are unknown
			} else {
				text = wording.List(sortedKeys(known)) // which the Problem will say
			}
		}
	}
	if text += relevant.String(); f.known != text {
		f.known = text
		f.bindTo(relevant, known)
	}
}

func (f *versionFile) bindTo(relevant, known offered) {
	d := reopen(f.contract)
	for _, name := range sortedKeys(f.spec.Bindings) {
		for i, offering := range f.spec.Bindings[name].Offerings {
			if _, ok := relevant[offering]; !ok && !d.full() {
				d.problem(fieldpath.Index("spec.bindings."+name+".offerings", i), "unknown-offering", "no offering %q%s", wording.Shorten(offering), orThereIs(offering, known))
			}
		}
	}
	f.version, f.unbound = f.alone.boundTo(d, f.spec, relevant), d.problems
}

// String is the same for the same.
func (o offered) String() string {
	var b strings.Builder
	b.WriteString("known")
	for _, offering := range sortedKeys(o) {
		fmt.Fprintf(&b, " %s %t{", offering, o[offering] == nil)
		for _, name := range sortedKeys(o[offering]) {
			fmt.Fprintf(&b, "%s:%s ", name, o[offering][name])
		}
		b.WriteString("}")
	}
	return b.String()
}

// bindingsType has the fields that can be read of bindings: the outputs of any version of the offerings that are allowed.
func bindingsType(s *expression.Scope, declared map[string]binding, known offered) *expression.Type {
	fields := map[string]*expression.Type{}
	for name, binding := range declared {
		fields[name] = bindingType(s, name, binding, known)
	}
	return s.Object("bindings", fields)
}

func bindingType(s *expression.Scope, name string, b binding, known offered) *expression.Type {
	outputs := map[string]*expression.Type{}
	for _, offering := range b.Offerings {
		if known[offering] == nil {
			return expression.AnyMap
		}
		for output, t := range known[offering] {
			if other := outputs[output]; other != nil && !other.IsExactType(t) {
				t = expression.Any
			}
			outputs[output] = t
		}
	}
	return s.Object("bindings."+name, outputs)
}
