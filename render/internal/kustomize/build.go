package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// prepare fills process-global state, once: Kustomize's built-in OpenAPI schema, which it otherwise fills on first use,
// unlocked against those who read it, and how much a JSON patch may copy. Neither is ever written again: Guard lets no
// kustomization set another schema.
var prepare = sync.OnceFunc(func() {
	openapi.Schema()
	jsonpatch.AccumulatedCopySizeLimit = copySizeLimit
})

// Build returns the bytes that `kustomize build` prints for the wrapper, in always the same order. It may be called
// concurrently.
func Build(w Wrapper) ([]byte, error) {
	result, err := Accumulate(w)
	if err != nil {
		return nil, err
	}
	identity, err := w.Identify(result)
	if err != nil {
		return nil, err
	}
	if err := identity.Apply(result); err != nil {
		return nil, err
	}
	return Print(result)
}

// Accumulate lays the wrapper and its trees out in memory and has Kustomize build it, without the identity.
func Accumulate(w Wrapper) (Objects, error) {
	files, err := w.files(w.kustomization())
	if err != nil {
		return nil, err
	}
	tree := map[string][]byte{}
	for _, t := range w.Trees {
		if err := copyTree(tree, t, modernised); err != nil {
			return nil, err
		}
	}
	return w.build(tree, files)
}

// namable reports whether the in-memory tree takes a name. Guard lets no kustomization name a file that has another.
func namable(name string) bool { return plainName.MatchString(name) && !strings.Contains(name, "..") }

var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// copyTree writes the tree's files to where the platform repository has them, kustomizations rewritten, and without the
// tests, which no build may read, nor files of names that no kustomization can name.
func copyTree(to map[string][]byte, t Tree, rewrite func(kustomization []byte) ([]byte, error)) error {
	return fs.WalkDir(t.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read %s: %w", path.Join(t.Dir, name), err)
		}
		if entry.IsDir() {
			nameable := name == "." || namable(entry.Name())
			if name == testsDir || !nameable {
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
		if path.Base(name) == KustomizationFile {
			if content, err = rewrite(content); err != nil {
				return fmt.Errorf("read %s: %w", path.Join(t.Dir, name), err)
			}
		}
		to[path.Join(t.Dir, name)] = content
		return nil
	})
}
