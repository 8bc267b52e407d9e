package kustomize

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/strictyaml"
)

// An expansion is the size of a directory's build before anything changes objects: each file and directory counts as often
// as Kustomize would go into it.
type expansion struct {
	visits  int64 // of directories, itself included
	levels  int64
	bytes   int64 // read
	objects int64
	nodes   int64 // of objects
	size    int64 // of objects, in bytes
}

func (e *expansion) add(o expansion) {
	e.visits, e.bytes, e.objects = plus(e.visits, o.visits), plus(e.bytes, o.bytes), plus(e.objects, o.objects)
	e.nodes, e.size = plus(e.nodes, o.nodes), plus(e.size, o.size)
	e.levels = max(e.levels, o.levels)
}

// exceeded says which limit the expansion is over; empty: none.
func (e expansion) exceeded() string {
	for _, counted := range []struct {
		limit
		n int64
	}{
		{limitExpansions, e.visits},
		{limitLevels, e.levels},
		{limitRead, e.bytes},
		{limitObjects, e.objects},
		{limitNodes, e.nodes},
		{limitBytes, e.size},
	} {
		if message := counted.exceeded(counted.n); message != "" {
			return message
		}
	}
	return ""
}

// sources are the files of a build, each read and parsed once. The trees were accepted by Guard, or are before it.
type sources struct {
	trees          []Tree
	kustomizations map[string]*types.Kustomization // by directory
	files          map[string]*source              // by path
	expanded       map[string]expansion            // by directory
	counted        map[string]int64                // lines, by path
	replaced       map[string][]types.Replacement  // in files of their own, by path
	open           map[string]bool                 // directories that are being expanded
}

// A source is a file that Kustomize parses.
type source struct {
	size      int64 // of the file
	documents []*yaml.Node
}

func newSources(trees []Tree) *sources {
	return &sources{
		trees: trees, kustomizations: map[string]*types.Kustomization{}, files: map[string]*source{},
		expanded: map[string]expansion{}, open: map[string]bool{},
		counted: map[string]int64{}, replaced: map[string][]types.Replacement{},
	}
}

// replacements are those of a field of a kustomization, which may name a file.
func (s *sources) replacements(dir string, r types.ReplacementField) []types.Replacement {
	if r.Path == "" {
		return []types.Replacement{r.Replacement}
	}
	name := path.Join(dir, r.Path)
	list, read := s.replaced[name]
	if !read {
		list, _ = ReadReplacements(s.trees, dir, r) // where it cannot be read Kustomize fails
		s.replaced[name] = list
	}
	return list
}

// kustomization reads a directory's file; nil: it cannot be read.
func (s *sources) kustomization(dir string) *types.Kustomization {
	known, read := s.kustomizations[dir]
	if read {
		return known
	}
	s.kustomizations[dir] = nil
	_, content, err := ReadIn(s.trees, path.Join(dir, KustomizationFile))
	if err != nil {
		return nil
	}
	k, err := decodeForBuild(content)
	if err != nil {
		return nil
	}
	s.kustomizations[dir] = k
	return k
}

// file parses a file; one that cannot be parsed has no documents.
func (s *sources) file(name string) *source {
	known, read := s.files[name]
	if read {
		return known
	}
	known = &source{}
	s.files[name] = known
	if _, content, err := ReadIn(s.trees, name); err == nil {
		known.size = int64(len(content))
		known.documents = scanned(content)
	}
	return known
}

// text parses the text of a field of a kustomization, which is known by the path of that field.
func (s *sources) text(field, text string) *source {
	if known, read := s.files[field]; read {
		return known
	}
	s.files[field] = &source{size: int64(len(text)), documents: scanned([]byte(text))}
	return s.files[field]
}

// scanned are the documents of a file or text; none where it cannot be parsed.
func scanned(content []byte) []*yaml.Node {
	documents, _ := strictyaml.Scan(content, strictyaml.Options{Documents: true, Aliases: true, Size: MaxFile})
	return documents
}

// stat finds a file, by its path in the platform repository.
func (s *sources) stat(name string) (size int64, found bool) {
	for _, t := range s.trees {
		if inside, ok := below(t.Dir, name); ok {
			info, err := fs.Stat(t.Files, inside)
			if err != nil {
				return 0, false
			}
			return info.Size(), true
		}
	}
	return 0, false
}

// length is the size of a file that is not parsed.
func (s *sources) length(name string) int64 {
	size, _ := s.stat(name)
	return size
}

// isDirectory says whether a path is one of a kustomization.
func (s *sources) isDirectory(dir string) bool {
	_, found := s.stat(path.Join(dir, KustomizationFile))
	return found
}

