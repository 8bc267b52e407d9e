package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
	k8syaml "sigs.k8s.io/yaml"

	"transom.dev/render/platform"
)

// A write is one replacement as somebody wrote it.
type write struct {
	types.Replacement
	overlay   bool
	component string           // of the wrapper that it is written in, or in a component of that
	position  platform.Problem // where it stands
}

// replacementsOf lists the replacements of a component and of the components that it lists, in the order in which
// Kustomize first runs them. Kustomizations under resources see no inputs, so theirs are their own.
func replacementsOf(trees []Tree, dir string) ([]*write, error) {
	return replacementsBelow(trees, dir, map[string]bool{})
}

// replacementsBelow leaves out components that were visited: they may be listed many times, by many.
func replacementsBelow(trees []Tree, dir string, visited map[string]bool) ([]*write, error) {
	if visited[dir] {
		return nil, nil
	}
	visited[dir] = true
	file := path.Join(dir, KustomizationFile)
	t, content, err := ReadIn(trees, file)
	if err != nil {
		return nil, err
	}
	k, err := Decode(content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var writes []*write
	for _, nested := range k.Components {
		inner, err := replacementsBelow(trees, path.Join(dir, nested), visited)
		if err != nil {
			return nil, err
		}
		writes = append(writes, inner...)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for i, r := range k.Replacements {
		position := platform.Problem{File: file, Field: field("replacements", i)}
		if n := Lookup(root.Content[0], splitField(position.Field)...); n != nil {
			position.Line, position.Column = n.Line, n.Column
		}
		list, err := ReadReplacements(trees, dir, r)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			writes = append(writes, &write{Replacement: one, overlay: t.Overlay, position: position})
		}
	}
	return writes, nil
}

// ReadReplacements reads the file that a replacement may be written in.
func ReadReplacements(trees []Tree, dir string, r types.ReplacementField) ([]types.Replacement, error) {
	if r.Path == "" {
		return []types.Replacement{r.Replacement}, nil
	}
	file := path.Join(dir, r.Path)
	_, content, err := ReadIn(trees, file)
	if err != nil {
		return nil, err
	}
	var list []types.Replacement
	if err := k8syaml.Unmarshal(content, &list); err == nil {
		return list, nil
	}
	var one types.Replacement
	if err := k8syaml.Unmarshal(content, &one); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return []types.Replacement{one}, nil
}

// affixes lists the prefixes and suffixes that the kustomizations of the trees give.
func affixes(trees []Tree) ([]string, error) {
	var found []string
	for _, t := range trees {
		err := fs.WalkDir(t.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() != KustomizationFile {
				return err
			}
			content, err := fs.ReadFile(t.Files, name)
			if err != nil {
				return err
			}
			var k types.Kustomization
			if err := k.Unmarshal(content); err != nil {
				return nil // no build comes to it
			}
			found = append(found, k.NamePrefix, k.NameSuffix)
			found = append(found, transformedAffixes(t.Files, path.Dir(name), k.Transformers)...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", t.Dir, err)
		}
	}
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(s string) bool { return s == "" }), nil
}
