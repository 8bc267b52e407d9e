package render

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kinds"
	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

// A locator finds where people wrote the fields of an object: in the object's own file, in a patch, or in a replacement that
// writes it from the inputs.
type locator struct {
	skeleton  *kustomize.Skeleton
	trees     []kustomize.Tree
	documents map[string][]*yaml.Node // by file
	files     []string                // that may have patches
}

// locatorIn finds it in a version's own files.
func locatorIn(v *platform.Version, s *skeleton) *locator {
	return &locator{skeleton: s.Skeleton, trees: []kustomize.Tree{versionTree(v)}}
}

// problem is a Fault of an object as a Problem. Of an object that is none of the skeleton's, at -1, the kustomization is told.
func (l *locator) problem(at int, object *yaml.Node, kustomization string, f kinds.Fault) platform.Problem {
	if at >= 0 {
		p := l.locate(at, f)
		p.File = cmp.Or(p.File, kustomization)
		return p
	}
	return platform.Problem{
		File: kustomization, Field: f.Path.String(), Rule: f.Rule,
		Message: valueOf(object, "kind") + " " + valueOf(mappingOf(object, "metadata"), "name") + ": " + f.Message,
	}
}

// locate completes a Problem with the file, line and column of a Fault in an object of the skeleton.
func (l *locator) locate(object int, f kinds.Fault) platform.Problem {
	o := l.skeleton.Objects[object]
	at := platform.Problem{File: o.File, Line: o.Line, Field: f.Path.String(), Rule: f.Rule, Message: o.Kind + " " + o.Name + ": " + f.Message}
	if written, source, ok := l.skeleton.Written(object, plainSteps(f.Path)); ok {
		at.File, at.Line, at.Column = written.File, written.Line, written.Column
		at.Message += " (it is written from " + source + ")"
		return at
	}
	if own := l.own(o); own != nil {
		if n := find(own, f); n != nil {
			if at.Line, at.Column = n.Line, n.Column; f.Value != nil && n.Kind == yaml.ScalarNode {
				at.Message = strings.Replace(at.Message, "("+f.Value.Value+")", "("+n.Value+")", 1) // as it is written
			}
			return at
		}
	}
	if file, line, column := l.patched(o, f); file != "" {
		at.File, at.Line, at.Column = file, line, column
	}
	return at
}

func plainSteps(p kinds.Path) []string {
	steps := make([]string, len(p))
	for i, step := range p {
		if steps[i] = step.Name; step.Entry() {
			steps[i] = strconv.Itoa(step.Index)
		}
	}
	return steps
}

// own is the document in which an object is written, or nothing.
func (l *locator) own(o kustomize.Object) *yaml.Node {
	for _, document := range l.read(o.File) {
		if o.Line > 0 && document.Line == o.Line {
			return document
		}
	}
	return nil
}

func (l *locator) read(file string) []*yaml.Node {
	if documents, ok := l.documents[file]; ok {
		return documents
	}
	var documents []*yaml.Node
	for _, t := range l.trees {
		inside, ok := strings.CutPrefix(file, t.Dir+"/")
		if !ok {
			continue
		}
		if content, err := fs.ReadFile(t.Files, inside); err == nil {
			documents, _ = strictyaml.Scan(content, strictyaml.Options{Documents: true, Aliases: true, Size: kustomize.MaxFile})
		}
	}
	if l.documents == nil {
		l.documents = map[string][]*yaml.Node{}
	}
	l.documents[file] = documents
	return documents
}

