package platform

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/cel-go/cel"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type versionSpec struct {
	Parameters *apiextensionsv1.JSONSchemaProps
	Computed   map[string]string
	Components []struct {
		Path string `decode:"required"`
		When string
	}
	Bindings  map[string]Binding
	Placement *struct {
		Clusters *metav1.LabelSelector `decode:"required"`
	}
	Scope   string `oneof:"namespaced|cluster"`
	Names   string `oneof:"prefixed|verbatim"`
	Kinds   []Kind
	Health  []Health
	Outputs []struct {
		Name  string `decode:"required"`
		Value string `decode:"required"`
	}
	Reversible *bool
	Ignore     []Ignore
}

// decodeVersion reads offerings/<offering>/<number>/version.yaml and looks at the files beside it.
func decodeVersion(d *document, offering string, number *semver.Version, files []*file) *Version {
	dir := path.Join("offerings", offering, number.String())
	v := &Version{Offering: offering, Number: number, Dir: dir, Scope: Namespaced, Names: Prefixed, Reversible: true}
	v.Files, v.Digest = directory(dir, files)
	o, ok := read[versionSpec](d, "Version", offering)
	if ok {
		s := o.Spec
		v.contract(d, s)
		v.expressions(d, s)
		v.objects(d, s)
		d.doesNotActYet("spec.bindings", "spec.placement")
	}
	checkComponent(d, dir, files)
	return v
}

// contract decodes what a request can give and where it can be placed.
func (v *Version) contract(d *document, s versionSpec) {
	schema, wrong := compileSchema(s.Parameters)
	for _, w := range wrong {
		d.problem(join("spec.parameters", w.field), w.rule, "%s", w.message)
	}
	v.Parameters = schema
	v.Bindings = s.Bindings
	for _, name := range sortedKeys(s.Bindings) {
		if !identifier(name) {
			d.problem("spec.bindings."+name, "name", "%q is no name that an expression can select; use letters, digits and _", shorten(name))
		}
	}
	if s.Placement != nil {
		v.Placement = d.selector("spec.placement.clusters", s.Placement.Clusters)
	}
	v.Scope, v.Names = Scope(or(s.Scope, string(Namespaced))), Names(or(s.Names, string(Prefixed)))
	if s.Reversible != nil {
		v.Reversible = *s.Reversible
	}
}

// expressions compiles all CEL that is evaluated per instance.
func (v *Version) expressions(d *document, s versionSpec) {
	names := inputsScope()
	if v.Parameters != nil {
		if known, open := v.Parameters.properties(); !open {
			names["parameters"] = append([]string{}, known...)
		}
	}
	names["bindings"] = append([]string{}, sortedKeys(s.Bindings)...)
	names["computed"] = append([]string{}, sortedKeys(s.Computed)...)
	first := inputsScope()
	for k := range first {
		first[k] = names[k]
	}
	delete(first, "computed")
	for _, name := range sortedKeys(s.Computed) {
		field := "spec.computed." + name
		if !identifier(name) {
			d.problem(field, "name", "%q is no name that an expression can select; use letters, digits and _", shorten(name))
		}
		if e := d.expression(field, name, s.Computed[name], first, cel.DynType); e != nil {
			v.Computed = append(v.Computed, *e)
		}
	}
	for i, c := range s.Components {
		component := Component{Path: c.Path}
		if c.When != "" {
			component.When = d.expression(index("spec.components", i)+".when", c.Path, c.When, names, cel.BoolType)
		}
		v.Components = append(v.Components, component)
	}
	v.outputs(d, s, names)
}

func (v *Version) outputs(d *document, s versionSpec, names scope) {
	seen := map[string]bool{}
	for i, o := range s.Outputs {
		field := index("spec.outputs", i)
		if !identifier(o.Name) && o.Name != "" {
			d.problem(field+".name", "name", "%q is no name that an expression can select; use letters, digits and _", shorten(o.Name))
		}
		if seen[o.Name] {
			d.problem(field+".name", "duplicate-name", "there is already an output %q", o.Name)
		}
		seen[o.Name] = true
		if e := d.expression(field+".value", o.Name, o.Value, names, cel.DynType); e != nil {
			v.Outputs = append(v.Outputs, *e)
		}
	}
}

// objects decodes what is said about the kinds of the version's objects.
func (v *Version) objects(d *document, s versionSpec) {
	v.Kinds, v.Health, v.Ignore = s.Kinds, s.Health, s.Ignore
	for i, k := range s.Kinds {
		if scope, known := BuiltinScope(k.Group, k.Kind); known && k.Scope != "" && scope != k.Scope {
			d.problem(index("spec.kinds", i)+".scope", "value", "%s is a kind of Kubernetes and %s; remove the entry", k.Kind, scope)
		}
	}
	for i, h := range s.Health {
		field := index("spec.health", i)
		switch {
		case h.Applied && (h.Healthy != "" || h.Failed != ""):
			d.problem(field+".applied", "value", "must stand alone: an object that is healthy once applied has no other condition")
		case !h.Applied && h.Healthy == "":
			d.problem(field, "required", "must have either healthy, an expression, or applied: true")
		}
		for name, source := range map[string]string{"healthy": h.Healthy, "failed": h.Failed} {
			if source != "" {
				d.expression(field+"."+name, name, source, objectScope(), cel.BoolType)
			}
		}
	}
}

// directory makes a file system and a digest of a version's or an overlay's files.
func directory(dir string, files []*file) (fs.FS, string) {
	hash, archive := sha256.New(), new(txtar.Archive)
	files = slices.SortedFunc(slices.Values(files), func(a, b *file) int { return cmp.Compare(a.path, b.path) })
	for _, f := range files {
		name := strings.TrimPrefix(f.path, dir+"/")
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(hash, "%x %q\n", sum, name)
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: f.data})
	}
	fsys, err := txtar.FS(archive)
	if err != nil {
		// The names come from a file system, which cannot hold a file and a directory of one name.
		panic(err)
	}
	return fsys, "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// checkComponent checks that a directory is a Kustomize Component, and its nested ones; what they say is rendering's
// business.
func checkComponent(d *document, dir string, files []*file) {
	at := path.Join(dir, "kustomization.yaml")
	i := slices.IndexFunc(files, func(f *file) bool { return f.path == at })
	if i < 0 {
		d.add(Problem{File: dir, Rule: "kustomization", Message: "has no kustomization.yaml"})
		return
	}
	docs, problems := ScanYAML(at, files[i].data, YAMLOptions{})
	for _, p := range problems {
		d.add(p)
	}
	if len(docs) == 0 || docs[0].Kind != yaml.MappingNode {
		if len(problems) == 0 {
			d.add(Problem{File: at, Rule: "kustomization", Message: "must be a Kustomize Component"})
		}
		return
	}
	k := &document{path: at, root: docs[0]}
	if k.text("kind") != "Component" || k.text("apiVersion") != "kustomize.config.k8s.io/v1alpha1" {
		k.problem("kind", "kustomization", "must be a Component of kustomize.config.k8s.io/v1alpha1, not %s", orNothing(k.text("kind")))
	}
	for _, p := range k.problems {
		d.add(p)
	}
}
