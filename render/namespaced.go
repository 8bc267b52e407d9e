package render

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// A namespaceLine is the field namespace of a kustomization, which puts all objects of that into one namespace.
type namespaceLine struct {
	file      string
	line      int
	namespace string
}

// namespaceLines are the lines by which objects come into a namespace, by that. One Problem of such a line says what would otherwise be said
// of each object; published bases often have it.
func namespaceLines(trees []kustomize.Tree, objects []kustomize.Object) map[string]namespaceLine {
	lines := map[string]namespaceLine{}
	if !slices.ContainsFunc(objects, func(o kustomize.Object) bool { return o.Namespace != "" }) {
		return lines
	}
	for _, tree := range trees {
		_ = fs.WalkDir(tree.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() != kustomize.KustomizationFile {
				return nil
			}
			found := namespaceLine{file: path.Join(tree.Dir, name)}
			content, err := fs.ReadFile(tree.Files, name)
			if err != nil || !found.read(content) {
				return nil
			}
			if _, known := lines[found.namespace]; !known && found.isAbove(objects) {
				lines[found.namespace] = found
			}
			return nil
		})
	}
	return lines
}

// read finds the field in a kustomization, and reports whether it is there.
func (n *namespaceLine) read(kustomization []byte) bool {
	var root yaml.Node
	if yaml.Unmarshal(kustomization, &root) != nil || len(root.Content) == 0 {
		return false
	}
	fields := root.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i].Value == "namespace" {
			n.line, n.namespace = fields[i].Line, fields[i+1].Value
		}
	}
	return n.namespace != ""
}

// isAbove reports whether an object in the namespace is written beside the kustomization, or below it: it is no overlay that nobody builds.
func (n *namespaceLine) isAbove(objects []kustomize.Object) bool {
	return slices.ContainsFunc(objects, func(o kustomize.Object) bool {
		return o.Namespace == n.namespace && strings.HasPrefix(o.File, path.Dir(n.file)+"/")
	})
}

// problem says what the line does.
func (n *namespaceLine) problem(objects []kustomize.Object) platform.Problem {
	count := 0
	for _, o := range objects {
		if o.Namespace == n.namespace {
			count++
		}
	}
	return platform.Problem{
		File: n.file, Line: n.line, Field: "namespace", Rule: "namespace",
		Message: fmt.Sprintf("puts objects (%d) into namespace %q; remove the line, because every instance gets its team's namespace", count, n.namespace),
	}
}
