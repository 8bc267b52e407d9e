package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

// KustomizationFile is the one name that a kustomization may have.
const KustomizationFile = "kustomization.yaml"

// testsDir has the golden cases of a version: it is no part of the version's digest, so no build may read it.
const testsDir = "tests"

// MaxObjects is how many objects one build may have. The time that Kustomize takes grows with their square.
const MaxObjects = 1000

// Guard returns whatever in the tree must not reach Kustomize: every kustomization that a build may come to is checked against an
// allow-list of fields and to local paths inside the tree, and every file that Kustomize would parse is scanned first. An empty
// result means that a build of the tree reads nothing else, whatever the kustomizations say.
func Guard(t Tree) []platform.Problem {
	g := &guard{
		tree: t, scanned: map[string]int{}, reported: map[string]int{}, affixes: map[string]bool{}, reached: map[string]bool{},
	}
	err := fs.WalkDir(t.Files, ".", g.visit)
	if err != nil {
		g.report(".", nil, "", "unreadable", "%v", err)
	}
	for _, dir := range append([]string{"."}, t.Components...) {
		g.reach(path.Clean(dir))
	}
	if len(g.problems) == 0 && !g.isFile(KustomizationFile) {
		g.report(KustomizationFile, nil, "", "missing", "there is none; add one of kind Component")
	}
	g.cycles()
	if g.objects > MaxObjects {
		g.report(KustomizationFile, nil, "", "too-many", "lists %d objects; at most %d are applied", g.objects, MaxObjects)
	}
	g.over(KustomizationFile, limitAffixes, int64(len(g.affixes)))
	g.over(".", limitFiles, g.files)
	g.over(".", limitTree, g.bytes)
	if len(g.problems) == 0 {
		g.estimateBuild()
	}
	slices.SortFunc(g.problems, platform.Problem.Compare)
	return g.problems
}

type guard struct {
	tree     Tree
	scanned  map[string]int  // objects in the files already scanned as resources or patches
	reported map[string]int  // Problems of each file
	objects  int             // listed by all kustomizations together
	affixes  map[string]bool // prefixes and suffixes
	reached  map[string]bool // directories whose kustomization a build may come to
	files    int64
	bytes    int64
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
	case !g.counts(entry):
		return nil
	case !entry.Type().IsRegular():
		g.report(name, nil, "", "not-a-file", "not a regular file; symlinks and submodules are not followed")
	}
	return nil
}

// reach checks the kustomization of a directory, and of those that it lists, once.
func (g *guard) reach(dir string) {
	if g.reached[dir] || len(g.reached) > int(limitFiles.most) {
		return
	}
	g.reached[dir] = true
	for _, other := range []string{"kustomization.yml", "Kustomization"} {
		if name := path.Join(dir, other); g.isFile(name) {
			g.report(name, nil, "", "kustomization-name", "rename it to %s", KustomizationFile)
		}
	}
	if name := path.Join(dir, KustomizationFile); g.isFile(name) {
		g.kustomization(name)
	}
}

// counts counts a file, and says whether it is still worth a look.
func (g *guard) counts(entry fs.DirEntry) bool {
	g.files++
	if info, err := entry.Info(); err == nil {
		g.bytes += info.Size()
	}
	return g.files <= limitFiles.most && g.bytes <= limitTree.most
}

// over reports a number of a file that is over its limit.
func (g *guard) over(name string, l limit, n int64) {
	if message := l.exceeded(n); message != "" {
		g.report(name, nil, "", l.rule, "%s", message)
	}
}

// estimateBuild counts the work of building the tree. A directory that no other lists is an optional component, or it is not built:
// its changes depend on the objects that others have brought.
func (g *guard) estimateBuild() {
	s := newSources([]Tree{g.tree})
	listed := map[string]bool{}
	for _, l := range g.listings {
		listed[l.target] = true
	}
	for _, l := range g.listings {
		dir := path.Dir(l.from.file)
		if listed[dir] || dir == "." {
			continue
		}
		listed[dir] = true
		if message := s.expand(path.Join(g.tree.Dir, dir)).exceeded(); message != "" {
			g.report(l.from.file, nil, "", RuleCount, "%s", message)
		}
	}
	if _, err := s.estimateBuild([]string{g.tree.Dir}); err != nil {
		file := KustomizationFile
		var failure *Failure
		if errors.As(err, &failure) {
			file = strings.TrimPrefix(failure.File(), g.tree.Dir+"/")
		}
		g.report(file, nil, "", RuleCount, "%v", err)
	}
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
	documents := g.scan(name, strictyaml.Options{})
	if len(documents) != 1 {
		return nil
	}
	return documents[0]
}

// scan looks at a file before anything decodes it: a few bytes of aliases that name themselves kill a process beyond
// recover.
func (g *guard) scan(name string, allow strictyaml.Options) []*yaml.Node {
	data, err := fs.ReadFile(g.tree.Files, name)
	if err != nil {
		g.report(name, nil, "", "unreadable", "%v", err)
		return nil
	}
	if message := limitDocuments.exceeded(1 + int64(bytes.Count(data, []byte("\n---")))); message != "" && allow.Documents {
		g.report(name, nil, "", limitDocuments.rule, "%s", message) // empty ones are read and written as well
	}
	documents, problems := strictyaml.Scan(data, allow)
	for _, p := range problems {
		g.problems = append(g.problems, platform.FromYAML(path.Join(g.tree.Dir, name), p))
	}
	for _, d := range documents {
		g.keys(name, d)
	}
	if len(problems) == 0 && len(documents) == 0 {
		g.report(name, nil, "", "empty", "is empty; fill it or remove it")
	}
	return documents
}

// keys reports a mapping of so many keys that Kustomize, which looks each up among all, takes long. Aliases are not counted:
// the nodes they stand for are in the file.
func (g *guard) keys(name string, n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		if message := limitKeys.exceeded(int64(len(n.Content) / 2)); message != "" {
			g.report(name, n, "", limitKeys.rule, "%s", message)
		}
	}
	for _, c := range n.Content {
		g.keys(name, c)
	}
}

// identity checks apiVersion and kind: the kustomization at the root is added to a wrapper, so it is a Component.
func (g *guard) identity(name string, root *yaml.Node, apiVersion, kind string) {
	dir := path.Dir(name)
	if dir == "." && kind != "Component" {
		g.report(name, Lookup(root, "kind"), "kind", "kind",
			"is %q; it is added to other kustomizations, so write kind: Component and apiVersion: %s",
			kind, componentAPIVersion)
		return
	}
	want := kustomizationAPIVersion
	if kind == "Component" {
		want = componentAPIVersion
	} else if kind != "" && kind != "Kustomization" {
		g.report(name, Lookup(root, "kind"), "kind", "kind", "is %q; write Component or Kustomization", kind)
		return
	}
	isOptional := apiVersion == "" && kind != "Component"
	if apiVersion != want && !isOptional {
		g.report(name, Lookup(root, "apiVersion"), "apiVersion", "api-version", "is %q; write %s", apiVersion, want)
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

// maxReported is how many Problems of one file are reported: more help nobody, and each takes looking up its position.
const maxReported = 50

func (g *guard) report(name string, n *yaml.Node, field, rule, format string, args ...any) {
	if g.reported[name]++; g.reported[name] > maxReported {
		return
	}
	p := platform.Problem{
		File: path.Join(g.tree.Dir, name), Field: field, Rule: rule, Message: fmt.Sprintf(format, args...),
	}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	g.problems = append(g.problems, p)
}
