package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"transom.dev/render/platform"
)

// EnvFiles warns of lines without a value in the env files that the kustomizations of a tree make ConfigMaps of. Kustomize
// takes them for empty values; other tools read the environment there. The tree was accepted by Guard.
func EnvFiles(t Tree) (warnings []platform.Problem) {
	var files []string
	_ = fs.WalkDir(t.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != KustomizationFile {
			return nil // the guard reports a file that cannot be read
		}
		content, err := fs.ReadFile(t.Files, name)
		var k types.Kustomization
		if err != nil || k.Unmarshal(content) != nil {
			return nil
		}
		for _, c := range k.ConfigMapGenerator {
			for _, source := range append(slices.Clone(c.EnvSources), c.EnvSource) {
				if file := path.Join(path.Dir(name), source); source != "" && !slices.Contains(files, file) {
					files = append(files, file)
				}
			}
		}
		return nil
	})
	for _, file := range files {
		content, err := fs.ReadFile(t.Files, file)
		if err != nil {
			continue
		}
		for n, line := range strings.Split(string(content), "\n") {
			key := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
			if key == "" || key[0] == '#' || strings.Contains(key, "=") {
				continue
			}
			warnings = append(warnings, platform.Problem{
				File: path.Join(t.Dir, file), Line: n + 1, Rule: "env-file", Warning: true,
				Message: fmt.Sprintf("%s has no value, and becomes empty; write %s= if that is meant, or a value", key, key),
			})
		}
	}
	return warnings
}
