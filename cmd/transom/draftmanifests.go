package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/golden"
	"transom.dev/render/platform"
)

// A manifest is an object that a version begins with.
type manifest struct {
	file   string // that it was read from
	object *yaml.Node
}

// versionOf adds a first version with objects under their own names, and a golden case. Fields of version.yaml may follow.
func (s *scaffold) versionOf(offering, number string, objects []manifest, more string) error {
	dir := path.Join("offerings", offering, number)
	files := map[string]string{}
	for _, m := range objects {
		name := fileOf(m.object)
		if other := files[name]; other != "" {
			return fmt.Errorf("%s has the %s, and so has %s", m.file, titleOf(m.object), other)
		}
		files[name] = m.file
		text, err := yaml.Marshal(m.object)
		if err != nil {
			return fmt.Errorf("%s: %w", m.file, err)
		}
		s.add(path.Join(dir, name), string(text))
	}
	s.add(path.Join(dir, "kustomization.yaml"), "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources:\n- "+
		strings.Join(slices.Sorted(maps.Keys(files)), "\n- ")+"\n")
	s.add(path.Join(dir, "version.yaml"), fmt.Sprintf(`apiVersion: %s
kind: Version
metadata: {name: %s}
spec:
  names: verbatim # objects keep their names, so that a request may adopt those that run
  parameters: # what a request may say; replacements in kustomization.yaml take it to the objects
    type: object
%s`, platform.APIVersion, yamledit.Scalar(offering, true), more))
	s.golden(dir, offering, number)
	return s.want(path.Join(dir, "tests/defaults/want.yaml"))
}

// golden adds the request of a golden case that gives no parameters.
func (s *scaffold) golden(dir, offering, number string) {
	s.add(path.Join(dir, "tests/defaults/request.yaml"), fmt.Sprintf(`apiVersion: %s
kind: Request
metadata: {name: example}
spec: {offering: %s, version: "%s", environments: {golden: {}}}
`, platform.APIVersion, yamledit.Scalar(offering, true), number))
}

func titleOf(object *yaml.Node) string {
	return yamlText(object, "kind") + " " + yamlText(yamlEntry(object, "metadata"), "name")
}

// fileOf names the file of an object.
func fileOf(object *yaml.Node) string {
	return strings.ToLower(strings.NewReplacer(" ", "-", ":", "-", "/", "-").Replace(titleOf(object))) + ".yaml"
}

func yamlEntry(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func yamlText(n *yaml.Node, name string) string {
	if n = yamlEntry(n, name); n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func yamlRemove(n *yaml.Node, name string) {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// want adds the objects that the golden case comes to, or the Problems that remain to be mended.
func (s *scaffold) want(file string) error {
	archive := new(txtar.Archive)
	for name, content := range s.contents {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: content})
	}
	files, err := txtar.FS(archive)
	if err != nil {
		return err
	}
	p, err := platform.Load(files)
	if err != nil {
		return err
	}
	cases, err := golden.Cases(p, files)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.Got != nil {
			s.add(file, string(c.Got))
			continue
		}
		for _, problem := range c.Problems {
			if !problem.Warning {
				s.Problems = append(s.Problems, problem)
			}
		}
	}
	return nil
}