// patched finds the patch that brings the field that a Fault is about.
func (l *locator) patched(o kustomize.Object, f kinds.Fault) (file string, line, column int) {
	for _, file := range l.yamlFiles() {
		for _, document := range l.read(file) {
			if path.Base(file) != "kustomization.yaml" {
				if n := findInPatch(document, o, f); n != nil {
					return file, n.Line, n.Column
				}
				continue
			}
			patches := mappingOf(document, "patches")
			for i := 0; patches != nil && i < len(patches.Content); i++ {
				text := mappingOf(patches.Content[i], "patch")
				if text == nil {
					continue
				}
				inline, _ := strictyaml.Scan([]byte(text.Value), strictyaml.Options{Documents: true, Aliases: true})
				for _, document := range inline {
					if n := findInPatch(document, o, f); n != nil {
						if text.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
							return file, text.Line + n.Line, 0
						}
						return file, text.Line, text.Column
					}
				}
			}
		}
	}
	return "", 0, 0
}

func (l *locator) yamlFiles() []string {
	if l.files != nil {
		return l.files
	}
	for _, t := range l.trees {
		if t.Printed > 0 {
			continue
		}
		_ = fs.WalkDir(t.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
			case entry.IsDir() && name == "tests":
				return fs.SkipDir
			case !entry.IsDir() && path.Ext(name) == ".yaml" && name != "version.yaml":
				l.files = append(l.files, path.Join(t.Dir, name))
			}
			return nil
		})
	}
	return l.files
}

// findInPatch finds it in a document that may patch the object: one of its kind, or a JSON patch.
func findInPatch(document *yaml.Node, o kustomize.Object, f kinds.Fault) *yaml.Node {
	switch document.Kind {
	case yaml.MappingNode:
		if valueOf(document, "kind") == o.Kind {
			return find(document, f)
		}
	case yaml.SequenceNode:
		pointer := "/" + strings.Join(plainSteps(f.Path), "/")
		for _, operation := range document.Content {
			to := strings.NewReplacer("~1", "/", "~0", "~").Replace(valueOf(operation, "path"))
			if to == "" || to != pointer && !strings.HasPrefix(pointer, to+"/") {
				continue
			}
			rest := f
			rest.Path = f.Path[strings.Count(to, "/"):]
			if n := find(mappingOf(operation, "value"), rest); n != nil {
				return n
			}
			return operation
		}
	}
	return nil
}

// find follows the path of a Fault in a document as somebody wrote it, and returns the node that an editor should show: the
// value that is wrong, or the name of a field that is. The entries of a list may be others there than in the object.
func find(n *yaml.Node, f kinds.Fault) *yaml.Node {
	at := n
	for _, step := range f.Path {
		switch {
		case n == nil:
			return nil
		case n.Kind == yaml.AliasNode:
			n = n.Alias
		}
		if step.Entry() {
			if n = entryOf(n, step); n == nil {
				return nil
			}
			at = n
			continue
		}
		i := slices.IndexFunc(n.Content, func(key *yaml.Node) bool { return key.Value == step.Name })
		if n.Kind != yaml.MappingNode || i < 0 || i%2 != 0 {
			return nil
		}
		at, n = n.Content[i], n.Content[i+1]
	}
	if n == nil || f.Value == nil {
		return at
	}
	if n.Kind != f.Value.Kind || n.Kind == yaml.ScalarNode && n.Value != f.Value.Value && !sameNumber(n, f.Value) {
		return nil
	}
	return n
}

// sameNumber reports whether two scalars are one number, written differently.
func sameNumber(a, b *yaml.Node) bool {
	x, err := strconv.ParseFloat(a.Value, 64)
	if err != nil {
		return false
	}
	y, err := strconv.ParseFloat(b.Value, 64)
	return err == nil && x == y
}

// entryOf finds the entry that a step leads to, by its index if that is the one that its keys tell, else by these.
func entryOf(n *yaml.Node, step kinds.Step) *yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	if step.Index < len(n.Content) && told(n.Content[step.Index], step.Keys) {
		return n.Content[step.Index]
	}
	if len(step.Keys) == 0 {
		return nil
	}
	for _, entry := range n.Content {
		if told(entry, step.Keys) {
			return entry
		}
	}
	return nil
}

func told(entry *yaml.Node, keys map[string]string) bool {
	for key, want := range keys {
		if value := mappingOf(entry, key); value != nil && value.Value != want {
			return false
		}
	}
	return true
}
