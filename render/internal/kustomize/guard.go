package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/platform"
)

const (
	kustomizationFile = "kustomization.yaml"
	testsDir          = "tests" // golden cases of a version: no part of its digest, so no build may read them
)

// MaxObjects is how many objects one build may have. The time that Kustomize takes grows with their square.
const MaxObjects = 1000

// Guard returns whatever in the tree must not reach Kustomize: every kustomization in it is held to an allow-list of
// fields and to local paths inside the tree, and every file that Kustomize would parse is scanned first. An empty
// result means that a build of the tree reads nothing else, whatever the kustomizations say.
func Guard(t Tree) []platform.Problem {
	g := &guard{tree: t, scanned: map[string]int{}}
	err := fs.WalkDir(t.Files, ".", g.visit)
	if err != nil {
		g.report(".", nil, "", "unreadable", "%v", err)
	}
	if len(g.problems) == 0 && !g.isFile(kustomizationFile) {
		g.report(kustomizationFile, nil, "", "missing", "there is none; add one of kind Component")
	}
	g.cycles()
	if g.objects > MaxObjects {
		g.report(kustomizationFile, nil, "", "too-many", "lists %d objects; at most %d are applied", g.objects, MaxObjects)
	}
	slices.SortFunc(g.problems, platform.Problem.Compare)
	return g.problems
}

type guard struct {
	tree     Tree
	scanned  map[string]int // documents of the files already scanned as resources or patches
	objects  int            // listed by all kustomizations together
	listings []listing
	problems []platform.Problem
}

func (g *guard) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case name == testsDir && entry.IsDir():
		return fs.SkipDir
	case entry.IsDir():
		return nil
	case !entry.Type().IsRegular():
		g.report(name, nil, "", "not-a-file", "not a regular file; symlinks and submodules are not followed")
	case entry.Name() == kustomizationFile:
		g.kustomization(name)
	case entry.Name() == "kustomization.yml", entry.Name() == "Kustomization":
		g.report(name, nil, "", "kustomization-name", "rename it to %s", kustomizationFile)
	}
	return nil
}

// kustomization checks one file: as YAML, as a kustomization, field by field.
func (g *guard) kustomization(name string) {
	root := g.read(name)
	if root == nil {
		return
	}
	if root.Kind != yaml.MappingNode {
		g.report(name, root, "", "not-a-mapping", "a kustomization is a mapping of fields")
		return
	}
	before := len(g.problems)
	g.fields(name, root)
	if len(g.problems) > before {
		return
	}
	var k types.Kustomization
	if !g.strictly(name, root, &k) {
		return
	}
	g.identity(name, root, k.APIVersion, k.Kind)
	g.contents(&kustomization{file: name, root: root, spec: &k})
}

// read parses a file that only Kustomize reads, which has one document and no aliases.
func (g *guard) read(name string) *yaml.Node {
	documents := g.scan(name, platform.YAMLOptions{})
	if len(documents) != 1 {
		return nil
	}
	return documents[0]
}

// scan looks at a file before anything decodes it: a few bytes of aliases that name themselves kill a process beyond
// recover.
func (g *guard) scan(name string, allow platform.YAMLOptions) []*yaml.Node {
	file := path.Join(g.tree.Dir, name)
	data, err := fs.ReadFile(g.tree.Files, name)
	if err != nil {
		g.report(name, nil, "", "unreadable", "%v", err)
		return nil
	}
	documents, problems := platform.ScanYAML(file, data, allow)
	g.problems = append(g.problems, problems...)
	if len(problems) == 0 && len(documents) == 0 {
		g.report(name, nil, "", "empty", "is empty; fill it or remove it")
	}
	return documents
}

// identity checks apiVersion and kind: what is at the root is added to a wrapper, so it is a Component.
func (g *guard) identity(name string, root *yaml.Node, apiVersion, kind string) {
	dir := path.Dir(name)
	if dir == "." && kind != "Component" {
		g.report(name, lookup(root, "kind"), "kind", "kind",
			"is %q; it is added to other kustomizations, so write kind: Component and apiVersion: %s",
			kind, componentAPIVersion)
		return
	}
	want := kustomizationAPIVersion
	if kind == "Component" {
		want = componentAPIVersion
	} else if kind != "" && kind != "Kustomization" {
		g.report(name, lookup(root, "kind"), "kind", "kind", "is %q; write Component or Kustomization", kind)
		return
	}
	if apiVersion != want && (apiVersion != "" || kind == "Component") {
		g.report(name, lookup(root, "apiVersion"), "apiVersion", "api-version", "is %q; write %s", apiVersion, want)
	}
}

func (g *guard) isFile(name string) bool {
	info, err := fs.Stat(g.tree.Files, name)
	return err == nil && info.Mode().IsRegular()
}

func (g *guard) isDir(name string) bool {
	info, err := fs.Stat(g.tree.Files, name)
	return err == nil && info.IsDir()
}

func (g *guard) report(name string, n *yaml.Node, field, rule, format string, args ...any) {
	p := platform.Problem{
		File: path.Join(g.tree.Dir, name), Field: field, Rule: rule, Message: fmt.Sprintf(format, args...),
	}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	g.problems = append(g.problems, p)
}
