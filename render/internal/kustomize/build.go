package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// loadSchema reads Kustomize's built-in OpenAPI schema, process-global state that it otherwise fills on first use,
// unlocked against those who read it. Filled, it is never written again: Guard lets no kustomization set another.
var loadSchema = sync.OnceFunc(func() { openapi.Schema() })

// Build returns what `kustomize build` prints for the wrapper, in always the same order. It may be called concurrently.
func Build(w Wrapper) ([]byte, error) {
	result, err := accumulate(w)
	if err != nil {
		return nil, err
	}
	identity, err := w.identify(result)
	if err != nil {
		return nil, err
	}
	if err := identity.apply(result); err != nil {
		return nil, err
	}
	return printAll(result)
}

// accumulate lays the wrapper and its trees out in memory and has Kustomize build it, without the identity.
func accumulate(w Wrapper) (resmap.ResMap, error) {
	files, err := w.files(w.kustomization())
	if err != nil {
		return nil, err
	}
	tree := filesys.MakeFsInMemory()
	for name, content := range files {
		if err := tree.WriteFile(path.Join("/", Dir, name), content); err != nil {
			return nil, fmt.Errorf("write the wrapper's %s: %w", name, err)
		}
	}
	for _, t := range w.Trees {
		if err := copyTree(tree, t, modernised); err != nil {
			return nil, err
		}
	}
	return run(tree, path.Join("/", Dir))
}

// run is Kustomize. What it fails with, a panic included, is a Failure.
func run(tree filesys.FileSystem, dir string) (result resmap.ResMap, err error) {
	defer func() {
		if r := recover(); r != nil {
			result, err = nil, &Failure{Message: fmt.Sprintf("Kustomize gave up: %v", r)}
		}
	}()
	loadSchema()
	// Reorder stays unset: sorting is the wrapper's sortOptions, and krusty complains if told twice.
	result, err = krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionUnspecified,
		LoadRestrictions: types.LoadRestrictionsRootOnly,
		PluginConfig:     types.DisabledPluginConfig(),
	}).Run(tree, dir)
	if err != nil {
		return nil, explain(err)
	}
	return result, nil
}

// namable reports whether the in-memory tree takes a name. Guard lets no kustomization name a file that has another.
func namable(name string) bool { return plainName.MatchString(name) && !strings.Contains(name, "..") }

var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// copyTree writes the tree's files to where the platform repository has them, kustomizations rewritten, and without the
// tests, which no build may read, nor files of names that no kustomization can name.
func copyTree(to filesys.FileSystem, t Tree, rewrite func(kustomization []byte) ([]byte, error)) error {
	return fs.WalkDir(t.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read %s: %w", path.Join(t.Dir, name), err)
		}
		if entry.IsDir() {
			if name == testsDir || name != "." && !namable(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !namable(entry.Name()) {
			return nil
		}
		content, err := fs.ReadFile(t.Files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", path.Join(t.Dir, name), err)
		}
		if path.Base(name) == kustomizationFile {
			if content, err = rewrite(content); err != nil {
				return fmt.Errorf("read %s: %w", path.Join(t.Dir, name), err)
			}
		}
		return to.WriteFile(path.Join("/", t.Dir, name), content)
	})
}