// expand counts the expansion of a directory. A directory that lists itself counts once: Guard reports it.
func (s *sources) expand(dir string) expansion {
	if known, done := s.expanded[dir]; done || s.open[dir] {
		return known
	}
	s.open[dir] = true
	defer delete(s.open, dir)
	e := expansion{visits: 1, bytes: s.length(path.Join(dir, KustomizationFile))}
	k := s.kustomization(dir)
	if k == nil {
		return e
	}
	for _, p := range k.Resources {
		if name := path.Join(dir, p); s.isDirectory(name) {
			e.add(s.expand(name))
		} else {
			e.add(s.file(name).expansion())
		}
	}
	for _, c := range k.ConfigMapGenerator {
		e.add(s.generated(dir, k, c))
	}
	for _, p := range k.Components {
		e.add(s.expand(path.Join(dir, p)))
	}
	for _, p := range patched(k) {
		if p.Path != "" {
			e.bytes = plus(e.bytes, s.file(path.Join(dir, p.Path)).size)
		}
	}
	for _, r := range k.Replacements {
		if r.Path != "" {
			e.bytes = plus(e.bytes, s.length(path.Join(dir, r.Path)))
		}
	}
	e.levels++
	s.expanded[dir] = e
	return e
}

// expansion counts the objects of a file, with the items of lists.
func (s *source) expansion() expansion {
	e := expansion{bytes: s.size}
	for _, object := range s.objects() {
		nodes, size := countNodes(object)
		e.add(expansion{objects: 1, nodes: nodes, size: size})
	}
	return e
}

// objects are the objects of a file: Kustomize makes an object of each item of a list.
func (s *source) objects() []*yaml.Node {
	var found []*yaml.Node
	var take func(n *yaml.Node)
	take = func(n *yaml.Node) {
		n = resolved(n)
		kind, items := resolved(Lookup(n, "kind")), resolved(Lookup(n, "items"))
		if kind == nil || !strings.HasSuffix(kind.Value, "List") || items == nil || items.Kind != yaml.SequenceNode {
			found = append(found, n)
			return
		}
		for _, item := range items.Content {
			take(item)
		}
	}
	for _, d := range s.documents {
		take(d)
	}
	return found
}

// nodesOfGenerated are the fields of a generated ConfigMap beside its keys.
const nodesOfGenerated = 8

// generated counts a ConfigMap that a kustomization generates.
func (s *sources) generated(dir string, k *types.Kustomization, c types.ConfigMapArgs) expansion {
	e := expansion{objects: 1, nodes: nodesOfGenerated, size: int64(len(c.Name))}
	for _, literal := range c.LiteralSources {
		e.nodes, e.size = e.nodes+2, e.size+int64(len(literal))
	}
	for _, o := range []*types.GeneratorOptions{k.GeneratorOptions, c.Options} {
		if o != nil {
			e.pairs(o.Labels)
			e.pairs(o.Annotations)
		}
	}
	read := func(p string) {
		n := s.length(path.Join(dir, p))
		e.bytes, e.size = plus(e.bytes, n), plus(e.size, n)
	}
	for _, p := range c.FileSources {
		if _, after, keyed := strings.Cut(p, "="); keyed {
			p = after
		}
		read(p)
		e.nodes += 2
	}
	environments := c.EnvSources
	if c.EnvSource != "" {
		environments = append([]string{c.EnvSource}, environments...)
	}
	for _, p := range environments {
		read(p)
		e.nodes = plus(e.nodes, 2*s.lines(path.Join(dir, p)))
	}
	return e
}

// pairs counts labels or annotations.
func (e *expansion) pairs(all map[string]string) {
	for key, value := range all {
		e.nodes, e.size = e.nodes+2, e.size+int64(len(key)+len(value))
	}
}

// lines counts those of a file, once.
func (s *sources) lines(name string) int64 {
	if known, counted := s.counted[name]; counted {
		return known
	}
	_, content, err := ReadIn(s.trees, name)
	if err == nil {
		s.counted[name] = 1 + int64(bytes.Count(content, []byte("\n")))
	}
	return s.counted[name]
}

// resolved is a node or, of an alias, the node that it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// countNodes counts the nodes below a node and their bytes as JSON, aliases as the nodes they stand for.
func countNodes(n *yaml.Node) (nodes, bytes int64) {
	n = resolved(n)
	if n == nil {
		return 0, 0
	}
	nodes, bytes = 1, int64(len(n.Value))+3
	for _, c := range n.Content {
		below, size := countNodes(c)
		nodes, bytes = plus(nodes, below), plus(bytes, size)
	}
	return nodes, bytes
}
