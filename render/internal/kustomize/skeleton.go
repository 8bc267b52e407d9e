package kustomize

import (
	"fmt"
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

// A Skeleton is the analysis of a wrapper's components before any input is written into them and before the wrapper
// overwrites names and namespaces in silence. It depends on no input, so it serves every instance of a version
// with the same components and overlays.
type Skeleton struct {
	Objects  []Object
	Problems []platform.Problem // targets of replacements and patches that match nothing or an object that they must not
	Texts    []*yaml.Node       // the objects as documents, empty where replacements write from the inputs

	targets  []target
	readings []readingTimes
	texts    int64 // as the burden's
	comparisons
}

// An analysis fills a skeleton, with the replacements and patches of one component after the other.
type analysis struct {
	*Skeleton
	wrapper Wrapper
	affixes []string // prefixes and suffixes that the kustomizations of the trees give
	stage   Objects  // the objects that the components up to the present one bring
	writes  []filled // by any replacement up to now
}

// An Object is one object of a skeleton, with the position that it comes from.
type Object struct {
	APIVersion, Kind, Namespace, Name string

	File     string    // in the platform repository; the kustomization's where it generates the object
	Line     int       // in File; 0 where it is not written as such
	Replicas bool      // it has spec.replicas
	Subjects []Subject // of a RoleBinding or ClusterRoleBinding
}

// A Subject is a ServiceAccount that a binding names.
type Subject struct{ Namespace, Name string }

// Analyse builds the skeleton of a wrapper, whose trees were accepted by Guard. Only its trees and components count. It fails
// where they come to more than the limits together, before anything is built.
func Analyse(w Wrapper) (*Skeleton, error) {
	burden, err := estimateBuild(w.Trees, w.Components)
	if err != nil {
		return nil, err
	}
	tree, err := skeletonTree(w.Trees)
	if err != nil {
		return nil, err
	}
	affixes, err := affixes(w.Trees)
	if err != nil {
		return nil, err
	}
	a := analysis{Skeleton: &Skeleton{readings: burden.readings(), texts: burden.texts, comparisons: burden.comparisons}, wrapper: w, affixes: affixes}
	for i, dir := range w.Components {
		writes, err := replacementsOf(w.Trees, dir)
		if err != nil {
			return nil, err
		}
		patches, err := patchesOf(w.Trees, dir)
		if err != nil {
			return nil, err
		}
		last := i == len(w.Components)-1
		if len(writes)+len(patches) == 0 && !last {
			continue
		}
		// A component's replacements see the objects that the components up to it have brought, and no more.
		if a.stage, err = w.stage(tree, w.Components[:i+1]); err != nil {
			return nil, err
		}
		if err := a.checkPatches(patches, w.Components[:i+1]); err != nil {
			return nil, err
		}
		for _, write := range writes {
			write.component = dir
			a.match(write)
		}
		if last {
			a.addObjects()
		}
	}
	return a.Skeleton, nil
}

// skeletonTree is the trees with every replacement taken out of every kustomization.
func skeletonTree(trees []Tree) (map[string][]byte, error) {
	tree := map[string][]byte{}
	for _, t := range trees {
		if err := copyTree(tree, t, withoutReplacements); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

func withoutReplacements(content []byte) ([]byte, error) {
	k, err := decodeForBuild(content)
	if err != nil {
		return content, nil // no build comes to it
	}
	_ = relabel(k) // as modernised: a label in both fields stays in both
	k.Replacements = nil
	k.MetaData = &types.ObjectMeta{Name: "skeleton"} // Kustomize refuses a kustomization without any field
	// Generated names get their hash after replacements have looked for them.
	for i, c := range k.ConfigMapGenerator {
		options := types.GeneratorOptions{}
		if c.Options != nil {
			options = *c.Options
		}
		options.DisableNameSuffixHash = true
		k.ConfigMapGenerator[i].Options = &options
	}
	return k8syaml.Marshal(k)
}

// stage builds some of the wrapper's components, with nothing around them.
func (w Wrapper) stage(tree map[string][]byte, components []string) (Objects, error) {
	w = Wrapper{Components: components, Run: w.Run}
	k := w.kustomization()
	k.BuildMetadata = []string{types.OriginAnnotations}
	content, err := k8syaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("marshal the wrapper: %w", err)
	}
	inputs, err := marshalInputs(nil)
	if err != nil {
		return nil, err
	}
	return w.build(tree, map[string][]byte{KustomizationFile: content, inputsFile: inputs})
}

// addObjects lists the objects of the last stage, which are all.
func (a *analysis) addObjects() {
	lines := map[string]map[string]int{} // by file and object
	for _, r := range a.stage.Resources() {
		o := Object{
			APIVersion: r.GetApiVersion(), Kind: r.GetKind(), Namespace: r.GetNamespace(), Name: r.GetName(),
			File:     originFile(r.GetAnnotations()["config.kubernetes.io/origin"]),
			Replicas: Lookup(r.YNode(), "spec", "replicas") != nil,
			Subjects: subjects(&r.RNode),
		}
		if lines[o.File] == nil {
			lines[o.File] = objectLines(a.wrapper.Trees, o.File)
		}
		o.Line = lines[o.File][o.Kind+" "+o.Name]
		a.Objects = append(a.Objects, o)
		a.Texts = append(a.Texts, a.unwritten(r))
	}
}

// unwritten is an object with nothing where inputs go.
func (a *analysis) unwritten(r *resource.Resource) *yaml.Node {
	object := r.RNode.Copy()
	name := r.GetKind() + " " + r.GetName()
	for _, t := range a.targets {
		if t.object != name {
			continue
		}
		for _, field := range matches(object, utils.SmarterPathSplitter(t.path, ".")) {
			*field.YNode() = yaml.Node{Kind: yaml.ScalarNode}
		}
	}
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{object.YNode()}}
}

// objectLines finds the line on which each object of a file begins.
func objectLines(trees []Tree, file string) map[string]int {
	lines := map[string]int{}
	tree, content, err := ReadIn(trees, file)
	if err != nil || tree.Printed > 0 {
		return lines
	}
	documents, _ := strictyaml.Scan(content, strictyaml.Options{Documents: true, Aliases: true, Size: MaxFile})
	for _, document := range documents {
		kind, name := Lookup(document, "kind"), Lookup(document, "metadata", "name")
		if kind != nil && name != nil {
			lines[kind.Value+" "+name.Value] = document.Line
		}
	}
	return lines
}

// originFile reads Kustomize's note on where an object came from.
func originFile(annotation string) string {
	var origin struct {
		Path         string `json:"path"`
		ConfiguredIn string `json:"configuredIn"`
	}
	if err := k8syaml.Unmarshal([]byte(annotation), &origin); err != nil {
		return ""
	}
	if origin.Path == "" {
		origin.Path = origin.ConfiguredIn
	}
	if origin.Path == "" {
		return ""
	}
	return path.Join(Dir, origin.Path)
}

func subjects(object *kyaml.RNode) []Subject {
	if kind := object.GetKind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
		return nil
	}
	list, err := object.Pipe(kyaml.Lookup("subjects"))
	if err != nil || list == nil {
		return nil
	}
	elements, err := list.Elements()
	if err != nil {
		return nil
	}
	var found []Subject
	for _, e := range elements {
		if e.GetKind() != "ServiceAccount" {
			continue
		}
		name, _ := e.GetString("name")
		namespace, _ := e.GetString("namespace")
		found = append(found, Subject{Namespace: namespace, Name: name})
	}
	return found
}

// ReadIn reads a file of whichever tree has it, by its path in the platform repository.
func ReadIn(trees []Tree, name string) (Tree, []byte, error) {
	for _, t := range trees {
		inside, ok := below(t.Dir, name)
		if !ok {
			continue
		}
		content, err := fs.ReadFile(t.Files, inside)
		if err != nil {
			return t, nil, fmt.Errorf("read %s: %w", name, err)
		}
		return t, content, nil
	}
	return Tree{}, nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
}
